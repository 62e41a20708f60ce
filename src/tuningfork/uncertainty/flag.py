"""The flag for unlike images: raised by what the encoder makes of one, or by how it is rendered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.likeness import SHARE, Likeness, fit_likeness, held_out_distances
from tuningfork.uncertainty.rendering import Rendering, fit_rendering, held_out_odds

Array = NDArray[np.float64]


def fit_flag(features: Array, own: Array, altered: Array, share: float) -> tuple[Likeness, Rendering]:
    """Fit both to the same N galaxies, such that one in a hundred that are left out of the fits is flagged by either.

    Parameters
    ----------
    features
        (N, F), as of `fit_likeness`.
    own, altered, share
        As of `fit_rendering`.
    """
    distances, odds = held_out_distances(features), held_out_odds(own, altered, share)
    level = float(np.quantile(np.maximum(_ranks(distances), _ranks(odds)), SHARE))  # the same of both
    threshold = float(np.quantile(odds, level))
    likeness = replace(fit_likeness(features), threshold=float(np.quantile(distances, level)))
    rendering = replace(
        fit_rendering(own, altered, share), threshold=threshold, reach=max(threshold - float(np.median(odds)), 1e-3)
    )
    return likeness, rendering


def _ranks(values: Array) -> Array:
    """The share of the others that each of the values (N,) is above."""
    return np.asarray(np.argsort(np.argsort(values)) / max(len(values) - 1, 1))
