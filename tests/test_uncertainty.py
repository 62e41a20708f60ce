"""Views, intervals, calibrated probabilities and the flag for unlike images: what they promise is measured here."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from typer.testing import CliRunner

from conftest import draw_galaxy
from tuningfork.cli.app import build
from tuningfork.errors import ModelError, PackError
from tuningfork.evaluation.votes import label_votes
from tuningfork.images import Geometry
from tuningfork.inference import calibrate, evaluate_model, predict
from tuningfork.inference.confidence import confidence
from tuningfork.models import load_model, model_folder, read_manifest
from tuningfork.packs import make_pack, open_pack
from tuningfork.schemas import load_schema
from tuningfork.training import load_recipe, train
from tuningfork.uncertainty import (
    LEVEL,
    Uncertainty,
    fit_expected,
    fit_flag,
    fit_intervals,
    fit_mahalanobis,
    read_uncertainty,
    sample_framings,
    sample_renderings,
    write_uncertainty,
)
from tuningfork.uncertainty.expected import tamed
from tuningfork.uncertainty.framing import measure_framing
from tuningfork.uncertainty.intervals import shortest
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
    assert (found.ood_score(found.look(like, galaxies(100, 4, 0, 3))) > 1).mean() < 0.06
    for name, other in {"wider": (2.0, 0.0), "narrower": (8.0, 0.0), "moved": (4.0, 15.0)}.items():
        assert (found.ood_score(found.look(like, galaxies(100, *other, 2))) > 1).mean() > 0.9, name


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
    assert (found.ood_score(found.look(like, new)) > 1).mean() < 0.06
    assert (found.ood_score(found.look(like + 40, new)) > 1).all()  # what the encoder makes of them counts as ever
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
        assert (found.ood_score(found.look(like, pixels)) > 1).mean() > 0.9, name
    assert found.ood_score(found.look(like[:0], new[:0])).shape == (0,)


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
        earlier.ood_score(earlier.look(features, pixels)), earlier.mahalanobis.distance(features)
    )
    assert (known.ood_score(known.look(features, pixels)) >= earlier.ood_score(earlier.look(features, pixels))).all()


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


def test_an_error_is_expected_of_galaxies_as_they_are_and_disturbed(
    calibrated: Path, pack: Path, tmp_path: Path
) -> None:
    """As large, on the whole, as it is: of galaxies as they are, and of their negatives, which are much worse."""
    data = open_pack(pack)
    rows = data.rows("train")
    tree = load_schema("gz-challenge")
    model, truth = load_model(calibrated), label_votes(data.catalog.iloc[rows], tree).fractions
    found = []
    for change in (lambda pixels: pixels, lambda pixels: 255 - pixels):
        pixels = change(np.stack([data.pixels[row] for row in rows]))
        seen = model.infer(torch.from_numpy(pixels), model.uncertainty.views)
        sure = confidence(
            seen, pixels, model.uncertainty, {tree.name: tree, "five-classes": load_schema("five-classes")}
        )
        missed = np.sqrt(np.nanmean((seen.answers[tree.name].numpy() - truth) ** 2))
        expected = np.sqrt((sure.expected_rmse[tree.name] ** 2).mean())
        assert expected == pytest.approx(missed, rel=0.25)
        found.append(expected)
    assert found[1] > found[0]


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
