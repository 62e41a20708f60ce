"""The galaxies of largest loss, against figures reckoned one galaxy at a time, and the sheet that shows them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.evaluation import evaluate_predictions, plots, read_evaluation, write_evaluation
from tuningfork.evaluation.losses import TOP
from tuningfork.packs import open_pack
from tuningfork.plotting.style import styled
from tuningfork.report import write_report
from tuningfork.schemas import load_schema
from tuningfork.schemas.load import schema_from_dict

FIVE = load_schema("five-classes")
TREE = load_schema("gz-challenge")
COUNTS = schema_from_dict(
    {
        "name": "small-counts",
        "title": "Votes counted",
        "kind": "tree",
        "votes": "counts",
        "question": [
            {"name": "shape", "answers": [{"name": "smooth", "column": "a"}, {"name": "featured", "column": "b"}]},
            {
                "name": "bar",
                "parents": ["b"],
                "answers": [{"name": "yes", "column": "c"}, {"name": "no", "column": "d"}],
            },
        ],
    },
    "here",
)


def of_classes(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random probabilities, and labels of which every seventh is missing; the ids stand in another order there."""
    ids = [f"g{index}" for index in range(n)]
    predictions = pd.DataFrame(rng.dirichlet(np.ones(5), n), columns=FIVE.prediction_columns).assign(id_str=ids)
    labels = pd.DataFrame({"id_str": ids, "five_class": rng.choice(FIVE.class_names, n)}).astype(object)
    labels.loc[::7, "five_class"] = None
    return predictions, labels.sample(frac=1, random_state=0)


def losses(predictions, labels, schema):
    found = evaluate_predictions(predictions, labels, [schema], origin="here", n_bootstrap=2)
    return found["schemas"][schema.name].get("top_losses")


def test_the_losses_of_classes_are_those_of_scikit_learn() -> None:
    predictions, labels = of_classes(200, np.random.default_rng(1))
    truth = labels.set_index("id_str")["five_class"]
    rows = predictions.set_index("id_str")
    column = dict(zip(FIVE.class_names, FIVE.prediction_columns, strict=True))
    reference = {
        name: sklearn.metrics.log_loss([truth[name]], [row[[column[c] for c in sorted(FIVE.class_names)]]],
                                       labels=sorted(FIVE.class_names))
        for name, row in rows.iterrows()
        if truth[name] is not None
    }  # fmt: skip
    worst = sorted(reference, key=lambda name: -reference[name])[:TOP]
    found = losses(predictions, labels, FIVE)
    assert [entry["id_str"] for entry in found] == worst
    for entry in found:
        row = rows.loc[entry["id_str"]]
        assert entry["loss"] == pytest.approx(reference[entry["id_str"]])
        assert entry["true"] == truth[entry["id_str"]]
        assert column[entry["predicted"]] == row.idxmax()
        assert entry["probability"] == row.max()


def test_few_galaxies_are_all_listed_and_an_impossible_class_has_a_finite_loss() -> None:
    predictions = pd.DataFrame(np.eye(5)[[0, 1]], columns=FIVE.prediction_columns).assign(id_str=["right", "wrong"])
    labels = pd.DataFrame({"id_str": ["right", "wrong"], "five_class": [FIVE.class_names[0]] * 2})
    wrong, right = losses(predictions, labels, FIVE)
    assert (wrong["id_str"], right["id_str"], right["loss"]) == ("wrong", "right", 0)
    assert math.isfinite(wrong["loss"])
    assert wrong["loss"] > 15


def test_hard_labels_have_no_losses() -> None:
    table = pd.DataFrame({"id_str": ["a", "b"], "five_class": ["round", "spiral"]})
    assert losses(table, table, FIVE) is None


def test_the_losses_of_a_tree_are_over_what_is_known_and_name_the_worst_answer() -> None:
    labels = pd.DataFrame(
        # a, b; c, d: the second galaxy was asked nothing of bars, the third has no label at all
        [["one", 5, 15, 3, 12], ["two", 20, 0, 0, 0], ["none", np.nan, np.nan, np.nan, np.nan], ["good", 10, 10, 5, 5]],
        columns=["id_str", "a", "b", "c", "d"],
    )
    columns = list(COUNTS.prediction_columns)
    predictions = pd.DataFrame(
        [[0.35, 0.65, 0.9, 0.1], [0.6, 0.4, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.45, 0.55]], columns=columns
    ).assign(id_str=labels["id_str"])
    one, two, good = losses(predictions, labels, COUNTS)
    assert [entry["id_str"] for entry in (one, two, good)] == ["one", "two", "good"]
    assert one["loss"] == pytest.approx(math.sqrt((0.1**2 + 0.1**2 + 0.7**2 + 0.7**2) / 4))
    assert two["loss"] == pytest.approx(math.sqrt((0.4**2 + 0.4**2) / 2))
    assert (one["question"], one["answer"]) == ("bar", "yes")
    assert (one["true"], one["predicted"]) == pytest.approx((0.2, 0.9))
    assert (two["question"], two["answer"], two["true"]) == ("shape", "smooth", 1)


