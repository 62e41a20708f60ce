"""Figures against independent references, intervals, and the whole way from two tables to an evaluation folder."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics as sk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import OutputError, PredictionsError, SchemaError, TuningforkError
from tuningfork.evaluation import (
    bootstrap,
    calibration,
    evaluate_file,
    evaluate_predictions,
    figures_text,
    main_figures,
    metrics,
    read_evaluation,
    write,
    write_evaluation,
)
from tuningfork.evaluation.bootstrap import Measure, estimate, resamples
from tuningfork.evaluation.calibration import Reliability
from tuningfork.evaluation.votes import label_votes, tree_violation, votes_of
from tuningfork.schemas import load_schema
from tuningfork.schemas.load import schema_from_dict, schema_to_dict

DATA = Path(__file__).parents[2] / "shared" / "data"
TREE = load_schema("gz-challenge")
FIVE = load_schema("five-classes")
EFIGI = load_schema("efigi")
COUNTS = schema_from_dict(
    {
        "name": "small-counts",
        "title": "Votes counted",
        "kind": "tree",
        "votes": "counts",
        "question": [
            {
                "name": "smooth-or-featured",
                "answers": [{"name": "smooth", "column": "a"}, {"name": "featured", "column": "b"}],
            },
            {
                "name": "bar",
                "parents": ["b"],
                "answers": [{"name": "yes", "column": "c"}, {"name": "no", "column": "d"}],
            },
        ],
    },
    "here",
)
ASKED = schema_from_dict({**schema_to_dict(COUNTS), "name": "small-asked", "votes": "fractions"}, "here")

floats = st.floats(-50, 50, allow_nan=False, width=32)
fractions = st.floats(0, 1, width=32)


@st.composite
def weighted(draw, elements, columns=2):
    """Values (N, columns) and whole-number weights (1, N) of which at least one is positive."""
    n = draw(st.integers(2, 25))
    values = draw(hnp.arrays(np.float64, (n, columns), elements=elements))
    weights = draw(hnp.arrays(np.int64, (1, n), elements=st.integers(0, 3)))
    assume(weights.sum() > 1)
    return values, weights.astype(np.float64)


@st.composite
def classified(draw):
    """Class indices (truth, predicted), weights, the number of classes."""
    n, classes = draw(st.integers(1, 30)), draw(st.integers(2, 5))
    indices = hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1))
    weights = draw(hnp.arrays(np.int64, (1, n), elements=st.integers(0, 3)))
    assume(weights.sum() > 0)
    return draw(indices), draw(indices), weights.astype(np.float64), classes


def repeated(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.repeat(values, weights[0].astype(int), axis=0)


def vote_tables(n: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and predictions of the challenge's tree, both obeying it."""
    rng = np.random.default_rng(seed)
    tables = []
    for _ in range(2):
        values = np.zeros((n, len(TREE.columns)))
        for question in TREE.walk:
            part = rng.dirichlet(np.ones(len(question.answers)) * 0.6, size=n)
            parents = list(TREE.parent_positions(question))
            asked = values[:, parents].sum(axis=1, keepdims=True) if parents else 1.0
            values[:, TREE.slices[question.name]] = part * asked
        tables.append(pd.DataFrame(values, columns=list(TREE.columns)).assign(id_str=[f"g{i}" for i in range(n)]))
    return tables[0], tables[1]


