"""Intervals made to hold for other galaxies than those they were fitted to, from a few labels of these.

Each interval is widened, or narrowed, at both ends by one number: the smallest that a share of (n + 1) 0.9 / n of n
labelled galaxies asks for (conformalized quantile regression: Romano, Patterson & Candes 2019, arXiv:1905.03222,
equations 6 to 9). Then another such galaxy is covered with a probability of 90 % at the least, whatever the number of
labels, if the predictions were fitted to other galaxies. Where each was made by a fit to other parts of the labels, the
guarantee is 80 %, and 90 % is what is seen (Barber et al. 2021, Annals of Statistics 49, 486, theorem 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.intervals import KNOTS, LEVEL, Intervals

Array = NDArray[np.float64]

FINEST = 0.01  # of the range of an answer: an interval reaches as far to either side, at the least
FEWEST_LABELS = int(np.ceil(LEVEL / (1 - LEVEL) - 1e-9))  # with fewer, no width covers so large a share for certain


def conform(intervals: Intervals | None, predicted: Array, observed: Array, limits: Array) -> Intervals:
    """Intervals of K answers that hold for galaxies like the labelled ones.

    Parameters
    ----------
    intervals
        Those to begin with; None for the predictions alone.
    predicted, observed
        (N, K), NaN where a label is missing.
    limits
        (K, 2), what answers can be.

    Returns
    -------
    Intervals
        Of an answer with fewer than `FEWEST_LABELS` labels all is NaN: its interval is not known.
    """
    shape = (predicted.shape[1], KNOTS)
    made = Intervals(np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan))
    begun = _begun(intervals, predicted, shape)
    low, high = begun.of(predicted, limits)
    outside = np.maximum(low - observed, observed - high)
    spans = limits[:, 1] - limits[:, 0]
    least = FINEST * np.where(np.isfinite(spans), spans, 0)
    for column in range(shape[0]):
        known = np.sort(outside[np.isfinite(outside[:, column]), column])
        if len(known) < FEWEST_LABELS:
            continue
        by = known[int(np.ceil((len(known) + 1) * LEVEL - 1e-9)) - 1]
        made.knots[column] = begun.knots[column]
        made.low[column] = np.minimum(begun.low[column] - by, -least[column])
        made.high[column] = np.maximum(begun.high[column] + by, least[column])
    return made


def _begun(intervals: Intervals | None, predicted: Array, shape: tuple[int, int]) -> Intervals:
    """The intervals to begin with, those of no width where an answer has none."""
    spread = np.linspace(predicted.min(axis=0), predicted.max(axis=0), KNOTS).T
    none = Intervals(spread, np.zeros(shape), np.zeros(shape))
    if intervals is None:
        return none
    there = np.isfinite(intervals.knots).all(axis=1, keepdims=True)
    pairs = zip((intervals.knots, intervals.low, intervals.high), (none.knots, none.low, none.high), strict=True)
    return Intervals(*(np.where(there, own, plain) for own, plain in pairs))
