"""Training repeated with other seeds: the mean of a figure, how far it spreads, and whether two runs differ by more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

LEVEL = 0.95


@dataclass(frozen=True)
class OverSeeds:
    """A figure of a run trained with several seeds: the mean, and the standard deviation (None of one seed)."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def spread(self) -> float | None:
        """The sample standard deviation over the seeds."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


def difference_of_means(first: OverSeeds, second: OverSeeds) -> tuple[float, list[float] | None]:
    """The mean of `second` minus that of `first`, and its 95 % interval over seeds; None where it is not known.

    It is not where either has one seed, or the seeds of each agree exactly, which says nothing of others.

    Welch 1947, Biometrika 34, 28: the t interval of two means whose spreads differ.
    """
    value = second.mean - first.mean
    if first.spread is None or second.spread is None:
        return value, None
    parts = np.array([run.spread**2 / len(run.values) for run in (first, second) if run.spread is not None])
    freedom = np.array([len(first.values) - 1, len(second.values) - 1])
    total = float(parts.sum())
    if total == 0:
        return value, None
    shares = parts / total  # their squares alone may be too small for a number
    half = float(t.ppf((1 + LEVEL) / 2, 1 / float((shares**2 / freedom).sum()))) * total**0.5
    return value, [value - half, value + half]