def class_tables(n: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(5, size=n)
    logits = rng.normal(size=(n, 5))
    logits[np.arange(n), truth] += 1.5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = [f"g{i}" for i in range(n)]
    labels = pd.DataFrame({"id_str": ids, "five_class": [FIVE.classes[i].label for i in truth]})
    predictions = pd.DataFrame(probabilities.astype(np.float32), columns=list(FIVE.prediction_columns)).assign(
        id_str=ids
    )
    return labels, predictions


# Metrics against scikit-learn and SciPy, weights against repeated rows


@given(weighted(floats))
def test_errors_agree_with_scikit_learn(case):
    values, weights = case
    truth, predicted = repeated(values, weights).T
    errors = values[:, 1] - values[:, 0]
    assert metrics.rmse(errors, weights)[0] == pytest.approx(sk.root_mean_squared_error(truth, predicted), abs=1e-9)
    assert metrics.mean(np.abs(errors), weights)[0] == pytest.approx(sk.mean_absolute_error(truth, predicted), abs=1e-9)
    expected = sk.median_absolute_error(truth, predicted)
    assert metrics.median(np.abs(errors), weights)[0] == pytest.approx(expected, abs=1e-12)


def test_the_median_of_one_is_that_and_of_none_is_unknown() -> None:
    found = metrics.median(np.array([3.0, 5.0]), np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert found[0] == 3.0 and np.isnan(found[1])


@given(weighted(st.integers(-6, 6).map(float)))
def test_correlations_agree_with_scipy_ties_included(case):
    values, weights = case
    x, y = repeated(values, weights).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(metrics.pearson(*values.T, weights)[0])
        assert math.isnan(metrics.spearman(*values.T, weights)[0])
        return
    assert metrics.pearson(*values.T, weights)[0] == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-9)
    assert metrics.spearman(*values.T, weights)[0] == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-9)


@given(classified())
def test_class_figures_agree_with_scikit_learn(case):
    truth, predicted, weights, classes = case
    matrix = metrics.confusion(truth, predicted, classes, weights)
    t, p = repeated(truth, weights), repeated(predicted, weights)
    labels = list(range(classes))
    np.testing.assert_array_equal(matrix[0], sk.confusion_matrix(t, p, labels=labels))
    assert metrics.accuracy(matrix)[0] == pytest.approx(sk.accuracy_score(t, p))
    precision, recall, f1, _ = sk.precision_recall_fscore_support(t, p, labels=labels, zero_division=np.nan)
    np.testing.assert_allclose(metrics.precision(matrix)[0], precision)
    np.testing.assert_allclose(metrics.recall(matrix)[0], recall)
    np.testing.assert_allclose(metrics.f1(matrix)[0], f1)
    assert metrics.balanced_accuracy(matrix)[0] == pytest.approx(np.nanmean(recall))


def test_probability_figures_agree_with_scikit_learn():
    labels, predictions = class_tables(200)
    probabilities = predictions[list(FIVE.prediction_columns)].to_numpy(np.float64, copy=True)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = np.array([[c.label for c in FIVE.classes].index(name) for name in labels["five_class"]])
    assert metrics.log_loss(truth, probabilities).mean() == pytest.approx(sk.log_loss(truth, probabilities))
    one_hot = np.eye(5)[truth]
    expected = sum(sk.brier_score_loss(one_hot[:, c], probabilities[:, c]) for c in range(5))
    assert metrics.brier(truth, probabilities).mean() == pytest.approx(expected)


def test_missing_entries_enter_nothing():
    errors = np.array([[3.0, np.nan], [np.nan, np.nan], [4.0, 0.0]])
    assert metrics.rmse(errors, np.ones((1, 3)))[0] == pytest.approx(math.sqrt(25 / 3))
    assert math.isnan(metrics.rmse(errors[[1]], np.ones((1, 1)))[0])


# Calibration


def slow_ece(predicted, observed, volume, n_bins):
    """Straight from the definition, galaxy by galaxy."""
    counted = [(p, o, v) for p, o, v in zip(predicted, observed, volume, strict=True) if v > 0]
    total, before, place = sum(v for *_, v in counted), 0.0, {}
    for value in sorted({p for p, *_ in counted}):
        here = sum(v for p, _, v in counted if p == value)
        place[value] = min(int((before + here / 2) / total * n_bins), n_bins - 1)
        before += here
    bins: dict[int, list[tuple[float, float, float]]] = {}
    for p, o, v in counted:
        bins.setdefault(place[p], []).append((p, o, v))
    gaps = (abs(sum(v * p for p, _, v in members) - sum(v * o for _, o, v in members)) for members in bins.values())
    return sum(gaps) / total


@given(
    hnp.arrays(np.float64, (30, 2), elements=fractions),
    hnp.arrays(np.float64, 30, elements=st.integers(0, 40).map(float)),
)
def test_calibration_error_follows_its_definition(values, volume):
    assume((volume > 0).any())
    reliability = Reliability(values[:, 0], values[:, 1], volume, n_bins=4)
    expected = slow_ece(values[:, 0], values[:, 1], volume, 4)
    assert reliability.ece(np.ones((1, 30)))[0] == pytest.approx(expected, abs=1e-9)


