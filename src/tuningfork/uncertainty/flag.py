"""The flag for unlike images: raised by what the encoder makes of one, by its rendering, or by its framing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.mahalanobis import SHARE, Mahalanobis, fit_mahalanobis, held_out_distances
from tuningfork.uncertainty.regression import Regression, fit_regression, held_out_odds
from tuningfork.uncertainty.samples import Samples

Array = NDArray[np.float64]

ALARMS = np.array([[1.0], [1.0], [4.0]])  # false ones, relative: frames overlap most with those that are as usual


def fit_flag(features: Array, renderings: Samples, framings: Samples) -> tuple[Mahalanobis, Regression, Regression]:
    """Fit all to the same N galaxies, such that one in a hundred that are left out of the fits is flagged by any.

    Parameters
    ----------
    features
        (N, F), as of `fit_mahalanobis`.
    """
    found = held_out_distances(features), held_out_odds(renderings), held_out_odds(framings)
    alarm = float(np.quantile((_shares_above(np.stack(found)) / ALARMS).min(axis=0), 1 - SHARE))
    by_features, by_rendering, by_framing = (
        float(np.quantile(values, max(1 - part * alarm, 0))) for values, part in zip(found, ALARMS[:, 0], strict=True)
    )
    return (
        replace(fit_mahalanobis(features), threshold=by_features),
        fit_regression(renderings, found[1], by_rendering),
        fit_regression(framings, found[2], by_framing),
    )


def _shares_above(values: Array) -> Array:
    """The share of each row of values (K, N) that is above each of it."""
    ranks = np.argsort(np.argsort(values, axis=1), axis=1)
    return np.asarray(1 - ranks / max(values.shape[1] - 1, 1))
