"""Adapting a model by a few labels: what is wrong is mended, what is right is left, and intervals hold."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.conftest import as_labels
from typer.testing import CliRunner

import tuningfork as tf
from tuningfork.adaptation import adapt
from tuningfork.adaptation.choice import deal_folds
from tuningfork.adaptation.correction import Correction, Sample, correct
from tuningfork.adaptation.intervals import Labelled, adapted_intervals, held_out_ends
from tuningfork.cli.app import build
from tuningfork.errors import ModelError, PackError
from tuningfork.images import Geometry
from tuningfork.models import load_model, read_manifest
from tuningfork.models.folder import seal
from tuningfork.models.heads import HeadSpec, build_head
from tuningfork.packs import make_pack, open_pack
from tuningfork.schemas import load_schema
from tuningfork.uncertainty import FEWEST_LABELS, Intervals, conform
from tuningfork.uncertainty.intervals import KNOTS

LIMITS = np.array([[-np.inf, np.inf]])


@pytest.fixture(scope="module")
def biased(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with one answer far too popular, as another survey might make it."""
    folder = tmp_path_factory.mktemp("biased") / "biased"
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.startswith("heads.gz-challenge") and name.endswith("bias"))
    weights[name][0] -= 4
    save_file(weights, folder / "model.safetensors")
    seal(folder, read_manifest(folder))
    return folder