@given(hnp.arrays(np.float64, 60, elements=fractions, unique=True))
def test_bins_hold_equal_numbers_and_are_ordered(predicted):
    bins = Reliability(predicted, predicted, np.ones(60)).bins()
    assert np.bincount(bins).tolist() == [6] * 10
    assert (np.diff(bins[np.argsort(predicted)]) >= 0).all()


@given(hnp.arrays(np.float64, (20, 3), elements=st.floats(0.01, 1)))
def test_perfect_votes_are_perfectly_calibrated(values):
    fractions = values / values.sum(axis=1, keepdims=True)
    answers = calibration.vote_reliability(fractions, fractions, values[:, 0])
    assert calibration.vote_ece(answers, np.ones((1, 20)))[0] == pytest.approx(0, abs=1e-12)


def test_overconfidence_is_measured():
    n = 1000
    right = np.arange(n) % 10 < 7  # says 0.9, is right 0.7 of the time
    reliability = calibration.top_label(np.where(right, 0, 1), np.tile([0.9, 0.1], (n, 1)))
    assert reliability.ece(np.ones((1, n)))[0] == pytest.approx(0.2)
    predicted, observed = reliability.curve(np.ones((1, n)))
    assert (predicted[0, 0], observed[0, 0], reliability.galaxies().tolist()) == (pytest.approx(0.9), 0.7, [n])


def test_galaxies_nobody_was_asked_about_do_not_count():
    observed = np.array([[0.5, 0.5], [np.nan, np.nan], [0.2, 0.8]])
    answers = calibration.vote_reliability(np.full((3, 2), 0.5), observed, np.array([1.0, 0.0, 0.0]))
    assert answers[0].n == 1
    assert calibration.vote_ece(answers, np.ones((1, 3)))[0] == 0


# Intervals


def test_resamples_draw_n_galaxies_with_replacement():
    drawn = np.concatenate(list(resamples(50, 400, seed=3)))
    assert drawn.shape == (400, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=0.3)
    assert drawn.max() > 2


def test_blocks_do_not_change_the_resamples(monkeypatch):
    whole = np.concatenate(list(resamples(40, 30, seed=1)))
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 8 * 40 * 7)
    blocks = list(resamples(40, 30, seed=1))
    assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(5).normal(size=400)
    measure = Measure(lambda weights: metrics.mean(values, weights), 400)
    found = estimate({"a": {"b": measure}, "c": "kept"}, 400, 2000, seed=0)
    low, high = found["a"]["b"]["interval"]
    half = 1.96 * values.std() / math.sqrt(400)
    assert found["c"] == "kept"
    assert (low, high) == (
        pytest.approx(values.mean() - half, abs=0.012),
        pytest.approx(values.mean() + half, abs=0.012),
    )


