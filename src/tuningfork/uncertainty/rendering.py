"""Whether an image is rendered as those that a model was trained on: brightness, contrast, colours.

A logistic regression tells images as they are from altered ones (`alter`) by their statistics (`statistics`) and by the
products of these, two by two: what is too much is as unlike as what is too little. To learn from images known to be
unlike finds others better than any measure of the usual ones alone (Hendrycks et al. 2019, arXiv:1812.04606).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.alter import alter
from tuningfork.uncertainty.likeness import FOLDS, whiten
from tuningfork.uncertainty.statistics import measure

Array = NDArray[np.float64]

DRAWS = 2  # altered images of each
TAME = 3.0  # scatters, beyond which a statistic counts by its logarithm
MOST = 4.0  # scatters, which a whitened one never exceeds
STRENGTH = 1e-3  # of the fit, against its penalty


@dataclass(frozen=True)
class Rendering:
    """The regression over S statistics of the central `share` of the side of pack pixels.

    `location` and `scale` (S,) bring statistics to a like size, `centre` (S,) and `whitening` (S, S) make their
    covariance 1. `weights` (S,) are of them, `pairs` (S, S) of the products of the whitened ones. `threshold` is the
    log-odds of the flag; a usual image lies `reach` below.
    """

    share: float
    threshold: float
    reach: float
    location: Array
    scale: Array
    centre: Array
    whitening: Array
    weights: Array
    pairs: Array

    def distance(self, pixels: np.ndarray) -> Array:
        """How unlike pack pixels (N, H, W, C) are, (N,): above 1 they are flagged, a usual image has 0.5."""
        odds = self.log_odds(measure(pixels, self.share))
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


def sample_renderings(pixels: np.ndarray, rows: np.ndarray, share: float) -> tuple[Array, Array]:
    """Statistics of the images in rows (N,) as they are, (N, S), and of altered ones of each, (DRAWS, N, S)."""
    own = [measure(pixels[row][None], share) for row in rows]
    draws = [
        [measure(alter(pixels[row], np.random.default_rng([draw, row]))[None], share) for row in rows]
        for draw in range(DRAWS)
    ]
    return np.concatenate(own), np.stack([np.concatenate(drawn) for drawn in draws])


def fit_rendering(own: Array, altered: Array, share: float) -> Rendering:
    """Fit to statistics (N, S) of images as they are and (D, N, S) of altered ones; the threshold is yet to be set."""
    from sklearn.linear_model import LogisticRegression  # half a second that a prediction need not wait for

    low, middle, high = np.quantile(own, [0.159, 0.5, 0.841], axis=0)
    scale, none, square = (high - low) / 2 + 0.01, np.zeros(own.shape[1]), np.eye(own.shape[1])
    found = Rendering(share, 0.0, 1.0, middle, scale, none, square, none, 0 * square)
    centre, whitening = whiten(found.tamed(own))
    found = replace(found, centre=centre, whitening=whitening)
    upper = np.triu_indices(own.shape[1])

    def terms(statistics: Array) -> NDArray[np.float32]:
        whitened = found.whitened(statistics)
        products = whitened[:, upper[0]] * whitened[:, upper[1]]
        return np.concatenate([found.tamed(statistics), products], axis=1).astype(np.float32)

    usual = terms(own)
    scatter = usual.std(axis=0) + np.float32(1e-6)
    samples = np.concatenate([usual, *map(terms, altered)]) / scatter
    fitted = LogisticRegression(C=STRENGTH, max_iter=400).fit(samples, np.arange(len(samples)) >= len(own))
    weights = fitted.coef_[0] / scatter
    pairs = np.zeros_like(square)
    pairs[upper] = weights[len(none) :]
    return replace(found, weights=weights[: len(none)], pairs=pairs)


def held_out_odds(own: Array, altered: Array, share: float) -> Array:
    """Log-odds (N,) of images that were left out of the fit."""
    folds = np.arange(len(own)) % FOLDS
    found = np.empty(len(own))
    for fold in range(FOLDS):
        out = folds == fold
        found[out] = fit_rendering(own[~out], altered[:, ~out], share).log_odds(own[out])
    return found
