"""An interval for each answer, such that a stated share of what volunteers said of such galaxies lies in it.

Nothing is assumed of how answers scatter: the interval at a predicted value is the shortest one that holds that share
of the scatter of labelled galaxies predicted alike (split conformal prediction, localised: Lei et al. 2018, JASA 113,
1094; Guan 2023, Biometrika 110, 33). The shortest, because fractions crowd at 0: there the interval begins at 0 and is
all upper limit. The scatter holds both the model's error and the volunteers' noise, so the interval covers what another
such crowd would say. The share asked of the fit is raised until it is met on galaxies that the fit has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL = 0.9
KNOTS = 16  # predicted values at which an interval is tabulated
NEIGHBOURS = 0.15  # the share of the galaxies that weigh on a knot, as a Gaussian's two standard deviations
FEWEST = 50  # labelled galaxies; with fewer, no interval is given
FOLDS = 5
LEVELS = np.arange(LEVEL, 0.996, 0.005)


@dataclass(frozen=True)
class Intervals:
    """The intervals of K answers, tabulated at `KNOTS` predicted values each: `knots`, `low`, `high` are (K, KNOTS).

    `low` and `high` are offsets from the predicted value. An answer with too few labels has NaN throughout.
    """

    knots: Array
    low: Array
    high: Array

    def of(self, predicted: Array, limits: Array) -> tuple[Array, Array]:
        """Lower and upper ends for predicted values (N, K), kept within `limits` (K, 2): two of (N, K)."""
        ends = []
        for offsets in (self.low, self.high):
            columns = [
                predicted[:, k] + np.interp(predicted[:, k], self.knots[k], offsets[k]) for k in range(len(self.knots))
            ]
            ends.append(np.clip(np.stack(columns, axis=1), limits[:, 0], limits[:, 1]))
        return ends[0], ends[1]


def fit_intervals(predicted: Array, observed: Array) -> Intervals:
    """Fit intervals to labelled galaxies: `predicted` and `observed` are (N, K), NaN where a label is missing."""
    shape = (predicted.shape[1], KNOTS)
    tables = Intervals(np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan))
    for column in range(predicted.shape[1]):
        known = np.isfinite(observed[:, column]) & np.isfinite(predicted[:, column])
        if known.sum() >= FEWEST:
            fitted = _fit_column(predicted[known, column], observed[known, column])
            for table, values in zip((tables.knots, tables.low, tables.high), fitted, strict=True):
                table[column] = values
    return tables


def _fit_column(predicted: Array, observed: Array) -> tuple[Array, Array, Array]:
    """The table of one answer at the level that galaxies left out of the fit confirm."""
    folds = np.arange(len(predicted)) % FOLDS  # catalog order has nothing to do with morphology
    for level in LEVELS:
        held = np.zeros(len(predicted), dtype=bool)
        for fold in range(FOLDS):
            out = folds == fold
            knots, low, high = _table(predicted[~out], observed[~out], level)
            value, seen = predicted[out], observed[out]
            held[out] = (seen >= value + np.interp(value, knots, low) - 1e-9) & (
                seen <= value + np.interp(value, knots, high) + 1e-9
            )
        if held.mean() >= LEVEL:
            break
    return _table(predicted, observed, level)


def _table(predicted: Array, observed: Array, level: float) -> tuple[Array, Array, Array]:
    values, which, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(predicted)  # the rank of each value, from 0 to 1: equals share one
    ranks = middle[which]
    knots = np.unique(np.quantile(predicted, np.linspace(0, 1, KNOTS), method="nearest"))
    knots = np.pad(knots, (0, KNOTS - len(knots)), mode="edge")
    residuals = observed - predicted
    by_size = np.argsort(residuals)
    low, high = np.empty(KNOTS), np.empty(KNOTS)
    for knot, place in enumerate(middle[np.searchsorted(values, knots)]):
        weights = np.exp(-0.5 * ((ranks - place) / (NEIGHBOURS / 2)) ** 2)
        low[knot], high[knot] = shortest(residuals[by_size], weights[by_size], level)
    # The answer itself is always within its interval, even where nearly all of its like were voted less.
    return knots, np.minimum(low, 0), np.maximum(high, 0)


def shortest(values: Array, weights: Array, level: float) -> tuple[float, float]:
    """The shortest interval between two of the sorted `values` (N,) that holds `level` of their `weights` (N,)."""
    total = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
    last = np.searchsorted(total[1:], total[:-1] + level - 1e-12)  # the value at which each start has gathered enough
    possible = last < len(values)
    starts, ends = np.flatnonzero(possible), last[possible]
    best = int(np.argmin(values[ends] - values[starts]))
    return float(values[starts[best]]), float(values[ends[best]])