def test_the_interval_agrees_with_scipy():
    values = np.random.default_rng(6).exponential(size=150)
    measure = Measure(lambda weights: np.sqrt(metrics.mean(values**2, weights)), 150)
    low, high = estimate({"rmse": measure}, 150, 4000, seed=0)["rmse"]["interval"]
    theirs = scipy.stats.bootstrap(
        (values,), lambda x, axis: np.sqrt((x**2).mean(axis=axis)), n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    assert (low, high) == (pytest.approx(theirs.low, abs=0.02), pytest.approx(theirs.high, abs=0.02))


def test_what_is_undefined_is_null_not_nan():
    nothing = Measure(lambda weights: np.full(len(weights), np.nan), 0)
    partly = Measure(lambda weights: np.stack([weights[:, 0], weights[:, 0] * np.nan], axis=1), np.array([1, 0]))
    found = estimate({"nothing": nothing, "partly": partly}, 5, 20, seed=0)
    assert found["nothing"] == {"value": None, "n": 0, "interval": None}
    assert found["partly"]["value"] == [1.0, None]
    assert found["partly"]["interval"][1] is None
    json.dumps(found, allow_nan=False)


# Trees


def test_the_challenge_figure_is_the_plain_rmse():
    labels, predictions = vote_tables(60)
    expected = math.sqrt(((predictions[list(TREE.columns)] - labels[list(TREE.columns)]) ** 2).to_numpy().mean())
    shuffled = predictions.sample(frac=1, random_state=1)
    result = evaluate_predictions(shuffled, labels, [TREE], origin="here", n_bootstrap=50)["schemas"]["gz-challenge"]
    rmse = result["figures"]["rmse"]
    assert rmse["value"] == pytest.approx(expected)
    assert rmse["interval"][0] < expected < rmse["interval"][1]
    assert rmse == result["figures"]["rmse_complete"]
    baseline = math.sqrt(labels[list(TREE.columns)].var(ddof=0).mean())
    assert result["figures"]["baseline_rmse"]["value"] == pytest.approx(baseline)
    assert result["figures"]["tree_violation"]["value"] == pytest.approx(0, abs=1e-12)
    per_question = [(result["questions"][q.name]["rmse"]["value"], len(q.answers)) for q in TREE.questions]
    assert math.sqrt(sum(value**2 * k for value, k in per_question) / 37) == pytest.approx(expected)
    assert len(result["columns"]) == 37


def test_missing_questions_are_masked_and_complete_galaxies_counted_apart():
    labels, predictions = vote_tables(40)
    bar = list(TREE.columns[TREE.slices["bar"]])
    labels.loc[:9, bar] = np.nan
    figures = evaluate_predictions(predictions, labels, [TREE], origin="here", n_bootstrap=20)["schemas"][
        "gz-challenge"
    ]
    errors = (predictions[list(TREE.columns)] - labels[list(TREE.columns)]).to_numpy()
    assert figures["figures"]["rmse"]["value"] == pytest.approx(math.sqrt(np.nanmean(errors**2)))
    assert figures["figures"]["rmse_complete"]["value"] == pytest.approx(math.sqrt((errors[10:] ** 2).mean()))
    assert (figures["figures"]["rmse"]["n"], figures["figures"]["rmse_complete"]["n"]) == (40, 30)
    assert (figures["questions"]["bar"]["rmse"]["n"], figures["columns"]["bar_yes"]["rmse"]["n"]) == (30, 30)


def test_accuracy_counts_only_galaxies_half_of_the_volunteers_were_asked_about():
    labels, predictions = vote_tables(200)
    found = evaluate_predictions(predictions, labels, [TREE], origin="here", n_bootstrap=20)["schemas"]["gz-challenge"]
    truth, given = labels[["Class3.1", "Class3.2"]].to_numpy(), predictions[["Class3.1", "Class3.2"]].to_numpy()
    asked = truth.sum(axis=1) >= 0.5
    expected = (truth.argmax(axis=1) == given.argmax(axis=1))[asked].mean()
    assert found["questions"]["bar"]["accuracy"]["value"] == pytest.approx(expected)
    assert found["questions"]["bar"]["accuracy"]["n"] == asked.sum()
    conditional = truth / truth.sum(axis=1, keepdims=True) - given / given.sum(axis=1, keepdims=True)
    expected = math.sqrt((conditional[asked] ** 2).mean())
    assert found["questions"]["bar"]["rmse_where_asked"]["value"] == pytest.approx(expected)


@given(hnp.arrays(np.int64, (12, 4), elements=st.integers(0, 40)))
def test_vote_counts_become_fractions_of_those_asked(counts):
    votes = label_votes(pd.DataFrame(counts, columns=["a", "b", "c", "d"]), COUNTS)
    for row, (a, b, c, d) in enumerate(counts):
        if a + b:
            assert votes.fractions[row, 1] == pytest.approx(b / (a + b))
            assert votes.reach[row].tolist() == pytest.approx([1, min((c + d) / (a + b), 1)])
        assert np.isnan(votes.fractions[row, 2:]).all() == (c + d == 0)
        assert votes.asked[row].tolist() == [a + b, c + d]


def test_questions_without_votes_are_masked():
    labels = pd.DataFrame({"id_str": ["1", "2"], "a": [4, 0], "b": [0, 10], "c": [0, 5], "d": [0, 5]})
    given = pd.DataFrame({"GalaxyID": [1, 2], "a_fraction": [1.0, 0.1], "b_fraction": [0.0, 0.9]})
    given = given.assign(c_fraction=0.5, d_fraction=0.5)
    schema = schema_from_dict({**schema_to_dict(COUNTS), "id_column": "GalaxyID"}, "here")
    found = evaluate_predictions(given, labels, [schema], origin="here", n_bootstrap=10)["schemas"]["small-counts"]
    third = schema.prediction_columns[2]
    assert found["figures"]["rmse"]["value"] == pytest.approx(math.sqrt(0.02 / 6))
    assert (found["columns"][third]["rmse"]["value"], found["columns"][third]["rmse"]["n"]) == (0, 1)


@given(hnp.arrays(np.float64, (9, 2), elements=fractions))
def test_reach_multiplies_down_the_tree(values):
    table = np.column_stack([values[:, 0], 1 - values[:, 0], values[:, 1], 1 - values[:, 1]])
    votes = votes_of(table, ASKED)
    np.testing.assert_allclose(votes.reach[:, 1], 1 - values[:, 0])
    assert tree_violation(table, ASKED) == pytest.approx(0, abs=1e-7)
    assert tree_violation(table + np.array([0, 0.25, 0, 0]), ASKED) == pytest.approx(0.25, abs=1e-6)


def test_reach_of_everyone_agrees_with_the_same_votes_among_those_asked():
    labels, _ = vote_tables(30)
    of_everyone = label_votes(labels, TREE)
    asked = schema_from_dict({**schema_to_dict(TREE), "relative_to": "asked"}, "here")
    again = votes_of(of_everyone.conditional, asked)
    np.testing.assert_allclose(again.reach, of_everyone.reach, atol=1e-9)


# Classes and quantities


def test_classes_by_hand():
    labels, predictions = class_tables(300)
    found = evaluate_predictions(predictions, labels, [FIVE], origin="here", n_bootstrap=60)["schemas"]["five-classes"]
    truth = [[c.label for c in FIVE.classes].index(name) for name in labels["five_class"]]
    chosen = predictions[list(FIVE.prediction_columns)].to_numpy().argmax(axis=1)
    assert found["figures"]["accuracy"]["value"] == pytest.approx(sk.accuracy_score(truth, chosen))
    assert found["figures"]["balanced_accuracy"]["value"] == pytest.approx(sk.balanced_accuracy_score(truth, chosen))
    report = sk.classification_report(truth, chosen, target_names=FIVE.class_names, output_dict=True)
    for name in FIVE.class_names:
        assert found["classes"][name]["f1"]["value"] == pytest.approx(report[name]["f1-score"])
        assert found["classes"][name]["support"] == report[name]["support"] == found["classes"][name]["recall"]["n"]
        low, high = found["classes"][name]["recall"]["interval"]
        assert low < found["classes"][name]["recall"]["value"] < high
    worst = found["most_confused"][0]
    matrix = sk.confusion_matrix(truth, chosen)
    np.fill_diagonal(matrix, 0)
    assert worst["count"] == matrix.max()
    assert sum(found["reliability"]["observed"]["n"]) == 300


def test_hard_labels_are_evaluated_without_calibration():
    labels, predictions = class_tables(50)
    names = np.array(FIVE.class_names)[predictions[list(FIVE.prediction_columns)].to_numpy().argmax(axis=1)]
    hard = pd.DataFrame({"id_str": predictions["id_str"], "five_class": names})
    found = evaluate_predictions(hard, labels, [FIVE], origin="here", n_bootstrap=20)["schemas"]["five-classes"]
    soft = evaluate_predictions(predictions, labels, [FIVE], origin="here", n_bootstrap=20)["schemas"]["five-classes"]
    assert set(found["figures"]) == {"accuracy", "balanced_accuracy"}
    assert found["figures"]["accuracy"] == soft["figures"]["accuracy"]
    assert "reliability" not in found


def test_a_class_that_never_occurs_is_null():
    labels, predictions = class_tables(60)
    kept = labels["five_class"] != "spiral"
    found = evaluate_predictions(predictions, labels[kept], [FIVE], origin="here", n_bootstrap=20)
    assert found["schemas"]["five-classes"]["classes"]["spiral"]["recall"] == {"value": None, "n": 0, "interval": None}


def test_quantities_by_hand_with_missing_values_and_limits():
    rng = np.random.default_rng(2)
    labels = pd.DataFrame({q.column: rng.choice([0.0, 0.25, 0.5], 80) for q in EFIGI.quantities})
    predictions = labels + rng.normal(0, 0.1, labels.shape)
    bar = next(q for q in EFIGI.quantities if q.column == "Bar_Length")
    labels[bar.lower_column] = (labels[bar.column] - 0.1).clip(lower=0)
    labels[bar.upper_column] = labels[bar.column] + 0.1
    labels.loc[:19, bar.column] = bar.missing
    labels.loc[20:24, bar.column] = np.nan
    ids = [f"PGC{i}" for i in range(80)]
    found = evaluate_predictions(
        predictions.assign(id_str=ids), labels.assign(id_str=ids), [EFIGI], origin="here", n_bootstrap=40
    )["schemas"]["efigi"]["quantities"]["Bar_Length"]
    truth, given = labels[bar.column].to_numpy()[25:], predictions[bar.column].to_numpy()[25:]
    within = (given >= np.maximum(truth - 0.1, 0)) & (given <= truth + 0.1)
    assert 0.2 < within.mean() < 0.9
    assert found["mae"]["value"] == pytest.approx(np.abs(truth - given).mean())
    assert found["bias"]["value"] == pytest.approx((given - truth).mean())
    assert found["median_absolute_error"]["value"] == pytest.approx(np.median(np.abs(truth - given)))
    assert found["spearman"]["value"] == pytest.approx(scipy.stats.spearmanr(truth, given).statistic)
    assert found["within_limits"]["value"] == pytest.approx(within.mean())
    assert {figure["n"] for figure in found.values()} == {55}


# Joining


def test_who_did_not_join_is_counted_and_errors_are_left_out():
    labels, predictions = class_tables(30)
    predictions["error"] = None
    columns = list(FIVE.prediction_columns)
    predictions.loc[:4, "error"] = "truncated"
    predictions.loc[:4, columns] = np.nan
    labels.loc[5:7, "five_class"] = None
    found = evaluate_predictions(predictions.iloc[:25], labels, [FIVE], origin="here", n_bootstrap=5)
    assert found["n"] == {
        "predictions": 25,
        "labels": 27,
        "evaluated": 17,
        "errors": 5,
        "only_in_predictions": 3,
        "only_in_labels": 5,
    }


def _set(column, row, value):
    def change(table):
        table.loc[row, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("id_str", 3, "g2"), "id g2 stands twice"),
        (_set("id_str", 3, None), "row 3 has no id_str"),
        (_set("five_class_round", 4, np.nan), "galaxy g4: a prediction of schema 'five-classes' is NaN"),
        (_set("five_class_round", 5, 1.5), "galaxy g5: a prediction of schema 'five-classes' is outside 0 to 1"),
        (_set("five_class_round", 6, 0.9), "galaxy g6: the probabilities of schema 'five-classes' don't sum to 1"),
        (lambda table: table.pop("five_class_spiral"), "no column 'five_class_spiral'"),
        (lambda table: table.pop("id_str"), "no id column"),
        (
            lambda table: table.__setitem__("id_str", "x" + table["id_str"]),
            r"\(xg0, xg1, xg2, ...\) is among the labels",
        ),
        (lambda table: table.__setitem__("error", "unreadable"), "every galaxy with a label has an error"),
        (lambda table: table.__setitem__("five_class_round", "much"), "'five_class_round' is not numeric"),
    ],
)
def test_predictions_that_cannot_be_right_are_refused_by_name(change, message):
    labels, predictions = class_tables(12)
    predictions[list(FIVE.prediction_columns)] = (
        predictions[list(FIVE.prediction_columns)].astype(float).to_numpy() * 0 + 0.2
    )
    change(predictions)
    with pytest.raises(PredictionsError, match=message):
        evaluate_predictions(predictions, labels, [FIVE], origin="preds.csv")


