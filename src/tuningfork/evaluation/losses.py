"""The galaxies that a model is most wrong about, the worst first: mislabelled, odd, or the model's own faults.

Looking at them is how fastai's lessons clean a data set ("top losses"; Howard & Gugger 2020, *Deep Learning for Coders
with fastai and PyTorch*, chapter 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuningfork.evaluation import metrics
from tuningfork.evaluation.bootstrap import Array
from tuningfork.evaluation.metrics import Indices
from tuningfork.evaluation.votes import Votes
from tuningfork.schemas import ClassSchema, TreeSchema

TOP = 16


def class_losses(
    ids: pd.Series, truth: Indices, named: Indices, probabilities: Array, schema: ClassSchema
) -> list[dict[str, Any]]:
    """The galaxies of largest loss, minus the natural log of the true class's probability.

    Parameters
    ----------
    ids, truth, named, probabilities
        Of N galaxies: the id, the true class's index (-1: no label), that of the class it is called, the probability of
        each class (N, C).

    Returns
    -------
    list
        Each ``{"id_str", "true", "predicted", "probability", "loss"}``: class names, and the probability that was given
        to the predicted one.
    """
    losses = np.full(len(truth), np.nan)
    losses[truth >= 0] = metrics.log_loss(truth[truth >= 0], probabilities[truth >= 0])
    return [
        {
            "id_str": str(ids.iloc[row]),
            "true": schema.class_names[truth[row]],
            "predicted": schema.class_names[named[row]],
            "probability": float(probabilities[row, named[row]]),
            "loss": float(losses[row]),
        }
        for row in _worst(losses)
    ]


def tree_losses(ids: pd.Series, truth: Votes, predicted: Votes, schema: TreeSchema) -> list[dict[str, Any]]:
    """The galaxies of largest loss, the root mean square error of the fractions that are known.

    Returns
    -------
    list
        Each ``{"id_str", "question", "answer", "true", "predicted", "loss"}``: the question whose own root mean square
        is largest, in it the answer whose fraction is most wrong, and that answer's fractions.
    """
    errors = np.abs(predicted.fractions - truth.fractions)
    losses = row_losses(truth, predicted)
    found = []
    for row in _worst(losses):
        by_question = [_rms(errors[row : row + 1, answers])[0] for answers in schema.slices.values()]
        question = schema.questions[int(np.nanargmax(by_question))]
        answers = schema.slices[question.name]
        place = int(np.nanargmax(errors[row, answers].round(6)))  # a yes and its no are equally wrong: the yes
        found.append(
            {
                "id_str": str(ids.iloc[row]),
                "question": question.name,
                "answer": question.answers[place].name,
                "true": float(truth.fractions[row, answers][place]),
                "predicted": float(predicted.fractions[row, answers][place]),
                "loss": float(losses[row]),
            }
        )
    return found


def row_losses(truth: Votes, predicted: Votes) -> Array:
    """The root mean square error of each galaxy's fractions: (N,), NaN where none is known."""
    return _rms(np.abs(predicted.fractions - truth.fractions))


def _worst(losses: Array) -> NDArray[np.int64]:
    """The rows of the largest losses, the worst first; equal ones in the order of the table."""
    order = np.argsort(-losses, kind="stable")  # NaN, no label, comes last
    return order[: min(TOP, int(np.isfinite(losses).sum()))]


def _rms(errors: Array) -> Array:
    """The root mean square of the known entries of each row of (N, K): (N,), NaN where none is known."""
    known = np.isfinite(errors)
    return np.sqrt(metrics.ratio(np.where(known, errors, 0.0) ** 2 @ np.ones(errors.shape[1]), known.sum(axis=1)))
