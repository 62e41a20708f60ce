"""A study through the real command: runs, compares, resumes, and outlives a run that fails."""

from __future__ import annotations

import hashlib
import json
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import CatalogError, OutputError, PackError, RecipeError
from tuningfork.evaluation import paired_difference
from tuningfork.evaluation.seeds import OverSeeds, difference_of_means
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
    assert "no run is said to be better" in page  # with one seed
    assert page.index("best: ") < page.index("RMSE of gz-challenge (lower is better)") < page.index("Difference from")
    assert "runs-gz-challenge_rmse.png" in manifest["plots"]
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((study / name).read_bytes()).hexdigest() == digest
    best = min(manifest["over_seeds"], key=lambda entry: (entry["figure"] != "rmse", entry["mean"]))
    assert f"best: {best['label']}" in page


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


@pytest.fixture(scope="module")
def repeated(recipe_file: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study of two runs with two seeds each, through the command; its file and its folder."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "s.toml").write_text(
        f"""
title = "Two rates, two seeds"
set = ["optim.epochs=1"]
[[run]]
label = "slow"
recipe = "{recipe_file}"
set = ["optim.lr=1e-4"]
[[run]]
label = "fast"
recipe = "{recipe_file}"
"""
    )
    arguments = ["study", str(folder / "s.toml"), str(pack), str(folder / "out"), "--seeds", "2", "--plots", "svg"]
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 0, result.output
    assert "Over the seeds" in result.output
    return folder / "s.toml", folder / "out"


def test_each_run_is_trained_with_each_seed(repeated: tuple[Path, Path]) -> None:
    _, out = repeated
    table = pd.read_csv(out / "comparison.csv")
    assert table["label"].tolist() == ["slow", "slow", "fast", "fast"]
    assert table["seed"].tolist() == [3, 4, 3, 4]  # the recipe's own, and the next
    assert table["folder"].tolist() == ["01-slow-seed3", "01-slow-seed4", "02-fast-seed3", "02-fast-seed4"]
    for row in table.itertuples():
        assert load_recipe(out / "models" / row.folder / "recipe.toml").run.seed == row.seed
    figures = table.groupby("label", sort=False)["gz-challenge rmse"]
    assert (figures.nunique() == 2).all()  # another seed, another network
    seeds = pd.read_csv(out / "seeds.csv")
    np.testing.assert_allclose(seeds["gz-challenge rmse"], figures.mean())
    np.testing.assert_allclose(seeds["gz-challenge rmse spread"], figures.std())
    assert (seeds["gz-challenge rmse seeds"] == 2).all()
    differences = table["gz-challenge rmse minus the first's"]
    assert differences.notna().tolist() == [False, False, True, True]  # of the same seed
    values = table["gz-challenge rmse"]
    assert differences[2:].tolist() == pytest.approx([values[2] - values[0], values[3] - values[1]])


def test_the_page_has_seeds_before_any_difference(repeated: tuple[Path, Path]) -> None:
    _, out = repeated
    page = (out / "report.html").read_text()
    places = [
        page.index(said) for said in ("best: ", "(lower is better)", "Means and spreads", "Difference from “slow”")
    ]
    assert places == sorted(places)
    assert "no run is said to be better" not in page
    assert page.index('<details class="part"') > places[-1]  # the rest is folded
    assert (out / "report.html").stat().st_size < 3_000_000
    assert (out / "runs-gz-challenge_rmse.svg").is_file()
    manifest = json.loads((out / "study.json").read_text())
    assert {name for name in manifest["sha256"] if name.endswith(".svg")} == {path.name for path in out.glob("*.svg")}
    rmse = {e["label"]: e for e in manifest["over_seeds"] if (e["schema"], e["figure"]) == ("gz-challenge", "rmse")}
    slow, fast = rmse["slow"]["values"], rmse["fast"]["values"]
    welch = ttest_ind(fast, slow, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose(rmse["fast"]["interval"], [welch.low, welch.high])


def test_a_study_of_seeds_that_lost_a_training_makes_it_again(repeated: tuple[Path, Path], pack: Path) -> None:
    study_file, out = repeated
    kept = (out / "models" / "01-slow-seed3" / "model.safetensors").stat().st_mtime_ns
    lost = out / "models" / "02-fast-seed4"
    before = (out / "comparison.csv").read_text()
    shutil.rmtree(lost)
    run_study(load_study(study_file), pack, out, seeds=2)
    assert (lost / "model.json").is_file()
    assert (out / "models" / "01-slow-seed3" / "model.safetensors").stat().st_mtime_ns == kept
    columns = ["label", "seed", "gz-challenge rmse", "five-classes accuracy"]
    pd.testing.assert_frame_equal(pd.read_csv(out / "comparison.csv")[columns], pd.read_csv(StringIO(before))[columns])
    with pytest.raises(OutputError, match="the work of another study"):
        run_study(load_study(study_file), pack, out, seeds=3)


@settings(deadline=None)
@example([0.0, 0.0], [0.0, 3.4e-295])
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6))
def test_the_interval_of_a_difference_of_seeds_is_welchs(first: list[float], second: list[float]) -> None:
    value, interval = difference_of_means(OverSeeds(tuple(first)), OverSeeds(tuple(second)))
    assert value == pytest.approx(np.mean(second) - np.mean(first), abs=1e-9)
    if np.ptp(first) == np.ptp(second) == 0:
        assert interval is None
        return
    if interval is None:
        assert max(np.ptp(first), np.ptp(second)) < 1e-150  # whose square is no number
        return
    assert interval[0] <= value <= interval[1]
    if min(np.std(first), np.std(second)) > 1e-3:
        expected = ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
        np.testing.assert_allclose(interval, [expected.low, expected.high], rtol=1e-6, atol=1e-9)


def test_one_seed_has_no_spread_and_no_interval() -> None:
    one, two = OverSeeds((0.1,)), OverSeeds((0.1, 0.3))
    assert one.spread is None and difference_of_means(one, two) == (pytest.approx(0.1), None)


def test_seeds_that_agree_exactly_say_nothing_of_others() -> None:
    agreed = OverSeeds((0.25, 0.25)), OverSeeds((0.75, 0.75))
    assert difference_of_means(*agreed) == (0.5, None)