def test_labels_that_do_not_obey_the_tree_are_refused():
    labels, predictions = vote_tables(5)
    labels.loc[2, "Class1.1"] = 0.9
    labels.loc[2, "Class1.2"] = 0.9
    with pytest.raises(SchemaError, match="galaxy g2"):
        evaluate_predictions(predictions, labels, [TREE], origin="here")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_rows_changes_nothing(seed):
    labels, predictions = class_tables(25)
    mixed = labels.sample(frac=1, random_state=seed)
    results = [
        evaluate_predictions(predictions, table, [FIVE], origin="here", n_bootstrap=8) for table in (labels, mixed)
    ]
    assert results[0] == results[1]


# Folders and the command


def test_the_folder_holds_plots_rows_and_the_manifest(tmp_path):
    votes, given_votes = vote_tables(60)
    classes, given_classes = class_tables(60)
    labels = votes.merge(classes, on="id_str")
    predictions = given_votes.merge(given_classes, on="id_str")
    evaluation = evaluate_predictions(
        predictions, labels, [TREE, FIVE], origin="here", n_bootstrap=30, inputs={"split": "test"}
    )
    out = write_evaluation(tmp_path / "out", evaluation, predictions, labels, [TREE, FIVE])
    manifest = read_evaluation(out)
    assert manifest["schemas"] == json.loads(json.dumps(evaluation["schemas"]))
    assert manifest["inputs"] == {"split": "test"}
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [*manifest["plots"], "evaluation.json", "predictions.parquet"]
    )
    assert set(manifest["sha256"]) == {*manifest["plots"], "predictions.parquet"} and len(manifest["plots"]) == 5
    for name in manifest["plots"]:
        with Image.open(out / name) as image:
            assert min(image.size) > 400
            assert np.asarray(image.convert("L")).std() > 5  # something is drawn
    assert len(pd.read_parquet(out / "predictions.parquet")) == 60
    assert len(figures_text(manifest).splitlines()) == len(main_figures(manifest)) + 1


