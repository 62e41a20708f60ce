"""Whether an image is as those that a model was trained on, by its statistics.

A logistic regression tells images as they are from altered ones (`alter`) by statistics (`statistics`, `framing`) and
by the products of these, two by two: what is too much is as unlike as what is too little. To learn from images known to
be unlike finds others better than any measure of the usual ones alone (Hendrycks et al. 2019, arXiv:1812.04606).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.mahalanobis import FOLDS, whiten
from tuningfork.uncertainty.samples import Samples

Array = NDArray[np.float64]

TAME = 3.0  # scatters, beyond which a statistic counts by its logarithm
MOST = 4.0  # scatters, which a whitened one never exceeds
STRENGTH = 1e-3  # of the fit, against its penalty
LEAST = 0.05  # scatters that a term counts as having: one that hardly varies would else outweigh all others


@dataclass(frozen=True)
class Regression:
    """Over S statistics.

    `location` and `scale` (S,) bring statistics to a like size, `centre` (S,) and `whitening` (S, S) make their
    covariance 1. `weights` (S,) are of them, `pairs` (S, S) of the products of the whitened ones. `threshold` is the
    log-odds of the flag; a usual image lies `reach` below.
    """

    threshold: float
    reach: float
    location: Array
    scale: Array
    centre: Array
    whitening: Array
    weights: Array
    pairs: Array

    def distance(self, statistics: Array) -> Array:
        """How unlike images of these statistics (N, S) are, (N,): above 1 they are flagged, a usual one has 0.5."""
        odds = self.log_odds(statistics)
        return np.asarray(np.exp2(np.minimum((odds - self.threshold) / self.reach, 20)))

    def log_odds(self, statistics: Array) -> Array:
        """That an image of these statistics (N, S) is altered, (N,), up to a constant."""
        whitened = self.whitened(statistics)
        return np.asarray(self.tamed(statistics) @ self.weights + ((whitened @ self.pairs) * whitened).sum(axis=1))

    def tamed(self, statistics: Array) -> Array:
        """Statistics (N, S) in scatters of usual images, a far one nearer."""
        return np.asarray(TAME * np.arcsinh((statistics - self.location) / self.scale / TAME))

    def whitened(self, statistics: Array) -> Array:
        """The same, (N, S), of usual images without correlation."""
        return np.asarray(MOST * np.tanh((self.tamed(statistics) - self.centre) @ self.whitening / MOST))


def fit_regression(samples: Samples, odds: Array, threshold: float) -> Regression:
    """Fit to all samples, with a threshold for the log-odds (N,) that `held_out_odds` gives of them."""
    reach = max(threshold - float(np.median(odds)), 1e-3)
    return replace(_fit(samples), threshold=threshold, reach=reach)


def held_out_odds(samples: Samples) -> Array:
    """Log-odds (N,) of images as they are that were left out of the fit."""
    folds = np.arange(len(samples.own)) % FOLDS
    found = np.empty(len(samples.own))
    for fold in range(FOLDS):
        out = folds == fold
        found[out] = _fit(samples.of(~out)).log_odds(samples.own[out])
    return found


def _fit(samples: Samples) -> Regression:
    """With no threshold yet."""
    from sklearn.linear_model import LogisticRegression  # half a second that a prediction need not wait for

    own = samples.own
    low, middle, high = np.quantile(own, [0.159, 0.5, 0.841], axis=0)
    scale, none, square = (high - low) / 2 + 0.01, np.zeros(own.shape[1]), np.eye(own.shape[1])
    found = Regression(0.0, 1.0, middle, scale, none, square, none, 0 * square)
    centre, whitening = whiten(found.tamed(own))
    found = replace(found, centre=centre, whitening=whitening)
    upper = np.triu_indices(own.shape[1])

    def terms(statistics: Array) -> NDArray[np.float32]:
        whitened = found.whitened(statistics)
        products = whitened[:, upper[0]] * whitened[:, upper[1]]
        return np.concatenate([found.tamed(statistics), products], axis=1).astype(np.float32)

    usual = terms(own)
    scatter = np.maximum(usual.std(axis=0), np.float32(LEAST))
    both = np.concatenate([usual, *map(terms, samples.altered)]) / scatter
    fitted = LogisticRegression(C=STRENGTH, max_iter=400).fit(both, np.arange(len(both)) >= len(own))
    weights = fitted.coef_[0] / scatter
    pairs = np.zeros_like(square)
    pairs[upper] = weights[len(none) :]
    return replace(found, weights=weights[: len(none)], pairs=pairs)
