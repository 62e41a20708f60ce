"""Metrics as functions of weights.

Everywhere below `weights` is (B, N): how often each of N galaxies counts, in each of B resamples. Ones give the plain
figure. NaN in a value means missing: it enters neither numerator nor denominator. A figure is NaN where it is undefined
(no galaxy, no variance).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuningfork.evaluation.bootstrap import Array

Indices = NDArray[np.int64]


def ratio(numerator: Array, denominator: Array) -> Array:
    """`numerator / denominator`, NaN where the denominator is 0."""
    out: Array = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)
    return out


def mean(values: Array, weights: Array) -> Array:
    """The mean over galaxies, or over all entries of (N, K) `values`: (B,)."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0)
    if values.ndim == 2:
        total, known = total.sum(axis=1), known.sum(axis=1)
    return ratio(weights @ total, weights @ known.astype(np.float64))


def rmse(errors: Array, weights: Array) -> Array:
    """The root of the mean squared error over all non-missing entries of `errors`, (N,) or (N, K): (B,)."""
    return np.sqrt(mean(errors**2, weights))


def median(values: Array, weights: Array) -> Array:
    """The median of (N,) `values` without NaN, each counted `weights` (whole numbers) times: (B,)."""
    order = np.argsort(values, kind="stable")
    counted = np.cumsum(weights[:, order], axis=1)
    total = counted[:, -1:]
    # The middle two of an even count differ where the count reaches one half exactly.
    last = len(values) - 1
    below = np.minimum((counted < total / 2).sum(axis=1), last)
    above = np.minimum((counted <= total / 2).sum(axis=1), last)
    ordered = values[order]
    return np.where(total[:, 0] > 0, (ordered[below] + ordered[above]) / 2, np.nan)


def pearson(x: Array, y: Array, weights: Array) -> Array:
    """Pearson's correlation of `x` and `y`, (N,) or (B, N) without NaN: (B,)."""
    total = weights.sum(axis=1, keepdims=True)
    dx = x - ratio((weights * x).sum(axis=1, keepdims=True), total)
    dy = y - ratio((weights * y).sum(axis=1, keepdims=True), total)
    covariance = (weights * dx * dy).sum(axis=1)
    variances = (weights * dx**2).sum(axis=1) * (weights * dy**2).sum(axis=1)
    # Rounding leaves a constant a variance of about (eps * value)^2; that is no variance.
    scale = (weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1)
    return ratio(covariance, np.where(variances > 1e-24 * scale, np.sqrt(variances), 0.0))


def spearman(x: Array, y: Array, weights: Array) -> Array:
    """Spearman's rank correlation, ties given their mean rank: (B,)."""
    return pearson(_ranks(x, weights), _ranks(y, weights), weights)


def _ranks(values: Array, weights: Array) -> Array:
    """The mean rank of each galaxy's value in each resample, (B, N)."""
    _, first, group = np.unique(values[np.argsort(values)], return_index=True, return_inverse=True)
    order = np.argsort(values)
    size = np.add.reduceat(weights[:, order], first, axis=1)
    rank_of_group = np.cumsum(size, axis=1) - (size - 1) / 2
    ranks = np.empty_like(weights)
    ranks[:, order] = rank_of_group[:, group]
    return ranks


def confusion(truth: Indices, predicted: Indices, n_classes: int, weights: Array) -> Array:
    """The confusion matrix, true class by predicted class: (B, C, C). Galaxies with truth -1 are left out."""
    cells = truth * n_classes + predicted
    matrix = np.zeros((len(weights), n_classes * n_classes))
    for cell in np.unique(cells[truth >= 0]):
        matrix[:, cell] = weights[:, (cells == cell) & (truth >= 0)].sum(axis=1)
    return matrix.reshape(-1, n_classes, n_classes)


def accuracy(matrix: Array) -> Array:
    """The share of galaxies on the diagonal of confusion matrices (B, C, C): (B,)."""
    return ratio(_hits(matrix).sum(axis=1), matrix.sum(axis=(1, 2)))


def precision(matrix: Array) -> Array:
    """Of the galaxies called a class, the share that are: (B, C)."""
    return ratio(_hits(matrix), matrix.sum(axis=1))


def recall(matrix: Array) -> Array:
    """Of the galaxies of a class, the share that are called it: (B, C)."""
    return ratio(_hits(matrix), matrix.sum(axis=2))


def f1(matrix: Array) -> Array:
    """The harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN): (B, C)."""
    return ratio(2 * _hits(matrix), matrix.sum(axis=1) + matrix.sum(axis=2))


def balanced_accuracy(matrix: Array) -> Array:
    """The mean recall of the classes that occur: (B,)."""
    found = recall(matrix)
    known = np.isfinite(found)
    return ratio(np.where(known, found, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def log_loss(truth: Indices, probabilities: Array) -> Array:
    """Minus the natural log of the true class's probability, a galaxy: (N,).

    Probabilities are held at least 1.2e-7 from 0, the resolution of the float32 they are stored in.
    """
    given = probabilities[np.arange(len(truth)), truth]
    return -np.log(np.clip(given, np.finfo(np.float32).eps, 1.0))


def brier(truth: Indices, probabilities: Array) -> Array:
    """The squared distance of the probabilities (N, C) from the true class's corner, 0 to 2: (N,). Brier 1950."""
    corner = np.zeros_like(probabilities)
    corner[np.arange(len(truth)), truth] = 1.0
    distances: Array = ((probabilities - corner) ** 2).sum(axis=1)
    return distances


def _hits(matrix: Array) -> Array:
    return np.diagonal(matrix, axis1=1, axis2=2)