def test_another_evaluation_is_replaced_only_when_asked(tmp_path):
    """The same is left as it is, and told before any work where the inputs can be told before."""
    labels, predictions = class_tables(40)
    for name, table in (("labels", labels), ("predictions", predictions), ("others", predictions[:30])):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    arguments = ["evaluate", tmp_path / "predictions.csv", tmp_path / "labels.csv", tmp_path / "out"]
    arguments = [*map(str, arguments), "--schema", "five-classes"]

    def run(*more):
        return CliRunner().invoke(build(), [*arguments, *more])

    assert run().exit_code == 0
    made = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").iterdir()}
    again = run()
    assert again.exit_code == 0 and "accuracy" in again.output
    arguments[1] = str(tmp_path / "others.csv")
    with pytest.raises(OutputError, match=r"evaluation\.json exists, and is of something else.*--overwrite"):
        raise run().exception
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "out").iterdir()} == made
    assert run("--overwrite").exit_code == 0
    assert read_evaluation(tmp_path / "out")["n"]["predictions"] == 30
    (tmp_path / "out" / "predictions.parquet").write_bytes(b"altered")
    with pytest.raises(OutputError, match="is of something else"):
        raise run().exception


def test_an_evaluation_of_tables_in_memory_is_known_by_what_they_hold(tmp_path):
    labels, predictions = class_tables(40)
    for table, message in ((predictions, None), (predictions, None), (predictions[:30], "is of something else")):
        evaluation = evaluate_predictions(table, labels, [FIVE], origin="here", n_bootstrap=5)
        with pytest.raises(OutputError, match=message) if message else nullcontext():
            write_evaluation(tmp_path / "out", evaluation, table, labels, [FIVE])


