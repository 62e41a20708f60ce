"""Intervals for the galaxies that a model is adapted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty import Intervals, conform, fit_intervals

Array = NDArray[np.float64]

ENOUGH = 400  # labels, from which on intervals are fitted to some of them


@dataclass(frozen=True)
class Labelled:
    """Answers (N, K) to galaxies that the head was not fitted to, what is known of them, and the fold of each, (N,)."""

    answers: Array
    known: Array
    folds: np.ndarray

    def where(self, rows: np.ndarray) -> Labelled:
        """Some of them."""
        return Labelled(self.answers[rows], self.known[rows], self.folds[rows])


def adapted_intervals(own: Intervals | None, labelled: Labelled, limits: Array) -> Intervals:
    """Intervals that hold for galaxies like the labelled ones.

    Those to begin with are the model's `own`, or with many labels those fitted to half of the folds; they are widened
    by labels that they have not seen: all, or those of the other folds.
    """
    if len(labelled.folds) < ENOUGH:
        return conform(own, labelled.answers, labelled.known, limits)
    names = np.unique(labelled.folds)
    first = np.isin(labelled.folds, names[: len(names) // 2])
    begun, rest = labelled.where(first), labelled.where(~first)
    return conform(fit_intervals(begun.answers, begun.known), rest.answers, rest.known, limits)


def held_out_ends(own: Intervals | None, labelled: Labelled, limits: Array) -> tuple[Array, Array]:
    """The ends of the intervals of labelled galaxies, (N, K) each, by the labels of the other folds."""
    low, high = (np.full(labelled.answers.shape, np.nan) for _ in range(2))
    for fold in np.unique(labelled.folds):
        out = labelled.folds == fold
        made = adapted_intervals(own, labelled.where(~out), limits)
        low[out], high[out] = made.of(labelled.answers[out], limits)
    return low, high
