"""Views, intervals, calibrated probabilities and the flag for unlike images: what they promise is measured here."""

from __future__ import annotations

import itertools
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from safetensors.numpy import load_file, save_file
from scipy.optimize import brentq
from scipy.spatial.distance import mahalanobis
from scipy.special import expit
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from typer.testing import CliRunner

from conftest import draw_galaxy
from tuningfork.cli.app import build
from tuningfork.errors import ModelError, PackError
from tuningfork.evaluation.votes import label_votes
from tuningfork.images import Geometry
from tuningfork.inference import calibrate, evaluate_model, predict
from tuningfork.inference.confidence import confidence
from tuningfork.inference.expected_errors import Truth, _fitted, _Gathered, spread_evenly
from tuningfork.models import load_model, model_folder, read_manifest
from tuningfork.packs import make_pack, open_pack
from tuningfork.schemas import load_schema
from tuningfork.training import load_recipe, train
from tuningfork.uncertainty import (
    LEVEL,
    Intervals,
    Regression,
    Samples,
    Uncertainty,
    alter,
    conform,
    fit_expected,
    fit_flag,
    fit_intervals,
    fit_mahalanobis,
    read_uncertainty,
    sample_framings,
    sample_renderings,
    write_uncertainty,
)
from tuningfork.uncertainty.expected import ExpectedError, tamed
from tuningfork.uncertainty.framing import measure_framing
from tuningfork.uncertainty.intervals import shortest
from tuningfork.uncertainty.mahalanobis import held_out_distances
from tuningfork.uncertainty.regression import fit_regression, held_out_odds
from tuningfork.uncertainty.statistics import measure