@pytest.fixture(scope="module")
def adapted(biased: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model adapted by the train split of a pack."""
    out = tmp_path_factory.mktemp("adapted") / "adapted"
    return tf.load_model(biased).adapt(pack, out, split="train", tta=2).folder


def test_what_is_off_is_mended(biased: Path, adapted: Path, pack: Path) -> None:
    """By galaxies that it was not fitted to, and by predictions of the folder itself."""
    entry = read_manifest(adapted)["adaptation"]["schemas"]["gz-challenge"]
    figures = {row["figure"]: (row["before"], row["after"]) for row in entry["figures"]}
    before, after = figures["rmse"]
    assert entry["penalty"] is not None
    assert after["value"] < 0.6 * before["value"]
    assert 0.85 < figures["coverage"][1]["value"] <= 1
    worst = max(entry["bias"], key=lambda answer: abs(answer["before"]))
    assert abs(worst["after"]) < 0.3 * abs(worst["before"])
    rmse = [
        tf.load_model(folder).evaluate(pack).to_frame().set_index("figure").value["RMSE"]
        for folder in (biased, adapted)
    ]
    assert rmse[1] < 0.6 * rmse[0]


def test_the_adapted_model_is_calibrated_and_says_where_it_comes_from(adapted: Path, pack: Path, biased: Path) -> None:
    """Intervals and the flag are those of the new galaxies; the encoder is as it was."""
    table = tf.load_model(adapted).predict(pack)
    assert table["smooth_or_featured_smooth_low"].notna().all()
    assert table["ood"].mean() < 0.1
    said = read_manifest(adapted)
    assert said["adaptation"]["sha256"] == read_manifest(biased)["sha256"]
    assert said["calibration"]["views"] == 2
    before, after = (load_model(folder).state_dict() for folder in (biased, adapted))
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name.startswith("encoder"))
    assert "Corrected by 72 labelled galaxies" in tf.load_model(adapted).card


def test_figures_of_galaxies_that_it_learned_from_are_marked(
    adapted: Path, model: Path, pack: Path, galaxies: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it was trained on them or adapted by them; other galaxies are measured without a word."""
    network = tf.load_model(adapted)
    assert "(the model" not in network.evaluate(pack, split="test").content["where"]
    assert not caplog.records
    answers = as_labels(tf.load_model(model).predict(pack, tta=1), load_schema("gz-challenge"))
    own = _packed(galaxies, answers, tmp_path / "own")
    made = tf.load_model(model).adapt(own, tmp_path / "made", split="all", tta=1)
    both = "trained on and adapted by"  # by the train split of this pack
    cases = ((network, pack, "train", both), (network, pack, "all", both))
    for measured, data, split, how in (*cases, (made, own, "test", "adapted by")):
        caplog.clear()
        origin = measured.evaluate(data, split=split).content["where"]
        assert f"the model was {how} some of these galaxies" in origin
        assert any("its figures flatter" in record.message for record in caplog.records)


def test_a_schema_that_the_model_does_not_answer_gets_a_head(
    model: Path, adapted: Path, galaxies: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is learned from the labels, and all else is as it was; too few labels make none."""
    images = galaxies.parent / "images"
    before = tf.load_model(model).predict(images, tta=1)
    disk = before["smooth_or_featured_features_or_disk"]
    named = before[["id_str"]].assign(shape=np.where(disk > disk.median(), "disk", "round"), rare=None)
    named.loc[:5, "rare"] = ["yes", "no"] * 3
    own = make_pack(
        images, tmp_path / "own", labels=named, label_columns=("shape", "rare"), geometry=Geometry(0.9, 36, 3)
    )
    made = tf.load_model(model).adapt(own, tmp_path / "made", split="train", tta=1)
    assert [schema.name for schema in load_model(made.folder).schemas] == [
        *(schema.name for schema in load_model(model).schemas),
        "shape",
    ]
    entry = read_manifest(made.folder)["adaptation"]["schemas"]["shape"]
    figures = {row["figure"]: (row["before"]["value"], row["after"]["value"]) for row in entry["figures"]}
    assert entry["new"] and entry["penalty"] is not None
    assert figures["accuracy"][0] < 0.7 and figures["accuracy"][1] > 0.85
    assert made.evaluate(own).to_frame().set_index("figure").value["accuracy"] > 0.8
    table = made.predict(images, tta=1)
    assert (table["shape_disk"] + table["shape_round"]).to_numpy() == pytest.approx(1, abs=1e-5)
    columns = list(load_schema("gz-challenge").prediction_columns)
    np.testing.assert_allclose(table[columns], before[columns], atol=1e-6)
    assert "A new head, learned from" in made.card
    assert any("rare" in record.message and "no head" in record.message for record in caplog.records)
    assert load_model(adapted).uncertainty.expected
    tf.load_model(adapted).adapt(own, tmp_path / "again", split="train", tta=2)
    assert any("gz-challenge has no expected RMSE any more" in record.message for record in caplog.records)


def test_what_is_right_is_left_as_it_is(model: Path, pack: Path, galaxies: Path, tmp_path: Path) -> None:
    """Labels that are the model's own answers ask for no correction."""
    answers = as_labels(tf.load_model(model).predict(pack, tta=1), load_schema("gz-challenge"))
    own = _packed(galaxies, answers, tmp_path / "own")
    made = adapt(model, own, tmp_path / "made", tta=1)
    entry = read_manifest(made)["adaptation"]["schemas"]["gz-challenge"]
    assert entry["penalty"] is None
    assert all(answer["before"] == answer["after"] for answer in entry["bias"])
    before, after = (load_model(folder).state_dict() for folder in (model, made))
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_command(biased: Path, pack: Path, tmp_path: Path) -> None:
    """Two commands: adapt, then predict; and the report shows what it brought."""
    out = tmp_path / "mine"
    said = _run("adapt", biased, pack, out, "--tta", "1", "--split", "train")
    assert "gz-challenge: corrected by 72 labelled galaxies" in said.output
    assert "coverage of the 90 % intervals" in said.output
    report = tmp_path / "report.html"
    assert _run("report", out, "--out", report).exit_code == 0
    assert "corrected by 72 labelled galaxies" in report.read_text()
    written = (out / "model.json").stat().st_mtime_ns
    assert adapt(biased, pack, out, tta=1, split="train") == out
    assert (out / "model.json").stat().st_mtime_ns == written, "the same again is done already"
    with pytest.raises(ModelError, match="another model"):
        adapt(biased, pack, out, tta=1)
    with pytest.raises(ModelError, match="holds something else"):
        adapt(biased, pack, pack)


def test_errors_say_what_to_do(model: Path, pack: Path, galaxies: Path, tmp_path: Path) -> None:
    """Too few labels, too few galaxies, another geometry, an ensemble."""
    few = open_pack(pack).catalog[["id_str", *load_schema("gz-challenge").columns]].head(10)
    with pytest.raises(PackError, match="20 galaxies are needed"):
        adapt(model, _packed(galaxies, few, tmp_path / "few"), tmp_path / "a")
    with pytest.raises(PackError, match="50 are needed"):
        adapt(model, pack, tmp_path / "b", split="val")
    other = make_pack(galaxies, tmp_path / "other", schemas=("gz-challenge",), geometry=Geometry(0.9, 48, 3))
    with pytest.raises(PackError, match=r"pack again with --field 0\.9 --size 36"):
        adapt(model, other.path, tmp_path / "c")
    both = tf.make_ensemble([model, model], tmp_path / "both")
    with pytest.raises(ModelError, match="members one by one"):
        adapt(both, pack, tmp_path / "d")
    assert not any((tmp_path / name).exists() for name in "abcd")


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.floats(0.5, 2))
def test_a_layer_makes_what_the_correction_says(seed: int, views: int, temperature: float) -> None:
    """Folded into the layer it is the same correction, to rounding."""
    torch.manual_seed(seed)
    layer = torch.nn.Linear(5, 4)
    inputs = torch.randn(views, 7, 5)
    with torch.no_grad():
        raw = layer(inputs) / temperature
        correction = Correction(1.3, torch.randn(4).double(), torch.randn(5, 4).double(), torch.randn(5).double(), 2.5)
        wanted = correction.of(Sample(inputs.double(), raw.double(), torch.zeros(7, 4)))
        correction.into(layer, temperature)
        assert torch.allclose(layer(inputs).double(), wanted, atol=1e-5)


def test_a_strong_penalty_keeps_the_head_and_a_weak_one_fits() -> None:
    """Loss on the labels falls with the penalty, and the strongest leaves nearly all as it was."""
    torch.manual_seed(0)
    head = build_head(6, load_schema("five-classes"), HeadSpec(schema="five-classes", kind="classes")).eval()
    inputs = torch.randn(1, 60, 6).double()
    raw = inputs @ torch.randn(6, 5).double()
    sample = Sample(inputs, raw, torch.randint(0, 5, (60, 1)).float())
    fits = correct(head, sample)
    losses = [float(head.loss(fit.of(sample)[0].float(), sample.targets)[0]) for fit in fits]
    assert losses == sorted(losses, reverse=True)
    assert (fits[0].of(sample) - raw).abs().max() < (fits[-1].of(sample) - raw).abs().max()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(FEWEST_LABELS, 60), st.floats(0, 2))