def test_the_losses_of_the_challenges_tree_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    columns = list(TREE.columns)
    votes = [rng.dirichlet(np.ones(part.stop - part.start), 60) for part in TREE.slices.values()]
    asked = schema_from_dict({**_as_asked(), "name": "asked"}, "here")
    labels = pd.DataFrame(np.hstack(votes), columns=columns).assign(id_str=[str(i) for i in range(60)])
    labels.loc[::3, columns[31:]] = np.nan  # question 11 is not known of every third galaxy
    noise = pd.DataFrame(rng.uniform(0, 1, (60, 37)), columns=columns).assign(id_str=labels["id_str"])
    found = losses(noise, labels, asked)
    errors = noise[columns] - labels[columns]
    reference = (errors**2).mean(axis=1).pow(0.5)  # pandas leaves NaN out
    assert [int(entry["id_str"]) for entry in found] == reference.sort_values(ascending=False).index[:TOP].tolist()
    for entry in found:
        row = errors.loc[int(entry["id_str"])]
        assert entry["loss"] == pytest.approx(reference[int(entry["id_str"])])
        rms = {q.name: (row[[a.column for a in q.answers]] ** 2).mean() for q in asked.questions}
        assert entry["question"] == pd.Series(rms).idxmax()


def _as_asked() -> dict[str, object]:
    from tuningfork.schemas.load import schema_to_dict

    return {**schema_to_dict(TREE), "relative_to": "asked"}


def test_the_sheet_shows_the_pixels_it_is_given() -> None:
    flat = [np.full((16, 16, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    grey = np.full((16, 16, 1), 128, np.uint8)
    words = ("A class of a name so long that it can't stand in one line", "taken for another", "g1")
    with styled():
        drawn = plots.contact_sheet([*flat, *flat, grey], [words] * 7, "Seven")
        drawn.canvas.draw()
        picture = np.asarray(drawn.canvas.buffer_rgba())[..., :3]
        sheet = drawn.get_window_extent()
        for text in drawn.texts:
            assert sheet.contains(*text.get_window_extent().min), text.get_text()
            assert text.get_window_extent().width < sheet.width / 4, text.get_text()
    for axes, shown in zip(drawn.axes, [*flat, *flat, grey], strict=True):
        x, y = (axes.get_window_extent().min + axes.get_window_extent().max) / 2
        np.testing.assert_array_equal(picture[len(picture) - int(y), int(x)], np.broadcast_to(shown[0, 0], 3))


def test_evaluate_draws_them_from_the_pack_and_the_report_tells_of_them(
    model: Path, pack: Path, tmp_path: Path
) -> None:
    done = CliRunner().invoke(build(), ["evaluate", str(model), str(pack), str(tmp_path / "evaluation")])
    assert done.exit_code == 0, done.output
    manifest = read_evaluation(tmp_path / "evaluation")
    held = open_pack(pack)
    for schema in ("five-classes", "gz-challenge"):
        name = f"top-losses-{schema}.png"
        assert name in manifest["plots"]
        assert name in manifest["sha256"]
        assert "largest" in manifest["captions"][name]
        entries = manifest["schemas"][schema]["top_losses"]
        assert len(entries) == TOP
        assert {entry["id_str"] for entry in entries} <= set(held.catalog["id_str"][held.rows("test")])
        with Image.open(tmp_path / "evaluation" / name) as image:
            assert image.width > 1000
            assert np.asarray(image.convert("L"))[200:].min() < 10  # galaxies on black
    page = write_report([tmp_path / "evaluation"], tmp_path / "report.html").read_text()
    first = manifest["schemas"]["five-classes"]["top_losses"][0]
    assert "Largest losses of five-classes" in page
    assert "Largest losses of gz-challenge" in page
    assert first["id_str"] in page
    assert f"{first['loss']:.3f}" in page


def test_without_pixels_there_is_no_sheet_but_the_list(tmp_path: Path) -> None:
    predictions, labels = of_classes(30, np.random.default_rng(3))
    evaluation = evaluate_predictions(predictions, labels, [FIVE], origin="here", n_bootstrap=2)
    write_evaluation(tmp_path, evaluation, predictions, labels, [FIVE])
    assert not list(tmp_path.glob("top-losses*"))
    written = json.loads((tmp_path / "evaluation.json").read_text())
    assert len(written["schemas"]["five-classes"]["top_losses"]) == TOP
