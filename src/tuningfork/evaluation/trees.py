"""The figures of a decision tree: how far predicted vote fractions are from the volunteers'."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuningfork.evaluation.bootstrap import Array, Measure, figure
from tuningfork.evaluation.calibration import vote_ece, vote_reliability
from tuningfork.evaluation.metrics import mean, rmse
from tuningfork.evaluation.volunteers import equivalent_volunteers
from tuningfork.evaluation.votes import Votes, tree_violation
from tuningfork.schemas import Question, TreeSchema

ASKED = (
    0.5  # Walmsley et al. 2022 (arXiv:2102.08414), section 4: a question counts where half the volunteers were asked
)


def tree_measures(truth: Votes, predicted: Votes, schema: TreeSchema) -> dict[str, Any]:
    """The figures of a tree, as measures.

    `rmse` is the root of the mean squared error over every label entry there is; with the challenge's 37 columns it is
    the challenge's own figure. `rmse_complete` takes only galaxies with every column. The baselines predict each
    column's mean over these same labels. In a question, `rmse_where_asked` and `accuracy` (the predicted most likely
    answer is one no other got more votes than) are of the fractions among those asked, on galaxies where at least half
    of all volunteers were. `volunteers` is how many of them are worth the model (`equivalent_volunteers`).
    """
    errors = predicted.fractions - truth.fractions
    known = np.asarray(np.isfinite(errors))
    deviations = truth.fractions - _column_means(truth.fractions)
    complete = np.asarray(known.all(axis=1))
    return {
        "kind": "tree",
        "figures": {
            "rmse": _rmse(errors),
            "rmse_complete": _rmse(np.where(complete[:, None], errors, np.nan)),
            "baseline_rmse": _rmse(deviations),
            "baseline_rmse_complete": _rmse(np.where(complete[:, None], deviations, np.nan)),
            "tree_violation": figure(tree_violation(predicted.fractions, schema), len(errors)),
        },
        "questions": {
            question.name: _question(question, truth, predicted, schema, deviations) for question in schema.questions
        },
        "columns": {column: {"rmse": _rmse(errors[:, [i]])} for i, column in enumerate(schema.prediction_columns)},
    }


def relevant(truth: Votes, schema: TreeSchema, question: Question) -> NDArray[np.bool_]:
    """(N,) bool: the question has an answer and at least half of all volunteers were asked it."""
    index = schema.questions.index(question)
    answered = np.isfinite(truth.conditional[:, schema.slices[question.name]]).all(axis=1)
    return answered & (truth.reach[:, index] >= ASKED)


def _question(
    question: Question, truth: Votes, predicted: Votes, schema: TreeSchema, deviations: Array
) -> dict[str, Any]:
    answers = schema.slices[question.name]
    observed, given = truth.conditional[:, answers], predicted.conditional[:, answers]
    counts = relevant(truth, schema, question)
    index = schema.questions.index(question)
    reliability = vote_reliability(given, observed, truth.asked[:, index])
    return {
        "rmse": _rmse(predicted.fractions[:, answers] - truth.fractions[:, answers]),
        "baseline_rmse": _rmse(deviations[:, answers]),
        "rmse_where_asked": _rmse(np.where(counts[:, None], given - observed, np.nan)),
        "accuracy": _accuracy(given, observed, counts),
        "ece": Measure(lambda weights: vote_ece(reliability, weights), reliability[0].n),
        **_volunteers(predicted.fractions[:, answers], truth.fractions[:, answers], truth.asked[:, index], schema),
        "reliability": {
            answer.name: {
                "predicted": [float(value) for value in curve.curve(np.ones((1, len(observed))))[0][0]],
                "observed": Measure(lambda weights, curve=curve: curve.curve(weights)[1], curve.galaxies()),  # type: ignore[misc]
            }
            for answer, curve in zip(question.answers, [each.drawn for each in reliability], strict=True)
            if curve.n
        },
    }


def _volunteers(given: Array, observed: Array, asked: Array, schema: TreeSchema) -> dict[str, Measure]:
    """The equivalent number of volunteers, where it is known how many voted."""
    if schema.votes == "counts":
        return {"volunteers": equivalent_volunteers(given, observed, asked)}
    if not schema.volunteers:
        return {}
    votes = np.full(len(asked), schema.volunteers) if schema.of_everyone else asked * schema.volunteers
    return {"volunteers": equivalent_volunteers(given, observed, votes)}


def _rmse(errors: Array) -> Measure:
    return Measure(lambda weights: rmse(errors, weights), int(np.isfinite(errors).any(axis=1).sum()))


def _accuracy(given: Array, observed: Array, counts: NDArray[np.bool_]) -> Measure:
    chosen = np.nan_to_num(given, nan=-1.0).argmax(axis=1)
    won = observed[np.arange(len(chosen)), chosen] == observed.max(axis=1)
    right = np.where(counts, won, np.nan)
    return Measure(lambda weights: mean(right, weights), int(counts.sum()))


def _column_means(values: Array) -> Array:
    """The mean of each column over its non-missing entries, NaN for an empty column: (A,)."""
    return np.array([mean(column, np.ones((1, len(column))))[0] for column in values.T])
