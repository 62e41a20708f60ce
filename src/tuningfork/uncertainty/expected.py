"""How wrong the answers to an image are likely to be, also where it is unlike the training images.

A regression of the squared error of labelled galaxies, as they are and disturbed (`alter.disturb`), in its logarithm
with gamma errors (McCullagh & Nelder 1989, Generalized Linear Models, ch. 8): on how sure the model says it is, what
its encoder makes of an image, how the image is rendered and how it is framed. The scatter of the volunteers is in the
error, as it is in the intervals: it is how far another such crowd would be from the answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.regression import MOST as FARTHEST
from tuningfork.uncertainty.regression import TAME

Array = NDArray[np.float64]

PENALTY = 30.0  # on weights, relative to the number of galaxies, each of which is seen many times
LEAST, MOST = 1e-6, 1.0  # squared errors of fractions lie between them


@dataclass(frozen=True)
class ExpectedError:
    """Of the answers to one schema, over T traits: their `location` and `scatter`, both (T,), and `weights` (T,).

    `level` is the logarithm of the squared error of an image whose traits are all as usual.
    """

    level: float
    location: Array
    scatter: Array
    weights: Array

    def squared(self, traits: Array) -> Array:
        """The squared error to be expected, (N,), of traits (N, T)."""
        logarithm = self.level + (traits - self.location) / self.scatter @ self.weights
        return np.asarray(np.exp(np.clip(logarithm, np.log(LEAST), np.log(MOST))))

    @property
    def sound(self) -> bool:
        """Whether its numbers can be: finite, of one length, scatters above 0."""
        parts = (self.location, self.scatter, self.weights)
        alike = all(part.shape == self.weights.shape and part.ndim == 1 for part in parts)
        finite = bool(np.isfinite([self.level, *np.concatenate([np.ravel(part) for part in parts])]).all())
        return alike and finite and bool((self.scatter > 0).all())

    def times(self, factor: float) -> ExpectedError:
        """The same where squared errors are so many times as large."""
        return replace(self, level=self.level + float(np.log(factor)))


def fit_expected(traits: Array, squared: Array, galaxies: int) -> ExpectedError:
    """Fit to the traits (N, T) of images, whose squared errors are `squared` (N,), of so many galaxies."""
    from sklearn.linear_model import GammaRegressor  # half a second that a prediction need not wait for

    location, scatter = traits.mean(axis=0), np.maximum(traits.std(axis=0), 1e-3)
    fitted = GammaRegressor(alpha=PENALTY / galaxies, max_iter=2000)
    fitted.fit((traits - location) / scatter, np.clip(squared, LEAST, MOST))
    found = ExpectedError(float(fitted.intercept_), location, scatter, fitted.coef_)
    return found.times(max(float(squared.mean()), LEAST) / float(found.squared(traits).mean()))


def tamed(whitened: Array) -> Array:
    """Numbers (N, F) that usual images scatter in by 1, such that far ones count less, and their squares: (N, 2 F)."""
    squares = (FARTHEST * np.tanh(whitened / FARTHEST)) ** 2
    return np.concatenate([TAME * np.arcsinh(whitened / TAME), squares], axis=1)


def of_answers(answers: Array, spread: Array | None, widths: Array) -> Array:
    """How sure a model is of its answers (N, K), as three numbers an image, (N, 3).

    `spread` (N, K) is that between views and members, None where there is but one; `widths` (N, K) are those of
    intervals, NaN where there are none.
    """
    known = np.isfinite(widths).any(axis=0)
    wide = (widths[:, known] ** 2).mean(axis=1) if known.any() else np.ones(len(answers))
    apart = np.zeros(len(answers)) if spread is None else (spread**2).mean(axis=1)
    volunteers = (answers * (1 - answers)).mean(axis=1)
    return np.log(np.stack([wide, volunteers, apart], axis=1) + LEAST)
