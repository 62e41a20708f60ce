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
class Likeness:
    """`mean` (F,) of the features, `whitening` (F, F) that makes their covariance 1, and the distance of the flag."""

    mean: Array
    whitening: Array
    threshold: float

    def distance(self, features: Array) -> Array:
        """How unlike each image is, (N,): its distance in units of the threshold, so that above 1 it is flagged."""
        whitened = (features.astype(np.float64) - self.mean) @ self.whitening
        return np.sqrt((whitened**2).sum(axis=1)) / self.threshold


def fit_likeness(features: Array) -> Likeness:
    """Fit to the features (N, F) of galaxies that the model was not trained on but that are like its training set.

    The threshold is that of galaxies left out of the fit: those in it are nearer to it than any new one.
    """
    folds = np.arange(len(features)) % FOLDS
    held_out = np.empty(len(features))
    for fold in range(FOLDS):
        held_out[folds == fold] = _fit(features[folds != fold]).distance(features[folds == fold])
    return replace(_fit(features), threshold=float(np.quantile(held_out, SHARE)))


def _fit(features: Array) -> Likeness:
    from sklearn.covariance import LedoitWolf  # half a second that a prediction need not wait for

    fitted = LedoitWolf().fit(features.astype(np.float64))
    values, vectors = np.linalg.eigh(fitted.covariance_)
    whitening = vectors / np.sqrt(np.maximum(values, 1e-9 * max(values.max(), 1e-12)))
    return Likeness(fitted.location_, whitening, 1.0)