def test_a_failed_write_leaves_what_there_was(tmp_path, monkeypatch):
    labels, predictions = class_tables(40)
    evaluation = evaluate_predictions(predictions, labels, [FIVE], origin="here", n_bootstrap=5)
    out = write_evaluation(tmp_path / "out", evaluation, predictions, labels, [FIVE])
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full_disk(*_):
        raise OutputError("no space left")

    monkeypatch.setattr(write, "save", full_disk)
    for place in (out, tmp_path / "new"):
        with pytest.raises(OutputError):
            write_evaluation(place, evaluation, predictions, labels, [FIVE], overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    with pytest.raises(PredictionsError):
        read_evaluation(tmp_path / "new")


def test_quantities_are_drawn(tmp_path):
    rng = np.random.default_rng(0)
    labels = pd.DataFrame({q.column: rng.uniform(0, 1, 60) for q in EFIGI.quantities}).assign(
        id_str=list(map(str, range(60)))
    )
    evaluation = evaluate_predictions(labels, labels, [EFIGI], origin="here", n_bootstrap=5)
    assert (
        write_evaluation(tmp_path, evaluation, labels, labels, [EFIGI]) / "efigi-scatter.png"
    ).stat().st_size > 10_000
    assert evaluation["schemas"]["efigi"]["quantities"]["T"]["pearson"]["value"] == pytest.approx(1)


def test_the_command_evaluates_a_submission_of_any_program(tmp_path):
    labels, predictions = vote_tables(30)
    ids = range(100_000, 100_030)
    submission = predictions.assign(GalaxyID=list(ids)).drop(columns="id_str")
    submission.to_csv(tmp_path / "submission.csv", index=False)
    splits = ["test"] * 20 + ["train"] * 10
    labels.assign(id_str=list(map(str, ids)), split=splits).to_parquet(tmp_path / "labels.parquet")
    arguments = ["evaluate", str(tmp_path / "submission.csv"), str(tmp_path / "labels.parquet"), str(tmp_path / "out")]
    done = CliRunner().invoke(build(), [*arguments, "--schema", "gz-challenge", "--seed", "7"])
    assert done.exit_code == 0, done.output
    assert "RMSE" in done.output and str(tmp_path / "out" / "evaluation.json") in done.output
    manifest = read_evaluation(tmp_path / "out")
    assert manifest["n"]["evaluated"] == 20 and manifest["seed"] == 7 and manifest["inputs"]["split"] == "test"


def test_a_pack_knows_its_own_schemas(tmp_path):
    labels, predictions = class_tables(20)
    pack = tmp_path / "pack"
    pack.mkdir()
    labels.assign(split="test").to_parquet(pack / "catalog.parquet")
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    with pytest.raises(PredictionsError, match=r"no pack\.json"):
        evaluate_file(tmp_path / "predictions.csv", pack, tmp_path / "out")
    schemas = [schema_to_dict(schema) for schema in (TREE, FIVE)]
    (pack / "pack.json").write_text(json.dumps({"format": "tuningfork-pack", "schemas": schemas}))
    out = evaluate_file(tmp_path / "predictions.csv", pack, tmp_path / "out", n_bootstrap=10)
    assert list(read_evaluation(out)["schemas"]) == ["five-classes"]
    with pytest.raises(PredictionsError, match="'val' split; it has: test"):
        evaluate_file(tmp_path / "predictions.csv", pack, tmp_path / "out2", split="val")
    assert not (tmp_path / "out2").exists()


def test_a_catalog_needs_its_schema_named(tmp_path):
    labels, predictions = class_tables(20)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    with pytest.raises(TuningforkError, match="--schema"):
        evaluate_file(tmp_path / "predictions.csv", tmp_path / "labels.csv", tmp_path / "out")


@pytest.mark.skipif(not DATA.exists(), reason="the shared galaxies are not here")
def test_predicting_the_mean_of_real_galaxies_scores_as_the_data_says():
    table = pd.read_parquet(
        DATA / "galaxy-zoo-challenge" / "test-00000-of-00001.parquet", columns=["id_str", "block", *TREE.columns]
    )
    table = table[(table["block"] == "complete_high") & table["Class11.6"].notna()].reset_index(drop=True)
    predictions = table.copy()
    predictions[list(TREE.columns)] = table[list(TREE.columns)].mean().to_numpy()
    found = evaluate_predictions(predictions, table, [TREE], origin="the mean", n_bootstrap=20)["schemas"][
        "gz-challenge"
    ]
    assert found["figures"]["rmse"]["n"] == 789
    assert found["figures"]["rmse"]["value"] == pytest.approx(0.166, abs=0.003)
    assert found["figures"]["rmse"]["interval"] == pytest.approx(found["figures"]["baseline_rmse"]["interval"])
