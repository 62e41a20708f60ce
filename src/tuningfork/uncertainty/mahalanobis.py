"""Whether an image is like those that a model was trained on: the distance of its features from theirs.

The Mahalanobis distance in the encoder's feature space (Lee et al. 2018, arXiv:1807.03888), with the covariance shrunk
(Ledoit & Wolf 2004) so that it can be inverted whatever the number of galaxies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FOLDS = 5
SHARE = 0.99  # of galaxies like the training set's that must not be flagged


@dataclass(frozen=True)
class Mahalanobis:
    """`mean` (F,) of the features, `whitening` (F, F) that makes their covariance 1, and the distance of the flag."""

    mean: Array
    whitening: Array
    threshold: float

    def distance(self, features: Array) -> Array:
        """How unlike each image is, (N,): its distance in units of the threshold, so that above 1 it is flagged."""
        distances: Array = np.sqrt((self.whitened(features) ** 2).sum(axis=1)) / self.threshold
        return distances

    def whitened(self, features: Array) -> Array:
        """Features (N, F) such that those of usual images scatter by 1 and without correlation."""
        return np.asarray((features.astype(np.float64) - self.mean) @ self.whitening)


def fit_mahalanobis(features: Array) -> Mahalanobis:
    """Fit to the features (N, F) of galaxies that the model was not trained on but that are like its training set.

    The threshold is that of galaxies left out of the fit: those in it are nearer to it than any new one.
    """
    held_out = held_out_distances(features)
    return replace(_fit(features), threshold=float(np.quantile(held_out, SHARE)))


def held_out_distances(features: Array) -> Array:
    """The distance (N,) of galaxies that were left out of the fit, not yet in units of a threshold."""
    folds = np.arange(len(features)) % FOLDS
    held_out = np.empty(len(features))
    for fold in range(FOLDS):
        held_out[folds == fold] = _fit(features[folds != fold]).distance(features[folds == fold])
    return held_out


def whiten(values: Array) -> tuple[Array, Array]:
    """The mean (F,) of values (N, F), and a matrix (F, F) that makes their covariance 1."""
    from sklearn.covariance import LedoitWolf  # half a second that a prediction need not wait for

    fitted = LedoitWolf().fit(values.astype(np.float64))
    scales, vectors = np.linalg.eigh(fitted.covariance_)
    return fitted.location_, vectors / np.sqrt(np.maximum(scales, 1e-9 * max(scales.max(), 1e-12)))


def _fit(features: Array) -> Mahalanobis:
    return Mahalanobis(*whiten(features), 1.0)