def test_conformal_intervals_cover_on_average(seed: int, labels: int, begun: float) -> None:
    """Whatever they begin with: over many draws of the labels, 90 % of other galaxies lie within them."""
    rng, ends = np.random.default_rng(seed), np.full((1, KNOTS), begun)
    intervals = Intervals(np.linspace(-2, 2, KNOTS)[None], -ends, ends)
    covered = []
    for _ in range(300):
        predicted = rng.normal(size=(labels + 1, 1))
        observed = predicted + rng.normal(size=(labels + 1, 1)) ** 3
        low, high = conform(intervals, predicted[:-1], observed[:-1], LIMITS).of(predicted[-1:], LIMITS)
        covered.append(low[0, 0] <= observed[-1, 0] <= high[0, 0])
    assert np.mean(covered) > 0.9 - 4 * np.sqrt(0.09 / 300)


def test_intervals_fitted_to_many_labels_cover_others() -> None:
    """From 400 labels on they are fitted to some of these; what is said of their coverage is so for other galaxies."""
    rng, limits, said, found = np.random.default_rng(0), np.array([[0.0, 1.0]]), [], []
    for _ in range(12):
        truth = rng.binomial(30, rng.beta(0.6, 1.2, (2400, 1))) / 30
        answers = np.clip(truth + rng.normal(0, 0.05 + 0.15 * truth), 0, 1)
        labelled = Labelled(answers[:400], truth[:400], deal_folds(np.arange(400), 1))
        low, high = held_out_ends(None, labelled, limits)
        said.append(((low <= truth[:400]) & (truth[:400] <= high)).mean())
        low, high = adapted_intervals(None, labelled, limits).of(answers[400:], limits)
        found.append(((low <= truth[400:]) & (truth[400:] <= high)).mean())
    assert np.mean(found) > 0.89
    assert abs(np.mean(said) - np.mean(found)) < 0.015


def test_folds_part_no_group() -> None:
    """Twins and neighbours are left out together, and the same seed deals the same."""
    groups = np.arange(60) // 3
    folds = deal_folds(groups, 5)
    assert all(len(set(folds[groups == group])) == 1 for group in groups)
    assert set(np.bincount(folds)) == {12}
    assert np.array_equal(folds, deal_folds(groups, 5)) and not np.array_equal(folds, deal_folds(groups, 6))


def test_conformal_widths_are_the_order_statistic() -> None:
    """Of 19 labels the 18th largest miss; with fewer than nine nothing is known."""
    predicted = np.zeros((19, 1))
    observed = np.arange(1.0, 20)[:, None]
    assert conform(None, predicted, observed, LIMITS).high[0, 0] == 18
    assert np.isnan(conform(None, predicted[:8], observed[:8], LIMITS).high).all()
    assert not np.isnan(conform(None, predicted[:9], observed[:9], LIMITS).high).any()


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(build(), [str(argument) for argument in arguments])


def _packed(galaxies: Path, labels: pd.DataFrame, out: Path) -> Path:
    """The images of a catalogue with other labels, in the model's geometry."""
    images, geometry = galaxies.parent / "images", Geometry(0.9, 36, 3)
    return make_pack(images, out, labels=labels, schemas=("gz-challenge",), geometry=geometry).path