@pytest.fixture(scope="module")
def calibrated(model: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated") / "model"
    shutil.copytree(model, folder)
    result = CliRunner().invoke(build(), ["calibrate", str(folder), str(pack), "--split", "train"])
    assert result.exception is None, result.exception
    return folder


def test_frames_of_another_width_and_galaxies_off_the_middle_are_flagged() -> None:
    side = 60
    y, x = np.mgrid[:side, :side] - (side - 1) / 2

    def galaxies(n: int, radius: float, apart: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        radii, peaks = radius * rng.uniform(0.85, 1.15, n), rng.uniform(60, 230, n)
        light = 10 + peaks[:, None, None] * np.exp(-np.hypot(x - apart, y)[None] / radii[:, None, None])
        return np.clip(light[..., None] + rng.normal(0, 3, (n, side, side, 1)), 0, 255).astype(np.uint8)

    usual, rows = galaxies(200, 4, 0, 1), np.arange(200)
    features = np.random.default_rng(0).normal(size=(200, 5))
    framings = sample_framings(usual, rows)
    mahalanobis, _, framing = fit_flag(features, framings, framings)
    found = Uncertainty(1, {}, {}, mahalanobis, framing=framing)
    like = features[:100]
    assert (found.ood_score(found.measurements(like, galaxies(100, 4, 0, 3))) > 1).mean() < 0.06
    for name, other in {"wider": (2.0, 0.0), "narrower": (8.0, 0.0), "moved": (4.0, 15.0)}.items():
        assert (found.ood_score(found.measurements(like, galaxies(100, *other, 2))) > 1).mean() > 0.9, name


@given(radius=st.floats(3, 12))
@settings(max_examples=10, deadline=None)
def test_the_petrosian_radius_of_an_exponential_disc_is_right(radius: float) -> None:
    side = 200
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    shown = np.arcsinh(6 * 20 * np.exp(-np.hypot(x, y) / radius)) / 6  # undone by `measure_framing`
    image = np.rint(255 * np.minimum(shown, 1))[None, :, :, None].astype(np.uint8)
    found = np.exp(measure_framing(image)[0, 1]) * side / 2
    assert found == pytest.approx(_petrosian_radius(20 / (np.sinh(6) / 6)) * radius, rel=0.06)


def _petrosian_radius(over: float) -> float:
    """Of an exponential disc of scale length 1, too bright in its middle by a factor `over`, at 0.2."""
    edges = np.linspace(0, 12, 24_001)
    middle = (edges[1:] + edges[:-1]) / 2
    light = np.concatenate([[0], np.cumsum(np.minimum(over * np.exp(-middle), 1) * 2 * middle * np.diff(edges))])
    for radius in np.linspace(1, 9, 801):
        inner, within, outer = np.interp([0.8 * radius, radius, 1.25 * radius], edges, light)
        if (outer - inner) / ((1.25**2 - 0.8**2) * radius**2) < 0.2 * within / radius**2:
            return float(radius)
    raise AssertionError


@given(turns=st.integers(0, 3), mirrored=st.booleans(), seed=st.integers(0, 50))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("views", [8, 32])
def test_views_make_answers_blind_to_the_eight_turns(views: int, turns: int, mirrored: bool, seed: int) -> None:
    network = load_model("default")
    side = network.spec.geometry.size
    coarse = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(seed))  # light, where noise is all edges
    smooth = torch.nn.functional.interpolate(coarse, size=side, mode="bilinear")
    pixels = (255 * smooth).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    turned = np.rot90(pixels[:, :, ::-1] if mirrored else pixels, turns, (1, 2))
    one = network.infer(torch.from_numpy(pixels), views)
    other = network.infer(torch.from_numpy(np.ascontiguousarray(turned)), views)
    for name in one.answers:
        torch.testing.assert_close(one.answers[name], other.answers[name], atol=1e-5, rtol=0)
    for name in one.spread:
        torch.testing.assert_close(one.spread[name], other.spread[name], atol=1e-5, rtol=0)
    assert bool(one.spread) == (views > 8)  # it is equivariant: eight views are one look
    assert all((values >= 0).all() for values in one.spread.values())
    with pytest.raises(ModelError, match="3 views can't be had; choose one of 1, 2, 4, 8, 16, 32"):
        network.infer(torch.from_numpy(pixels), 3)


def test_views_are_the_mean_of_turned_predictions(model: Path, pack: Path) -> None:
    network, pixels = load_model(model), open_pack(pack).pixels[:3].copy()
    turns = [np.rot90(part, k, (1, 2)) for part in (pixels, pixels[:, :, ::-1]) for k in range(4)]
    each = [network.predict(torch.from_numpy(np.ascontiguousarray(turn)))["gz-challenge"] for turn in turns]
    seen = network.infer(torch.from_numpy(pixels), 8)
    torch.testing.assert_close(seen.answers["gz-challenge"], torch.stack(each).mean(dim=0), atol=2e-6, rtol=0)
    torch.testing.assert_close(
        seen.spread["gz-challenge"], torch.stack(each).std(dim=0, correction=0), atol=2e-6, rtol=0
    )


@given(
    values=arrays.arrays(np.float64, st.integers(5, 40), elements=st.floats(-1, 1)),
    level=st.floats(0.5, 0.95),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_the_shortest_interval_is_the_shortest(values: np.ndarray, level: float, data: st.DataObject) -> None:
    values = np.sort(values)
    weights = np.array(data.draw(st.lists(st.floats(0.1, 1), min_size=len(values), max_size=len(values))))
    low, high = shortest(values, weights, level)
    inside = (values >= low) & (values <= high)
    assert weights[inside].sum() >= level * weights.sum() - 1e-9
    for start in range(len(values)):
        for end in range(start, len(values)):
            if weights[start : end + 1].sum() >= level * weights.sum() + 1e-9:
                assert values[end] - values[start] >= high - low - 1e-12


@pytest.mark.parametrize("kind", ["beta", "crowded at 0", "noise that grows"])
def test_intervals_cover_what_they_promise_on_new_galaxies(kind: str) -> None:
    rng = np.random.default_rng(4)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = rng.beta(0.5, 1.5, size=n)
        if kind == "crowded at 0":
            truth *= rng.random(n) < 0.4
        predicted = np.clip(truth + rng.normal(0, 0.05, n) * (1 + 2 * truth * (kind == "noise that grows")), 0, 1)
        return predicted[:, None], rng.binomial(44, truth)[:, None] / 44

    fitted = fit_intervals(*draw(1500))
    predicted, observed = draw(20_000)
    low, high = fitted.of(predicted, np.array([[0.0, 1.0]]))
    assert (low >= 0).all() and (high <= 1).all() and (low <= high).all()
    inside = (observed >= low - 1e-9) & (observed <= high + 1e-9)
    assert LEVEL - 0.03 < inside.mean() < LEVEL + 0.05
    for part in np.array_split(np.argsort(predicted[:, 0]), 4):  # not on the whole alone
        assert inside[part].mean() > LEVEL - 0.08
    assert np.isnan(fit_intervals(*draw(30)).low).all()  # too few to say


@pytest.mark.parametrize(("n", "width"), [(800, 20), (300, 256)])
def test_unlike_images_are_far_and_like_ones_are_not(n: int, width: int) -> None:
    rng = np.random.default_rng(5)
    mixing = rng.normal(size=(width, width))
    mahalanobis = fit_mahalanobis(rng.normal(size=(n, width)) @ mixing)
    same, other = rng.normal(size=(4000, width)) @ mixing, rng.normal(size=(400, width)) * 10 * np.sqrt(width)
    assert 0.965 < (mahalanobis.distance(same) < 1).mean() <= 1
    assert (mahalanobis.distance(other) > 1).mean() > 0.99


@pytest.mark.parametrize("channels", [1, 3])
def test_galaxies_in_another_rendering_are_flagged_and_others_are_not(channels: int) -> None:
    rng = np.random.default_rng(9)
    drawn = np.stack([draw_galaxy(rng.uniform(0.3, 1), rng.uniform(0, 3), rng) for _ in range(500)])[..., :channels]
    usual, new = drawn[:300], drawn[300:]
    features = rng.normal(size=(300, 5))
    rows = np.arange(300)
    fitted = fit_flag(features, sample_renderings(usual, rows, 0.8), sample_framings(usual, rows))
    found = Uncertainty(1, {}, {}, *fitted[:1], rendering=fitted[1], framing=fitted[2], share=0.8)
    like = rng.normal(size=(200, 5))
    assert (found.ood_score(found.measurements(like, new)) > 1).mean() < 0.06
    assert (
        found.ood_score(found.measurements(like + 40, new)) > 1
    ).all()  # what the encoder makes of them counts as ever
    unlike = {
        "negative": 255 - new,
        "gamma": np.rint(255 * (new / 255) ** 0.5).astype(np.uint8),
        "dark": new // 3,
        "sky": np.clip(new.astype(int) + 40, 0, 255).astype(np.uint8),
        "moved": np.roll(new, new.shape[1] // 4, axis=2),
    }
    if channels == 3:
        unlike |= {
            "order": new[..., ::-1].copy(),
            "grey": np.repeat(new.mean(axis=3, keepdims=True).astype(np.uint8), 3, 3),
        }
    for name, pixels in unlike.items():
        assert (found.ood_score(found.measurements(like, pixels)) > 1).mean() > 0.9, name
    assert found.ood_score(found.measurements(like[:0], new[:0])).shape == (0,)


@given(turns=st.integers(0, 3), mirrored=st.booleans(), seed=st.integers(0, 20))
@settings(max_examples=15, deadline=None)
def test_statistics_know_brightness_from_numpy(turns: int, mirrored: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    found = measure(image[None], 0.5)[0]
    square = image[10:30, 10:30].astype(float)
    middle = np.quantile(square.reshape(-1, 3), 0.5, axis=0)
    np.testing.assert_allclose(found[3], np.log(middle + 4).mean(), atol=0.01)  # the median is the fourth quantile
    core = square[8:12, 8:12].mean(axis=(0, 1))
    turned = np.rot90(image[:, ::-1] if mirrored else image, turns).copy()
    other = measure(turned[None], 0.5)[0]
    np.testing.assert_allclose(found[:14], other[:14], atol=1e-9)  # quantiles don't know what is up
    assert np.log(core + 1).mean() == pytest.approx(found[16])


def test_a_calibration_of_an_earlier_version_is_read(calibrated: Path, tmp_path: Path) -> None:
    known = read_uncertainty(calibrated / "uncertainty.safetensors")
    assert known.rendering is not None
    assert known.framing is not None
    write_uncertainty(replace(known, rendering=None, framing=None, expected={}), tmp_path / "u.safetensors")
    earlier = read_uncertainty(tmp_path / "u.safetensors")
    assert earlier.rendering is None and earlier.framing is None and not earlier.expected
    features = np.random.default_rng(1).normal(size=(3, len(known.mahalanobis.mean)))
    pixels = np.zeros((3, 36, 36, 3), np.uint8)
    np.testing.assert_array_equal(
        earlier.ood_score(earlier.measurements(features, pixels)), earlier.mahalanobis.distance(features)
    )
    assert (
        known.ood_score(known.measurements(features, pixels))
        >= earlier.ood_score(earlier.measurements(features, pixels))
    ).all()


def test_vote_counts_are_calibrated_as_fractions(galaxies: Path, tmp_path: Path) -> None:
    catalog = pd.read_parquet(galaxies)
    rng = np.random.default_rng(7)
    asked = rng.integers(20, 60, len(catalog))
    for answer, name in (("Class7.1", "shape_round"), ("Class7.2", "shape_between"), ("Class7.3", "shape_cigar")):
        catalog[name] = catalog[answer] * asked
    catalog["file_loc"] = [str(galaxies.parent / place) for place in catalog["file_loc"]]
    catalog[["id_str", "file_loc", "shape_round", "shape_between", "shape_cigar"]].to_csv(
        tmp_path / "c.csv", index=False
    )
    answers = ", ".join(f'{{ name = "{n}", column = "shape_{n}" }}' for n in ("round", "between", "cigar"))
    (tmp_path / "counts.toml").write_text(
        f'name = "counts"\ntitle = "Counts"\nkind = "tree"\nvotes = "counts"\nsources = ["a test"]\n'
        f'[[question]]\nname = "shape"\ntext = "?"\nanswers = [{answers}]\n'
    )
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'name = "r"\n[encoder]\nname = "plain"\noptions = { width = 4 }\n[input]\nfield = 0.8\nsize = 32\n'
        '[[head]]\nschema = "counts"\nkind = "dirichlet"\n[optim]\nepochs = 2\nbatch_size = 16\n'
    )
    data = make_pack(
        tmp_path / "c.csv", tmp_path / "pack", schemas=(str(tmp_path / "counts.toml"),), geometry=Geometry(0.9, 36, 3)
    )
    folder = train(load_recipe(recipe), data.path, tmp_path / "m", accelerator="cpu")
    calibrate(folder, data.path, split="all", tta=2)
    fitted = load_model(folder).uncertainty.intervals["counts"]
    values = np.full((1, 3), 1 / 3)
    low, high = fitted.of(values, np.tile([0.0, 1.0], (3, 1)))
    assert np.abs(fitted.high).max() <= 1
    assert (high[0, 2] - low[0, 2]) < 1.0


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_an_answer_lies_in_its_own_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted = rng.beta(0.3, 2, size=(120, 1))
    observed = predicted * (rng.random((120, 1)) < 0.1)  # nearly always 0
    low, high = fit_intervals(predicted, observed).of(predicted, np.array([[0.0, 1.0]]))
    assert (low <= predicted).all() and (predicted <= high).all()


@given(seed=st.integers(0, 100))
@settings(deadline=None, max_examples=10)
def test_intervals_of_steps_are_those_of_each_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted = rng.choice([0.0, 0.25, 0.5], 600, p=[0.7, 0.2, 0.1])
    missed = rng.random(600) < np.where(predicted == 0, 0.02, 0.5)
    observed = predicted + 0.25 * missed
    order = rng.permutation(600)
    ends = [
        fit_intervals(p[:, None], o[:, None]).of(np.array([[0.0], [0.25], [0.5]]), np.array([[0.0, 1.0]]))
        for p, o in ((predicted, observed), (predicted[order], observed[order]))
    ]
    for low, high in ends:
        assert low.ravel().tolist() == [0, 0.25, 0.5]
        assert high.ravel().tolist() == [0, 0.5, 0.75]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    intervals = fit_intervals(rng.random((200, 3)), rng.random((200, 3)))
    mahalanobis = fit_mahalanobis(rng.normal(size=(100, 4)))
    expected = fit_expected(rng.normal(size=(100, 5)), rng.random(100), 100)
    whole = Uncertainty(4, {"five-classes": 1.3}, {"a-tree": intervals}, mahalanobis, expected={"a-tree": expected})
    write_uncertainty(whole, tmp_path / "u.safetensors")
    found = read_uncertainty(tmp_path / "u.safetensors")
    assert (found.views, found.temperatures) == (4, {"five-classes": 1.3})
    np.testing.assert_allclose(found.intervals["a-tree"].low, intervals.low, atol=1e-6)
    values = rng.normal(size=(10, 4))
    np.testing.assert_allclose(found.mahalanobis.distance(values), mahalanobis.distance(values), rtol=1e-4)
    traits = rng.normal(size=(10, 5))
    np.testing.assert_allclose(found.expected["a-tree"].squared(traits), expected.squared(traits), rtol=1e-4)


def test_the_error_to_be_expected_is_that_of_images_alike() -> None:
    """Errors of a known law: in each tenth of what is expected of new images, it is their mean."""
    rng = np.random.default_rng(3)
    traits = rng.normal(size=(16_000, 12))
    law = 0.008 * np.exp(traits @ np.r_[0.6, -0.4, 0.2, np.zeros(9)])
    squared = np.minimum(law * rng.chisquare(8, len(law)) / 8, 1)
    fitted = fit_expected(traits[:8000], squared[:8000], 1000)
    expected = fitted.squared(traits[8000:])
    for part in np.array_split(np.argsort(expected), 10):
        assert expected[part].mean() == pytest.approx(squared[8000:][part].mean(), rel=0.1)
    np.testing.assert_allclose(fitted.times(1.5).squared(traits[:9]), 1.5 * fitted.squared(traits[:9]))


@given(values=arrays.arrays(float, (4, 3), elements=st.floats(-1e150, 1e150)))
@settings(deadline=None)
def test_whatever_an_image_is_like_some_error_is_expected(values: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    fitted = fit_expected(tamed(rng.normal(size=(80, 3))), rng.random(80), 80)
    expected = fitted.squared(tamed(values))
    assert ((expected > 0) & (expected <= 1)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"level": np.inf},
        {"scatter": np.array([1.0, 0.0])},
        {"scatter": np.array([-1.0, 1.0])},
        {"weights": np.array([np.nan, 1.0])},
        {"location": np.zeros(1)},
        {"location": np.array(0.0)},
    ],
)
def test_numbers_that_can_not_be_are_noticed(change: dict[str, Any]) -> None:
    sound = ExpectedError(-5.0, np.zeros(2), np.ones(2), np.ones(2))
    assert sound.sound
    assert not replace(sound, **change).sound


@given(labelled=arrays.arrays(bool, st.tuples(st.integers(1, 3), st.integers(60, 400))), most=st.integers(1, 300))
def test_no_schema_loses_the_labels_it_needs_to_others(labelled: np.ndarray, most: int) -> None:
    chosen = spread_evenly(list(labelled), most)
    assert np.unique(chosen).tolist() == chosen.tolist()
    for each in labelled:
        assert each[chosen].sum() >= min(each.sum(), 50, most if most > 50 else 50)
    assert len(chosen) <= max(most, 50 * len(labelled))


def test_the_error_of_a_head_is_that_of_galaxies_it_was_not_fitted_to() -> None:
    """Also where of some galaxies little is known: each counts alike."""
    rng = np.random.default_rng(5)
    fractions = rng.random((100, 20))
    fractions[30:, 2:] = np.nan
    answers = np.nan_to_num(fractions) + rng.normal(0, 0.05, fractions.shape)
    unseen = np.nan_to_num(fractions) + 2 * (answers - np.nan_to_num(fractions))
    squared = np.nanmean((answers - fractions) ** 2, axis=1)
    gathered = _Gathered([rng.normal(size=(100, 4))], [squared])
    fitted, unlike = (_fitted(gathered, Truth(fractions, each), np.arange(100)) for each in (answers, unseen))
    assert unlike.level - fitted.level == pytest.approx(np.log(4))
    assert fitted.squared(gathered.traits[0]).mean() == pytest.approx(squared.mean(), rel=1e-6)


def test_an_error_is_expected_of_galaxies_as_they_are_and_disturbed(
    calibrated: Path, pack: Path, tmp_path: Path
) -> None:
    """As large, on the whole, as it is: of galaxies as they are, and of their negatives."""
    data = open_pack(pack)
    rows = data.rows("train")
    tree = load_schema("gz-challenge")
    model, truth = load_model(calibrated), label_votes(data.catalog.iloc[rows], tree).fractions
    for change in (lambda pixels: pixels, lambda pixels: 255 - pixels):
        pixels = change(np.stack([data.pixels[row] for row in rows]))
        seen = model.infer(torch.from_numpy(pixels), model.uncertainty.views)
        sure = confidence(
            seen, pixels, model.uncertainty, {tree.name: tree, "five-classes": load_schema("five-classes")}
        )
        missed = np.sqrt(np.nanmean((seen.answers[tree.name].numpy() - truth) ** 2))
        expected = np.sqrt((sure.expected_rmse[tree.name] ** 2).mean())
        assert expected == pytest.approx(missed, rel=0.25)


def test_predictions_say_how_sure_they_are(calibrated: Path, galaxies: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(galaxies.parent / "images", images)
    (images / "broken.jpg").write_bytes(b"\xff\xd8 cut short")
    noise = np.random.default_rng(0).integers(0, 256, (72, 72, 3), dtype=np.uint8)
    Image.fromarray(noise).save(images / "noise.png")
    table = pd.read_parquet(predict(images, tmp_path / "p.parquet", model=calibrated)).set_index("id_str")
    broken = table.loc["broken"]
    assert broken["error"] and broken.drop(["file_loc", "error"]).isna().all()
    good = table.drop(index="broken")
    for column in load_schema("gz-challenge").prediction_columns:
        assert (good[f"{column}_low"] <= good[f"{column}_high"]).all()
        assert (good[f"{column}_spread"] >= 0).all()
    assert bool(good.loc["noise", "ood"]) and good.loc["noise", "ood_score"] > 1
    assert good.drop(index="noise")["ood"].mean() < 0.2
    other = pd.read_parquet(predict(images, tmp_path / "one.parquet", model=calibrated, tta=1))
    assert list(other) == list(table.reset_index())
    assert (good["gz_challenge_expected_rmse"] > 0).all()
    ends = ("_low", "_high", "_spread", "_expected_rmse")
    of_eight = [name for name in other if name.endswith(ends) or name.startswith("ood")]
    assert other[of_eight].isna().all(axis=None) and other["smooth_or_featured_smooth"].notna().sum() == len(good)
    for name in ("p.csv", "p.fits", "p.vot"):
        predict(images, tmp_path / name, model=calibrated)


def test_an_evaluation_measures_coverage(calibrated: Path, pack: Path, tmp_path: Path) -> None:
    evaluate_model(calibrated, pack, split="train").save(tmp_path / "e")
    import json

    found = json.loads((tmp_path / "e" / "evaluation.json").read_text())["schemas"]["gz-challenge"]
    table = pd.read_parquet(tmp_path / "e" / "predictions.parquet")
    labels = open_pack(pack).catalog.set_index("id_str").loc[table["id_str"]]
    column, own = "Class7.1", "roundedness_completely_round"
    inside = (labels[column].to_numpy() >= table[f"{own}_low"] - 1e-6) & (
        labels[column].to_numpy() <= table[f"{own}_high"] + 1e-6
    )
    assert found["columns"][own]["coverage"]["value"] == pytest.approx(inside.mean())
    columns = [f"roundedness_{answer}" for answer in ("completely_round", "in_between", "cigar_shaped")]
    each = [found["columns"][name]["coverage"]["value"] for name in columns]
    assert found["questions"]["roundedness"]["coverage"]["value"] == pytest.approx(np.mean(each))
    assert found["figures"]["coverage"]["interval"] is not None
    expected = np.sqrt((table["gz_challenge_expected_rmse"] ** 2).mean())
    assert found["figures"]["expected_rmse"]["value"] == pytest.approx(expected, rel=1e-5)


def test_a_calibration_is_part_of_the_model_and_its_hashes(calibrated: Path, model: Path) -> None:
    manifest = read_manifest(calibrated)
    assert manifest["calibration"]["views"] == 8
    assert manifest["sha256"]["uncertainty.safetensors"]
    assert load_model(calibrated).uncertainty is not None
    assert load_model(model).uncertainty is None


def test_what_cannot_be_calibrated_is_said(model: Path, pack: Path, calibrated: Path, tmp_path: Path) -> None:
    for name in ("default", model_folder("default")):
        with pytest.raises(ModelError, match="the package's own; copy its folder") as refused:
            calibrate(name, pack)
    subprocess.run(shlex.split(str(refused.value).split("`")[1]), cwd=tmp_path, check=True)
    assert load_model(tmp_path / "mine").uncertainty is not None
    before = (calibrated / "uncertainty.safetensors").read_bytes()
    for views in (0, 3, 64):
        with pytest.raises(ModelError, match="views can't be had"):
            calibrate(calibrated, pack, split="all", tta=views)
    assert (calibrated / "uncertainty.safetensors").read_bytes() == before


def test_what_was_measured_on_other_galaxies_is_replaced_only_when_asked(
    calibrated: Path, pack: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(calibrated, folder)
    before = (folder / "uncertainty.safetensors").read_bytes()
    with pytest.raises(ModelError, match=r"has been calibrated, on train of .*; calibrate a copy, or .*--overwrite"):
        calibrate(folder, pack, split="all", tta=1)
    assert (folder / "uncertainty.safetensors").read_bytes() == before
    calibrate(folder, pack, split="all", tta=1, overwrite=True)
    assert read_manifest(folder)["calibration"]["split"] == "all"
    calibrate(folder, pack, split="all", tta=1)  # the same again


def test_a_kill_between_the_files_leaves_a_model_that_works(
    calibrated: Path, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(calibrated, folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["tuningfork.inference.calibration"], "write_uncertainty", killed)
    with pytest.raises(KeyboardInterrupt):
        calibrate(folder, pack, split="all", tta=1, overwrite=True)
    assert load_model(folder).uncertainty is None
    monkeypatch.undo()
    calibrate(folder, pack, split="all", tta=1, overwrite=True)
    assert load_model(folder).uncertainty.views == 1


def test_too_few_galaxies_are_said(model: Path, pack: Path) -> None:
    with pytest.raises(PackError, match="24 galaxies in its val split; 50 are needed"):
        calibrate(model, pack)


def odd_images(channels: int, side: int) -> np.ndarray:
    """Galaxies off the middle, seen at an angle, under noise; nothing; all white; a hole in what is bright."""
    rng = np.random.default_rng(side)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    tints = np.array([1.0, 0.8, 0.55])[:channels]
    drawn = []
    for peak, radius, right, turn, sky in ((300, 0.1, 0.05, 0.4, 3), (120, 0.2, -0.1, 2.0, 40), (900, 0.06, 0, 0, 0)):
        along, across = x * np.cos(turn) + y * np.sin(turn) - right * side, y * np.cos(turn) - x * np.sin(turn)
        light = sky + peak * np.exp(-np.hypot(along, 2 * across) / (radius * side))[..., None] * tints
        drawn.append(light + rng.normal(0, 6, (side, side, channels)))
    nothing = np.zeros((side, side, channels))
    hole = np.minimum(4 * np.hypot(x, y), 200)[..., None] + nothing
    images = np.stack([*drawn, nothing, nothing + 255, hole, rng.integers(0, 256, nothing.shape)])
    return np.clip(images, 0, 255).astype(np.uint8)


def slow_quantile(values: np.ndarray, share: float) -> float:
    """Of numbers rounded to whole ones, each of which stands for all from half below to half above it."""
    wanted = share * values.size
    value = np.sort(values, axis=None)[int(np.ceil(wanted)) - 1]
    within = (wanted - (values < value).sum()) / (values == value).sum()
    return max(float(value) - 0.5 + within, 0.0)


def slow_rendering(image: np.ndarray, share: float) -> np.ndarray:
    """The statistics of one image, (S,), written out: the weights in a model's folder are of exactly these."""
    side = max(round(share * len(image)), 4)
    start = (len(image) - side) // 2
    square = image[start : start + side, start : start + side].astype(float)
    channels, middle = square.shape[2], side // 2
    edge, core = max(round(0.1 * side), 1), max(round(0.1 * side), 1)
    rim = np.ones((side, side), dtype=bool)
    rim[edge:-edge, edge:-edge] = False
    steps = np.abs(np.diff(square, axis=1))
    columns = []
    for c in range(channels):
        one = square[..., c]
        brightness = [slow_quantile(one, q) for q in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995, 0.999)]
        brightness += [slow_quantile(one[rim], q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
        inner = one[middle - core : middle + core, middle - core : middle + core].mean()
        outer = np.concatenate([steps[:edge, :, c], steps[-edge:, :, c]]).mean()
        ends = [np.log((one == 0).mean() + 0.02), np.log((one >= 250).mean() + 0.0003)]
        columns.append([*np.log(np.array(brightness) + 4), *ends, *np.log1p([inner, steps[..., c].mean(), outer])])
    found = np.array(columns).T
    typical = found.mean(axis=1)
    if channels == 1:
        return typical
    grey = square.mean(axis=2)
    colourful = np.abs(square - grey[..., None]).mean(axis=2)
    weights = np.maximum(grey - grey.mean(), 0)
    hue = 3 * (weights[..., None] * (square - grey[..., None])).sum(axis=(0, 1)) / ((weights * grey).sum() + 1e-3)
    related = []
    for pixels in (square.reshape(-1, channels), square[rim]):
        covariance = np.cov(pixels.T, bias=True) + np.eye(channels)
        related += [
            np.log(1.03 - covariance[a, b] / np.sqrt(covariance[a, a] * covariance[b, b]))
            for a, b in itertools.combinations(range(channels), 2)
        ]
    differences = (found - typical[:, None])[:, :-1].ravel()
    return np.array([*typical, *differences, *np.log1p([colourful.mean(), colourful[rim].mean()]), *hue[:-1], *related])


@pytest.mark.parametrize(("channels", "side", "share"), [(3, 40, 0.8), (3, 7, 0.3), (1, 33, 1.0)])
def test_statistics_of_renderings_are_as_written_out(channels: int, side: int, share: float) -> None:
    images = odd_images(channels, side)
    np.testing.assert_allclose(
        measure(images, share), [slow_rendering(image, share) for image in images], rtol=1e-6, atol=1e-6
    )


def slow_framing(image: np.ndarray) -> np.ndarray:
    """The statistics of one image, (S,), written out: the weights in a model's folder are of exactly these."""
    side, light = len(image), np.sinh(6 * image.mean(axis=2) / 255) / 6
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    apart, edge = np.hypot(x, y), max(round(0.05 * side), 1)
    rim = np.ones((side, side), dtype=bool)
    rim[edge:-edge, edge:-edge] = False
    sky = np.sort(light[rim])[rim.sum() // 2]
    rings = [np.sort(light[(apart / (side / 2) * 48).astype(int) == ring]) - sky for ring in range(48)]
    means = np.array([ring.mean() if ring.size else 0.0 for ring in rings])
    medians = np.array([ring[(ring.size - 1) // 2] if ring.size else -sky for ring in rings])
    core = max(means[:3].mean(), 0.003)
    found: list[float] = []
    for profile in (means, medians):
        edges = np.arange(49) / 48
        grown = np.concatenate([[0], np.cumsum(profile * (edges[1:] ** 2 - edges[:-1] ** 2))])
        found += [np.log(slow_petrosian(edges, grown, ratio)) for ratio in (0.15, 0.2, 0.3, 0.4)]
        total = max(grown[1:].max(), 1e-6)
        for share in (0.2, 0.5, 0.8):
            enough = np.flatnonzero(grown[1:] >= share * total)
            found.append(np.log(edges[1:][enough[0] if enough.size else 0]))
        found.append(np.log(total))
        starts = (3, 6, 9, 12, 16, 21, 28, 36, 48)
        found += [np.arcsinh(20 * profile[a:b].mean() / core) for a, b in itertools.pairwise(starts)]
    inner = apart < side / 4
    weights = np.maximum(light - sky, 0)[inner]
    total = max(weights.sum(), 1e-6)
    middle = np.array([(weights * x[inner]).sum(), (weights * y[inner]).sum()]) / total
    products = [[(weights * a * b).sum() / total for b in (x[inner], y[inner])] for a in (x[inner], y[inner])]
    short, long = np.linalg.eigvalsh(np.array(products) - np.outer(middle, middle))
    found.append(np.log(np.hypot(*middle) / (side / 2) + 0.01))
    found += [np.log(max(short, 0.1) / max(long, 0.2)) / 2, np.log(max(long, 0.1)) / 2]
    return np.array([*found, np.log(sky + 0.01), np.log(core)])


def slow_petrosian(edges: np.ndarray, grown: np.ndarray, ratio: float) -> float:
    """Where the light from 0.8 to 1.25 radii first is that much fainter than what is within, between two edges."""
    before = np.nan
    for place, radius in enumerate(edges[1:]):
        outer, inner = min(1.25 * radius, 1), 0.8 * radius
        ring = np.interp(outer, edges, grown) - np.interp(inner, edges, grown)
        here = ring / (outer**2 - inner**2) / max(grown[place + 1] / radius**2, 1e-9)
        if place and (here < ratio or place == 47):
            part = np.clip((before - ratio) / max(before - here, 1e-9), 0, 1)
            return float(edges[place] + part * (radius - edges[place]))
        before = here
    raise AssertionError


@pytest.mark.parametrize(("channels", "side"), [(3, 61), (1, 120), (1, 9)])
def test_statistics_of_framings_are_as_written_out(channels: int, side: int) -> None:
    images = odd_images(channels, side)
    np.testing.assert_allclose(measure_framing(images), [slow_framing(image) for image in images], rtol=1e-6, atol=1e-6)


Way = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def drawn_factors(way: Way, image: np.ndarray, number: int = 300) -> np.ndarray:
    return np.array([way(image, np.random.default_rng(seed)) for seed in range(number)])


def evenly(factors: np.ndarray, low: float, high: float) -> bool:
    """Whether they lie within, reach either end, and are spread evenly in their logarithm."""
    places = np.log(factors / low) / np.log(high / low)
    within = places.min() > -1e-6 and places.max() < 1 + 1e-6
    return bool(within and places.min() < 0.06 and places.max() > 0.94 and abs(np.median(places) - 0.5) < 0.13)


def either(factors: np.ndarray, small: tuple[float, float], large: tuple[float, float]) -> bool:
    """Whether about half are evenly in one range, the others in the other; none is near 1."""
    below = factors < 1
    return 0.4 < below.mean() < 0.6 and evenly(factors[below], *small) and evenly(factors[~below], *large)


def test_brightness_and_contrast_are_changed_by_enough_and_either_way() -> None:
    image = np.full((1, 1, 1), 100.0)
    exponents = np.log(drawn_factors(alter._contrast, image).ravel() / 255) / np.log(100 / 255)
    assert either(exponents, (0.35, 0.8), (1.3, 2.6))
    assert either(drawn_factors(alter._brightness, image).ravel() / 100, (0.25, 0.7), (1.4, 5))
    raised = drawn_factors(alter._pedestal, image).ravel() - 100
    assert 0.5 < (raised > 0).mean() < 0.7
    for found, low, high in ((raised[raised > 0], 12, 80), (-raised[raised < 0], 8, 40)):
        assert low <= found.min() < low + 3 and high - 3 < found.max() <= high
        assert found.mean() == pytest.approx((low + high) / 2, rel=0.1)
    np.testing.assert_array_equal(alter._negative(image, np.random.default_rng(0)), 255 - image)
    noise = drawn_factors(alter._noise, np.full((20, 20, 2), 100.0), 100) - 100
    deviations = noise.std(axis=(1, 2, 3))
    assert 11 < deviations.min() < 14 and 33 < deviations.max() < 37
    assert abs(noise.mean()) < 0.5 and abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03


def test_a_stretch_is_an_asinh_of_another_depth_and_softening() -> None:
    """Lupton et al. 2004, PASP 116, 133: of a faint pixel the depth is seen, of a brighter one the softening."""
    faint, bright = 1e-5, 0.02
    image = 255 * np.array([faint, bright]).reshape(1, 2, 1)
    shown = drawn_factors(alter._stretch, image).reshape(-1, 2) / 255
    depths = shown[:, 0] / faint
    assert either(depths, (0.2, 0.6), (1.5, 16))
    flux = np.sinh(6 * bright) / 6
    softenings = [
        brentq(lambda s, f=depth * flux, seen=seen: np.arcsinh(s * f) / s - seen, 0.01, 100)
        for depth, seen in zip(depths, shown[:, 1], strict=True)
    ]
    assert evenly(np.array(softenings), 0.3 * (1 - 1e-2), 25 * (1 + 1e-2))
    colour = np.array([[[200.0, 100.0, 50.0], [8.0, 4.0, 2.0], [0.0, 0.0, 0.0]]])
    for found in drawn_factors(alter._stretch, colour, 20):
        np.testing.assert_allclose(found[0, :2] / found[0, :2, :1], [[1, 0.5, 0.25]] * 2)
        assert found.max() <= 255 + 1e-9 and (found[0, 2] == 0).all()
    assert max(found.max() for found in drawn_factors(alter._stretch, colour, 20)) == pytest.approx(255)


def test_colours_are_changed_each_in_its_way() -> None:
    image = np.random.default_rng(3).uniform(20, 200, (2, 2, 3))
    gains = np.log(drawn_factors(alter._gains, image) / image)
    assert np.ptp(gains, axis=(1, 2)).max() < 1e-9
    assert gains.std() == pytest.approx(0.45, rel=0.1) and abs(gains.mean()) < 0.06
    orders = {
        tuple(np.argsort(found[0, 0])[np.argsort(np.argsort(image[0, 0]))])
        for found in drawn_factors(alter._order, image, 60)
    }
    assert orders == set(itertools.permutations(range(3))) - {(0, 1, 2)}
    found = drawn_factors(alter._saturation, image)
    grey = image.mean(axis=2, keepdims=True)
    np.testing.assert_allclose(found.mean(axis=3, keepdims=True), np.broadcast_to(grey, (300, 2, 2, 1)))
    factors = ((found - grey) / (image - grey))[:, 0, 0, 0]
    none = np.abs(factors) < 1e-9
    assert 0.09 < none.mean() < 0.21
    assert either(factors[~none], (0.05, 0.5), (1.7, 4))


def test_an_altered_image_has_one_way_and_at_times_another_contrast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alter, "_ANY", (lambda image, _: image + 0.4,))
    monkeypatch.setattr(alter, "_COLOUR", (lambda image, _: image + np.array([0.6, 400, -400]),))
    image = np.full((1, 1, 3), 100, np.uint8)
    found = drawn_factors(alter.alter, image)[:, 0, 0]
    assert found.dtype == np.uint8
    coloured = found[:, 1] == 255
    assert 0.4 < coloured.mean() < 0.6 and (found[coloured, 2] == 0).all()
    exponents = np.log(found[:, 0] / 255) / np.log(np.where(coloured, 100.6, 100.4) / 255)
    plain = np.isin(found[:, 0], (100, 101)) & (np.abs(exponents - 1) < 0.01)
    assert [np.bincount(found[chosen, 0]).argmax() for chosen in (coloured, ~coloured)] == [101, 100]
    assert 0.62 < plain.mean() < 0.78
    assert evenly(exponents[~plain], 0.6 * 0.98, 1.7 * 1.02)
    assert drawn_factors(alter.alter, image[..., :1], 30).max() < 180  # one channel has no colours


def test_another_frame_is_wider_or_narrower_or_off_the_middle() -> None:
    """As seen on an image whose channels say where each pixel was."""
    side = 64
    y, x = 4 * np.mgrid[:side, :side]
    image = np.stack([x, y, 0 * x], axis=2).astype(np.uint8)
    found = drawn_factors(alter.reframe, image, 250).astype(float)
    assert found.shape == (250, side, side, 3)
    middle = found[:, 26:38, 26:38]  # 12 pixels, of every wider frame's own picture
    slopes = (middle[:, 5, -1, 0] - middle[:, 5, 0, 0]) / 11 / 4
    slopes = np.where(slopes < 0.9, np.ptp(found[:, 32, :, 0], axis=1) / 63 / 4, slopes)
    kinds = {"wider": slopes > 1.2, "narrower": slopes < 0.9, "moved": np.abs(slopes - 1) < 1e-9}
    for name, share in {"wider": 0.4, "narrower": 0.4, "moved": 0.2}.items():
        assert kinds[name].mean() == pytest.approx(share, abs=0.08), name
    assert evenly(slopes[kinds["wider"]], 1.4 * 0.97, 3.0 * 1.03)
    assert evenly(slopes[kinds["narrower"]], 0.35 * 0.97, 0.72 * 1.03)
    centred = ~kinds["moved"]
    np.testing.assert_allclose(middle[centred].mean(axis=(1, 2)), [[126, 126, 0]] * centred.sum(), atol=1)
    right, down = ((middle[kinds["moved"]][:, 6, 6, :2] - 4 * 32) / 4).T
    apart = np.hypot(right, down) / side
    assert 0.19 < apart.min() < 0.23 and 0.37 < apart.max() < 0.41
    assert apart.mean() == pytest.approx(0.3, abs=0.02)
    assert {(bool(a), bool(b)) for a, b in zip(right > 0, down > 0, strict=True)} == set(
        itertools.product((False, True), repeat=2)
    )
    for frame, along, across in zip(found[kinds["moved"]], right, down, strict=True):
        places = np.clip(np.arange(side) + along, 0, side - 1), np.clip(np.arange(side) + across, 0, side - 1)
        np.testing.assert_array_equal(frame[..., 0], np.broadcast_to(4 * places[0], (side, side)))
        np.testing.assert_array_equal(frame[..., 1], np.broadcast_to(4 * places[1][:, None], (side, side)))


def test_galaxies_are_moved_to_every_side_alike() -> None:
    places = np.arange(64).repeat(64).reshape(64, 64)
    image = np.stack([places, places.T], axis=2).astype(np.uint8)
    down, right = (drawn_factors(alter._moved, image, 400)[:, 32, 32].astype(int) - 32).T
    turns = np.arctan2(down, right) % (2 * np.pi)
    shares = np.histogram(turns, np.linspace(0, 2 * np.pi, 5))[0] / 400
    assert ((shares > 0.18) & (shares < 0.32)).all()


def test_beyond_an_image_its_outer_quarter_is_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alter, "resample", lambda image, *_, **__: image)
    side = 64
    image = np.stack(np.mgrid[:side, :side], axis=2).astype(np.uint8)
    for seed in range(12):
        wide = alter._wider(image, np.random.default_rng(seed))
        left = (len(wide) - side) // 2
        assert wide.shape == (side + 2 * left, side + 2 * left, 2) and 0.19 * side < left < 1.01 * side
        np.testing.assert_array_equal(wide[left:-left, left:-left], image)
        for places in wide[:, 0, 0].astype(int), wide[0, :, 1].astype(int):
            assert set(np.abs(np.diff(places))) == {1}
            assert places[:left].max() == min(left, 16) and places[-left:].min() == side - 1 - min(left, 16)
    tiny = alter._wider(np.full((3, 5, 1), 7, np.uint8), np.random.default_rng(0))
    assert (tiny == 7).all() and len(tiny) > 3


def plain_regression(**changes: object) -> Regression:
    zeros, square = np.zeros(2), np.eye(2)
    return replace(Regression(1.0, 2.0, zeros, zeros + 1, zeros, square, zeros, 0 * square), **changes)


def test_a_distance_doubles_with_each_reach_of_log_odds() -> None:
    plain = plain_regression(weights=np.array([1.0, 0.0]))
    far = 3 * np.sinh(np.array([-1.0, 1.0, 3.0, 1e3]) / 3)  # statistics that count as -1, 1, 3 and 1,000 scatters
    found = plain.distance(np.stack([far, 0 * far], axis=1))
    np.testing.assert_allclose(found, [0.5, 1, 2, 2**20])


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_log_odds_are_of_statistics_and_their_products(seed: int) -> None:
    rng = np.random.default_rng(seed)
    location, centre, weights = rng.normal(size=(3, 2))
    scale, whitening, pairs = rng.uniform(0.5, 2, 2), rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    plain = plain_regression(
        location=location, scale=scale, centre=centre, weights=weights, whitening=whitening, pairs=pairs
    )
    for row in 20 * rng.normal(size=(5, 2)):
        tame = [3 * np.arcsinh((row[i] - location[i]) / scale[i] / 3) for i in range(2)]
        white = [4 * np.tanh(sum((tame[i] - centre[i]) * whitening[i, j] for i in range(2)) / 4) for j in range(2)]
        odds = sum(tame[i] * weights[i] for i in range(2))
        odds += sum(white[i] * white[j] * pairs[i, j] for i in range(2) for j in range(2))
        assert plain.log_odds(row[None])[0] == pytest.approx(odds)


def unlike_samples(n: int, seed: int) -> Samples:
    """Of three statistics, two correlated, one that hardly varies; the altered ones are off or too scattered."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(n, 3)) @ np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1e-4]]) + 5
    return Samples(own, np.stack([own + 0.7, 5 + 2 * (own - 5)]))


def test_a_regression_is_the_penalised_fit_that_it_says() -> None:
    samples, rng = unlike_samples(300, 0), np.random.default_rng(1)
    odds = rng.normal(size=300)
    fitted = fit_regression(samples, odds, 2.5)
    assert (fitted.threshold, fitted.reach) == (2.5, pytest.approx(2.5 - float(np.median(odds))))
    assert fit_regression(samples, odds + 99, 2.5).reach == 1e-3
    np.testing.assert_allclose(fitted.location, np.median(samples.own, axis=0))
    low, high = np.quantile(samples.own, norm.cdf([-1, 1]), axis=0)
    np.testing.assert_allclose(fitted.scale, (high - low) / 2 + 0.01, rtol=1e-2)
    usual = fitted.whitened(samples.own)
    related = np.cov(usual.T)
    assert np.abs(related - np.diag(np.diag(related))).max() < 0.05 and (np.diag(related)[1:] > 0.75).all()
    upper = np.triu_indices(3)

    def terms(statistics: np.ndarray) -> np.ndarray:
        white = fitted.whitened(statistics)
        return np.concatenate([fitted.tamed(statistics), white[:, upper[0]] * white[:, upper[1]]], axis=1)

    scatter = np.maximum(terms(samples.own).std(axis=0), 0.05)
    assert scatter[2] == 0.05
    both = np.concatenate([samples.own, *samples.altered])
    altered = np.repeat([0, 1, 1], 300)
    found = fitted.log_odds(both)
    shift = brentq(lambda by: (expit(found + by) - altered).sum(), -50, 50)
    slope = ((expit(found + shift) - altered)[:, None] * terms(both) / scatter).sum(axis=0)
    weights = np.concatenate([fitted.weights, fitted.pairs[upper]]) * scatter
    np.testing.assert_allclose(weights, -1e-3 * slope, atol=2e-3 * np.abs(weights).max())  # the penalty's own slope
    assert (np.tril(fitted.pairs, -1) == 0).all()


def test_what_is_held_out_is_not_in_its_fit() -> None:
    samples = unlike_samples(43, 2)
    odds, apart = held_out_odds(samples), held_out_distances(samples.own)
    for fold in range(5):
        out = np.arange(43) % 5 == fold
        one = fit_regression(samples.of(~out), np.zeros(10), 0.0)
        np.testing.assert_allclose(odds[out], one.log_odds(samples.own[out]))
        centre, covariance = LedoitWolf().fit(samples.own[~out]).location_, LedoitWolf().fit(samples.own[~out])
        expected = [mahalanobis(row, centre, covariance.precision_) for row in samples.own[out]]
        np.testing.assert_allclose(apart[out], expected, rtol=1e-4)
    fitted = fit_mahalanobis(samples.own)
    assert fitted.threshold == pytest.approx(np.quantile(apart, 0.99))
    own = LedoitWolf().fit(samples.own)
    expected = [mahalanobis(row, own.location_, own.precision_) / fitted.threshold for row in samples.own]
    np.testing.assert_allclose(fitted.distance(samples.own), expected, rtol=1e-4)
    same = fit_mahalanobis(np.ones((20, 3)) + 1e-3 * np.eye(20, 3))
    assert np.isfinite(same.distance(np.zeros((1, 3)))).all()


def test_one_in_a_hundred_is_flagged_and_mostly_by_its_frame() -> None:
    n = 1500
    features = np.random.default_rng(3).normal(size=(n, 4))
    renderings, framings = unlike_samples(n, 4), unlike_samples(n, 5)
    by_features, by_rendering, by_framing = fit_flag(features, renderings, framings)
    flagged = np.stack(
        [
            held_out_distances(features) > by_features.threshold,
            held_out_odds(renderings) > by_rendering.threshold,
            held_out_odds(framings) > by_framing.threshold,
        ]
    )
    assert flagged.any(axis=0).mean() == pytest.approx(0.01, abs=0.0015)
    first, second, third = flagged.sum(axis=1)
    assert abs(first - second) <= 1 and third == pytest.approx(4 * first, abs=4) and first > 0
    for fitted, samples in ((by_rendering, renderings), (by_framing, framings)):
        assert np.median((held_out_odds(samples) - fitted.threshold) / fitted.reach) == pytest.approx(-1)


def test_samples_are_of_each_image_whatever_its_batch() -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (70, 12, 12, 1), dtype=np.uint8)
    rows = np.random.default_rng(7).permutation(70)
    for sampled, some, draws, own in (
        (sample_renderings(pixels, rows, 0.7), sample_renderings(pixels, rows[60:], 0.7), 2, measure(pixels, 0.7)),
        (sample_framings(pixels, rows), sample_framings(pixels, rows[60:]), 3, measure_framing(pixels)),
    ):
        np.testing.assert_array_equal(sampled.own, own[rows])
        assert sampled.altered.shape == (draws, *own.shape)
        for one, other in itertools.combinations([sampled.own, *sampled.altered], 2):
            assert (np.abs(one - other).max(axis=1) > 1e-3).mean() > 0.9
        np.testing.assert_array_equal(some.altered, sampled.altered[:, 60:])
        chosen = np.arange(70) % 3 == 0
        np.testing.assert_array_equal(sampled.of(chosen).own, sampled.own[chosen])
        np.testing.assert_array_equal(sampled.of(chosen).altered, sampled.altered[:, chosen])


def slow_table(predicted: np.ndarray, observed: np.ndarray, level: float) -> tuple[np.ndarray, ...]:
    """Knots, and the shortest of all intervals between two misses that holds enough of those predicted alike."""
    n, wrong = len(predicted), observed - predicted
    ranks = np.array([((predicted < value).sum() + (predicted == value).sum() / 2) / n for value in predicted])
    knots = np.unique(np.quantile(predicted, np.arange(16) / 15, method="nearest"))
    low, high = [], []
    order = np.argsort(wrong)
    lengths = wrong[order] - wrong[order][:, None]  # from the first of two to the second
    for knot in knots:
        weights = np.exp(-(((ranks - ranks[predicted == knot][0]) / 0.075) ** 2) / 2)[order]
        up_to = np.cumsum(weights)
        held = up_to - (up_to - weights)[:, None]
        best = np.where((held >= level * weights.sum() - 1e-9) & (lengths >= 0), lengths, np.inf).argmin()
        start, end = np.unravel_index(best, lengths.shape)
        low.append(min(wrong[order][start], 0))
        high.append(max(wrong[order][end], 0))
    return knots, np.array(low), np.array(high)


@pytest.mark.parametrize("step", [0.0, 0.125])
def test_intervals_are_those_of_a_slow_search(step: float) -> None:
    """The level rises by half a percent at a time until nine in ten are held that were not in the fit."""
    rng = np.random.default_rng(8)
    predicted = rng.random(70)
    predicted = np.round(predicted / step) * step if step else predicted
    observed = predicted + rng.normal(0, 0.1 + predicted / 5)
    for level in np.arange(180, 200) / 200:
        held = []
        for fold in range(5):
            out = np.arange(70) % 5 == fold
            knots, low, high = slow_table(predicted[~out], observed[~out], level)
            wrong = (observed - predicted)[out]
            at = predicted[out]
            held += [*((wrong >= np.interp(at, knots, low) - 1e-9) & (wrong <= np.interp(at, knots, high) + 1e-9))]
        if np.mean(held) >= 0.9:
            break
    assert level > 0.9
    knots, low, high = slow_table(predicted, observed, level)
    fitted = fit_intervals(predicted[:, None], observed[:, None])
    places = np.linspace(-0.1, 1.1, 50)
    limits = np.array([[-0.2, 1.3]])
    found = fitted.of(places[:, None], limits)
    np.testing.assert_allclose(found[0][:, 0], np.clip(places + np.interp(places, knots, low), -0.2, 1.3))
    np.testing.assert_allclose(found[1][:, 0], np.clip(places + np.interp(places, knots, high), -0.2, 1.3))


def test_fifty_labels_are_enough_for_an_interval() -> None:
    predicted, observed = np.random.default_rng(9).random((2, 60, 3))
    observed[50:, 0] = np.nan
    observed[49:, 1] = np.nan
    predicted[50:, 2] = np.nan
    fitted = fit_intervals(predicted, observed)
    assert np.isfinite(fitted.low).all(axis=1).tolist() == [True, False, True]
    for values in (fitted.knots, fitted.low, fitted.high):
        assert values.shape == (3, 16) and np.isnan(values[1]).all()


@given(n=st.integers(8, 40), seed=st.integers(0, 1000), begun=st.booleans())
@settings(max_examples=15, deadline=None)
def test_conformed_intervals_cover_nine_in_ten_of_any_galaxies(n: int, seed: int, begun: bool) -> None:
    """Each of n + 1 in turn is left out: as many of them are covered as the theorem says, and no more."""
    rng = np.random.default_rng(seed)
    predicted, limits = rng.normal(size=(n + 1, 2)), np.array([[-np.inf, np.inf], [-9.0, 9.0]])
    observed = predicted + rng.normal(size=(n + 1, 2)) + 0.3
    knots = np.tile(np.linspace(-3, 3, 16), (2, 1))
    first = Intervals(knots, np.full((2, 16), -0.5), np.full((2, 16), 0.2))
    first.knots[1], first.low[1], first.high[1] = np.nan, np.nan, np.nan  # of this answer there is none
    covered = np.zeros(2, dtype=int)
    for out in range(n + 1):
        rest = np.arange(n + 1) != out
        made = conform(first if begun else None, predicted[rest], observed[rest], limits)
        if n < 9:
            assert np.isnan(made.low).all() and np.isnan(made.high).all() and np.isnan(made.knots).all()
            return
        low, high = made.of(predicted[~rest], limits)
        covered += ((low - 1e-9 <= observed[~rest]) & (observed[~rest] <= high + 1e-9))[0]
    assert (covered >= np.ceil(0.9 * (n + 1) - 1e-9)).all()
    assert begun or (covered == np.ceil(0.9 * (n + 1) - 1e-9)).all()


def test_conformed_intervals_are_moved_alike_at_both_ends_and_never_vanish() -> None:
    predicted = np.linspace(0, 1, 20)[:, None]
    knots = np.linspace(0, 1, 16)[None]
    first = Intervals(knots, -0.3 - knots, 0.2 + knots)
    observed = predicted + 0.5 + predicted * 0  # beyond the upper end by 0.3 to -0.7
    scores = np.sort(0.3 - predicted[:, 0])
    made = conform(first, predicted, observed, np.array([[0.0, 5.0]]))
    by = scores[18]  # 0.9 x 21 is 18.9: the 19th
    np.testing.assert_allclose(made.knots, knots)
    np.testing.assert_allclose(made.low, np.minimum(first.low - by, -0.05))
    np.testing.assert_allclose(made.high, np.maximum(first.high + by, 0.05))
    for limits, least in (([-2.0, 5.0], 0.07), ([0.0, np.inf], 0.0)):
        exact = conform(None, predicted, predicted, np.array([limits]))
        np.testing.assert_allclose(exact.high, least)
        np.testing.assert_allclose(exact.low, -least)
        assert exact.knots[0].tolist() == pytest.approx(np.linspace(0, 1, 16).tolist())


def test_an_uncertainty_of_another_model_or_of_no_numbers_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    pixels = np.zeros((1, 12, 12, 1), np.uint8)
    rendering = fit_regression(samples := unlike_samples(60, 11), np.zeros(60), 1.0)
    assert samples.own.shape == (60, 3)
    fitted = fit_intervals(rng.random((60, 2)), rng.random((60, 2)))
    fine = Uncertainty(4, {"classes": 0.7}, {"tree": fitted}, fit_mahalanobis(rng.normal(size=(60, 5))))
    limits = {"tree": np.array([[0.0, 1.0]] * 2)}
    fine.check(5, pixels, limits, tmp_path)
    others = [(6, limits), (5, {}), (5, {"tree": limits["tree"][:1]})]
    for features, wrong in others:
        with pytest.raises(ModelError, match="is not of this model"):
            fine.check(features, pixels, wrong, tmp_path)
    with pytest.raises(ModelError, match="is not of this model"):  # statistics of one channel are 19
        replace(fine, rendering=rendering).check(5, pixels, limits, tmp_path)
    for temperature in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ModelError, match="numbers that can't be"):
            replace(fine, temperatures={"fine": 1.0, "not": temperature}).check(5, pixels, limits, tmp_path)
    for threshold in (0.0, float("nan")):
        with pytest.raises(ModelError, match="numbers that can't be"):
            replace(fine, mahalanobis=replace(fine.mahalanobis, threshold=threshold)).check(5, pixels, limits, tmp_path)


def test_a_folder_keeps_regressions_and_the_share_they_look_at(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(12), tmp_path / "u.safetensors"
    pixels = rng.integers(0, 256, (70, 12, 12, 1), dtype=np.uint8)
    features = rng.normal(size=(70, 5))
    flag = fit_flag(features, sample_renderings(pixels, np.arange(70), 0.6), sample_framings(pixels, np.arange(70)))
    made = Uncertainty(1, {}, {}, flag[0], rendering=flag[1], framing=flag[2], share=0.6)
    write_uncertainty(made, path)
    found = read_uncertainty(path)
    assert found.share == pytest.approx(0.6) and found.intervals == {} and found.temperatures == {}
    apart = [
        flag[0].distance(features),
        flag[1].distance(measure(pixels, 0.6)),
        flag[2].distance(measure_framing(pixels)),
    ]
    np.testing.assert_allclose(made.ood_score(made.measurements(features, pixels)), np.max(apart, axis=0))
    np.testing.assert_allclose(found.ood_score(found.measurements(features, pixels)), np.max(apart, axis=0), rtol=1e-3)
    assert len(set(np.argmax(apart, axis=0))) > 1
    kept = load_file(path)
    del kept["rendering/share"]
    save_file(kept, path)
    assert read_uncertainty(path).share == 1
    for damaged in ({**kept, "views": np.ones(2)}, {k: v for k, v in kept.items() if k != "likeness/mean"}):
        save_file(damaged, path)
        with pytest.raises(ModelError, match="holds no uncertainty of a model"):
            read_uncertainty(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(ModelError, match="holds no uncertainty of a model"):
        read_uncertainty(path)
