"""The figures of a class list: which are found, which are confused, whether probabilities can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuningfork.evaluation import metrics
from tuningfork.evaluation.bootstrap import Array, Measure
from tuningfork.evaluation.calibration import top_label
from tuningfork.evaluation.metrics import Indices
from tuningfork.schemas import ClassSchema

PAIRS = 10


def class_measures(
    truth: Indices, predicted: Indices, probabilities: Array | None, schema: ClassSchema
) -> dict[str, Any]:
    """The figures of a class list, as measures.

    Parameters
    ----------
    truth, predicted
        (N,) class indices; truth is -1 where the galaxy has no label.
    schema
        Names the C classes.
    probabilities
        (N, C), or None where the predictions are hard labels: then nothing is said of calibration, log-loss and Brier.
    """
    n_classes, names = len(schema.classes), schema.class_names
    labelled = truth >= 0
    n = int(labelled.sum())
    matrix = metrics.confusion(truth, predicted, n_classes, np.ones((1, len(truth))))[0]
    confused: dict[str, Measure] = {
        name: Measure(
            lambda weights, of=of: of(metrics.confusion(truth, predicted, n_classes, weights)),  # type: ignore[misc]
            n,
        )
        for name, of in (("accuracy", metrics.accuracy), ("balanced_accuracy", metrics.balanced_accuracy))
    }
    result: dict[str, Any] = {
        "kind": "classes",
        "figures": confused,
        "classes": {name: _of_class(index, truth, predicted, matrix) for index, name in enumerate(names)},
        "confusion": {"classes": list(names), "counts": matrix.astype(int).tolist()},
        "most_confused": most_confused(matrix, names),
    }
    if probabilities is not None:
        result["figures"] |= _probability_figures(truth, probabilities, labelled)
        curve = top_label(truth[labelled], probabilities[labelled])
        drawn = curve.drawn
        result["reliability"] = {
            "predicted": [float(value) for value in drawn.curve(np.ones((1, n)))[0][0]],
            "observed": Measure(lambda weights: drawn.curve(weights[:, labelled])[1], drawn.galaxies()),
        }
        result["figures"]["ece"] = Measure(lambda weights: curve.ece(weights[:, labelled]), n)
    return result


def most_confused(matrix: Array, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The ten most frequent confusions: true class, predicted class, how often, and what share of the true class."""
    pairs = [
        {
            "true": names[i],
            "predicted": names[j],
            "count": int(matrix[i, j]),
            "share": float(matrix[i, j] / matrix[i].sum()),
        }
        for i, j in zip(*np.nonzero(matrix), strict=True)
        if i != j
    ]
    return sorted(pairs, key=lambda pair: (-pair["count"], -pair["share"]))[:PAIRS]


def _probability_figures(truth: Indices, probabilities: Array, labelled: NDArray[np.bool_]) -> dict[str, Measure]:
    figures = {}
    for name, of in (("log_loss", metrics.log_loss), ("brier", metrics.brier)):
        values = np.full(len(truth), np.nan)
        values[labelled] = of(truth[labelled], probabilities[labelled])
        figures[name] = Measure(lambda weights, values=values: metrics.mean(values, weights), int(labelled.sum()))  # type: ignore[misc]
    return figures


def _of_class(index: int, truth: Indices, predicted: Indices, matrix: Array) -> dict[str, Any]:
    """Precision, recall and F1 of one class; each figure's n is the number of galaxies in its denominator."""
    is_class = np.where(truth < 0, -1, truth == index).astype(np.int64)
    called = (predicted == index).astype(np.int64)
    support, calls = int(matrix[index].sum()), int(matrix[:, index].sum())
    both = support + calls - int(matrix[index, index])

    def measure(of: Any, n: int) -> Measure:
        return Measure(lambda weights: of(metrics.confusion(is_class, called, 2, weights))[:, 1], n)

    return {
        "precision": measure(metrics.precision, calls),
        "recall": measure(metrics.recall, support),
        "f1": measure(metrics.f1, both),
        "support": support,
    }
