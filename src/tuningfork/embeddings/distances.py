"""Distances between galaxies: Euclidean, on standardised features.

Each feature is brought to mean 0 and variance 1, so that none counts more than another for the scale it happens to
have. Neighbours by raw features or by the cosine share a galaxy's class about as often (on labelled galaxies that the
bundled model was not fitted to, 94.0 % of the ten nearest by the cosine, 93.3 % so). But by the cosine a galaxy ten
times as extreme as all others in the same direction lies among them, and the strangest would be overlooked. So one
distance serves neighbours, purity, maps and anomalies alike.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

CHUNK = 4096  # galaxies asked about at once


def standardise(features: np.ndarray) -> np.ndarray:
    """Features (N, F) each brought to mean 0 and variance 1; one that never changes becomes 0. Float32."""
    scaled: np.ndarray = StandardScaler().fit_transform(features).astype(np.float32, copy=False)
    return scaled


def neighbours(
    points: np.ndarray,
    k: int,
    rows: np.ndarray | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other points of each point, nearest first.

    Parameters
    ----------
    points
        (N, D), finite.
    k
        At most N - 1.
    rows
        The points asked about. Default: all of them.
    advance
        Called with the number of points worked off since the last call.

    Returns
    -------
    tuple
        Distances (Q, k) and the neighbours' rows in `points` (Q, k), where Q is the number of points asked about. A
        point is never its own neighbour; its double is.
    """
    asked = np.arange(len(points)) if rows is None else np.asarray(rows)
    # A tree is no quicker than all distances where there are more than a few dimensions.
    search = NearestNeighbors(algorithm="brute" if points.shape[1] > 8 else "kd_tree").fit(points)
    distances, found = np.empty((len(asked), k)), np.empty((len(asked), k), dtype=np.int64)
    for start in range(0, len(asked), CHUNK):
        part = asked[start : start + CHUNK]
        near, who = search.kneighbors(points[part], k + 1)
        own = who == part[:, None]
        own[~own.any(axis=1), -1] = True  # crowded out by its doubles
        distances[start : start + CHUNK] = near[~own].reshape(len(part), k)
        found[start : start + CHUNK] = who[~own].reshape(len(part), k)
        advance(len(part))
    return distances, found
