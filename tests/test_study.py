"""A study through the real command: runs, compares, resumes, and outlives a run that fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import CatalogError, OutputError, PackError, RecipeError
from tuningfork.evaluation import paired_difference
from tuningfork.inference import evaluate_model, predict_pack
from tuningfork.packs import open_pack
from tuningfork.study import bundled_studies, load_study, run_study
from tuningfork.training import load_recipe


@pytest.fixture(scope="module")
def study_file(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(
        f"""
title = "Two rates and one that cannot be"
set = ["optim.epochs=2"]
[[run]]
label = "slow"
recipe = "{recipe_file}"
set = ["optim.lr=1e-4"]
[[run]]
label = "Fast!"
recipe = "{recipe_file}"
[[run]]
label = "none"
recipe = "{recipe_file}"
set = ["encoder.name=resnet18", "encoder.options={{}}", "encoder.pretrained=true"]
"""
    )
    return path


@pytest.fixture(scope="module")
def study(study_file: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import huggingface_hub.constants

    out = tmp_path_factory.mktemp("studies") / "out"
    with pytest.MonkeyPatch.context() as offline:
        offline.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        result = CliRunner().invoke(build(), ["study", str(study_file), str(pack), str(out)])
    assert result.exit_code == 1  # one run failed, and that is said
    assert "failed: none" in result.stderr
    return out


def test_every_run_is_a_row_and_a_failed_one_has_its_error(study: Path) -> None:
    table = pd.read_csv(study / "comparison.csv")
    assert table["label"].tolist() == ["slow", "Fast!", "none"]
    assert table["error"].notna().tolist() == [False, False, True]
    assert "pretrained weights of 'resnet18' can't be had" in table["error"].iloc[2]
    assert (table["split"] == "val").all()
    assert table["gz-challenge rmse minus the first's low"].notna().tolist() == [False, True, False]
    assert table["lr"].tolist()[:2] == [1e-4, 1e-2]
    assert (table["galaxies"][:2] == 72).all()
    manifest = json.loads((study / "study.json").read_text())
    assert manifest["format"] == "tuningfork-study"
    for run in manifest["runs"][:2]:
        evaluation = json.loads((study / "evaluations" / run["folder"] / "evaluation.json").read_text())
        for figure in run["figures"]:
            assert figure["value"] == evaluation["schemas"][figure["schema"]]["figures"][figure["figure"]]["value"]
    for run in manifest["runs"][1:2]:
        first = {(f["schema"], f["figure"]): f["value"] for f in manifest["runs"][0]["figures"]}
        second = {(f["schema"], f["figure"]): f["value"] for f in run["figures"]}
        for figure in run["differences"]:
            name = figure["schema"], figure["figure"]
            if name in second:
                assert figure["value"] == pytest.approx(second[name] - first[name], abs=1e-9)


def test_curves_and_report_hold_every_run(study: Path) -> None:
    manifest = json.loads((study / "study.json").read_text())
    assert "curves-gz-challenge_rmse.png" in manifest["plots"]
    assert all((study / name).stat().st_size > 5000 for name in manifest["plots"])
    page = (study / "report.html").read_text()
    for text in ("Two rates and one that cannot be", "Fast!", "none failed", "Difference from", "01-slow", "02-fast"):
        assert text in page


def test_a_study_run_again_goes_on(study: Path, study_file: Path, pack: Path, tmp_path: Path) -> None:
    weights = study / "models" / "01-slow" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    with pytest.MonkeyPatch.context() as offline:
        offline.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        run_study(load_study(study_file), pack, study)
    assert weights.stat().st_mtime_ns == before
    with pytest.raises(OutputError, match="the work of another study"):
        run_study(load_study(study_file), pack, study, where=["five_class=cigar"])


def test_a_study_compares_on_the_rows_asked_for(recipe_file: Path, pack: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(f'title = "x"\nset = ["optim.epochs=1"]\n[[run]]\nrecipe = "{recipe_file}"\n')
    out = run_study(load_study(tmp_path / "s.toml"), pack, tmp_path / "out", where=["five_class=cigar"])
    manifest = json.loads((out / "study.json").read_text())
    catalog = open_pack(pack).catalog
    n = int(((catalog["split"] == "val") & (catalog["five_class"] == "cigar")).sum())
    assert {figure["n"] for figure in manifest["runs"][0]["figures"] if figure["schema"] == "five-classes"} == {n}
    assert manifest["runs"][0]["label"] == str(recipe_file)


def test_another_study_or_folder_is_left_alone(study: Path, study_file: Path, pack: Path, model: Path) -> None:
    before = (study / "comparison.csv").read_bytes()
    with pytest.raises(OutputError, match="the work of another study"):
        run_study(load_study(study_file), pack, study, changes=["optim.lr=3e-3"])
    assert (study / "comparison.csv").read_bytes() == before
    with pytest.raises(OutputError, match="holds something else"):
        run_study(load_study(study_file), pack, model)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ("run.monitor=val_nothing", {}, "val_nothing"),
        ("head.0.schema=galaxy10-decals", {}, "asks for labels of schema 'galaxy10-decals'"),
        ("transfer.frozen=5", {}, "ends before the whole encoder is released, in epoch 6"),
        ("optim.epochs=2", {"split": "holdout"}, "no split 'holdout'"),
        ("optim.epochs=2", {"where": ["block=a"]}, "has no column 'block'"),
        ("optim.epochs=2", {"where": ["five_class=square"]}, "no galaxies in its val split and five_class=square"),
    ],
)
def test_what_cannot_work_is_refused_before_any_training(
    study_file: Path, pack: Path, tmp_path: Path, change: str, options: dict, says: str
) -> None:
    with pytest.raises((RecipeError, PackError, CatalogError), match=says):
        run_study(load_study(study_file), pack, tmp_path / "out", changes=[change], **options)
    assert not (tmp_path / "out").exists()


def test_every_bundled_study_names_recipes_that_are_there() -> None:
    assert {name.partition("/")[0] for name in bundled_studies()} == {
        "deep-galaxies",
        "gavrilita",
        "khunger",
        "serrano",
        "tuningfork",
    }
    for name in bundled_studies():
        study = load_study(name)
        for run in study.run:
            load_recipe(run.recipe, [*study.set, *run.set])
    listed = CliRunner().invoke(build(), ["study", "list"]).output
    assert all(name in listed for name in bundled_studies())
    assert all(load_study(name).source in listed for name in bundled_studies())
    shown = CliRunner().invoke(build(), ["study", "show", "serrano/own"]).output
    assert "serrano/crop" in shown and "2: crop" in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = 'x'\nrun = []", "run"),
        ("title = 'x'\nruns = 3\n[[run]]\nlabel = 'a'\nrecipe = 'b'", "runs"),
        ("title = 'x'\n[[run]]\nlabel = 'a'\nrecipe = 'b'\n[[run]]\nlabel = 'a'\nrecipe = 'c'", "same label"),
    ],
)
def test_a_wrong_study_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(RecipeError, match=says):
        load_study(tmp_path / "s.toml")


def test_an_unknown_study_or_recipe_stops_before_any_run(tmp_path: Path, pack: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'serrano/approaches'"):
        load_study("serrano/approach")
    (tmp_path / "s.toml").write_text("title = 'x'\n[[run]]\nlabel = 'a'\nrecipe = 'serrano/cropp'")
    with pytest.raises(RecipeError, match="did you mean 'serrano/crop'"):
        run_study(load_study(tmp_path / "s.toml"), pack, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_are_narrowed_by_value(model: Path, pack: Path, tmp_path: Path) -> None:
    data = open_pack(pack)
    rows = data.rows("test", ["five_class=round"])
    assert (data.catalog["five_class"].iloc[rows] == "round").all()
    assert 0 < len(rows) < len(data.rows("test"))
    assert len(data.rows("all", ["five_class=round", "split=test"])) == len(rows)
    with pytest.raises(CatalogError, match="has no column 'shape'"):
        data.rows("test", ["shape=round"])
    with pytest.raises(CatalogError, match="write it as column=value"):
        data.rows("test", ["five_class"])
    with pytest.raises(PackError, match="no galaxies in its test split and five_class=square"):
        evaluate_model(model, pack, where=["five_class=square"])


def test_the_paired_interval_is_that_of_a_plain_loop(study: Path, pack: Path) -> None:
    data = open_pack(pack)
    schema = next(schema for schema in data.schemas if schema.name == "five-classes")
    tables = [predict_pack(study / "models" / name, data, data.rows("all")) for name in ("01-slow", "02-fast")]
    found = paired_difference(tables[0], tables[1], data.catalog, schema, n_bootstrap=400, seed=5)["accuracy"]
    truth = data.catalog["five_class"].to_numpy()
    names = np.array(schema.class_names)
    right = [names[t[list(schema.prediction_columns)].to_numpy().argmax(axis=1)] == truth for t in tables]
    each = right[1].astype(float) - right[0].astype(float)
    assert found["value"] == pytest.approx(each.mean())
    rng = np.random.default_rng(0)
    draws = [each[rng.integers(len(each), size=len(each))].mean() for _ in range(4000)]
    np.testing.assert_allclose(found["interval"], np.percentile(draws, [2.5, 97.5]), atol=0.03)


def test_unreadable_images_leave_the_pairs_in_step(study: Path, pack: Path) -> None:
    data = open_pack(pack)
    schema = next(schema for schema in data.schemas if schema.name == "five-classes")
    tables = [predict_pack(study / "models" / name, data, data.rows("all")) for name in ("01-slow", "02-fast")]
    whole = [table[~table["id_str"].isin(["g0003", "g0017"])] for table in tables]
    for table, bad in zip(tables, ("g0003", "g0017"), strict=True):
        table.loc[table["id_str"] == bad, "error"] = "truncated"
    shuffled = tables[1].sample(frac=1, random_state=0)
    assert paired_difference(tables[0], shuffled, data.catalog, schema) == paired_difference(
        *whole, data.catalog, schema
    )
