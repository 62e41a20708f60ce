"""Which galaxies to label next: the doubtful, the unusual, the most different from one another, or any at random.

One galaxy of five is set aside for validation, by a hash, and these come in the order of that hash, whatever the order
of the others: a sample at random of the catalogue, so that the figure measured on it holds for the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuningfork.explore.journal import BORDER, SHARE, hash_of

ORDERS = ("uncertainty", "ood", "diversity", "random")
POOL = 20_000  # galaxies at random among which the most different are looked for
EVERY = round(1 / SHARE)  # of so many in the queue one is for validation

Rows = NDArray[np.int64]
Values = NDArray[np.float64]


def hashes(seed: int, ids: Sequence[str]) -> NDArray[np.uint64]:
    """The hash (N,) of each galaxy: it says which are for validation, and is an order at random."""
    return np.fromiter((hash_of(seed, id_str) for id_str in ids), np.uint64, len(ids))


def entropy(probabilities: NDArray[np.floating]) -> Values:
    """The entropy of class probabilities (N, K) in units of the largest possible, 0 to 1; NaN where one is missing.

    Shannon 1948, Bell System Technical Journal 27, 379; as a measure of what to label next, Settles 2009, Computer
    Sciences Technical Report 1648, University of Wisconsin-Madison, section 3.1.
    """
    known = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-12, 1)
    values: Values = -(known * np.log(known)).sum(axis=1) / np.log(known.shape[1])
    return values


def highest(scores: Values, rows: Rows, n: int) -> Rows:
    """The `n` of `rows` with the highest scores, highest first, unknown ones (NaN) last; `scores` are of all rows."""
    mine = np.where(np.isnan(scores[rows]), -np.inf, scores[rows])
    n = min(n, len(rows))
    if n < len(rows):
        chosen = np.argpartition(-mine, n)[:n] if n else np.arange(0)
        # Equals at the border are taken in the order of rows, so that the same question has the same answer.
        least = mine[chosen].min(initial=np.inf)
        above, equal = np.flatnonzero(mine > least), np.flatnonzero(mine == least)
        chosen = np.sort(np.concatenate([above, equal[: n - len(above)]]))
    else:
        chosen = np.arange(len(rows))
    return rows[chosen[np.argsort(-mine[chosen], kind="stable")]]


def at_random(numbers: NDArray[np.uint64], rows: Rows, n: int) -> Rows:
    """`n` of `rows` in the order of their hashes."""
    return rows[np.argsort(numbers[rows], kind="stable")[:n]]


def most_different(points: NDArray[np.floating], centres: NDArray[np.floating], n: int) -> Rows:
    """Which `n` of points (N, F) lie farthest from `centres` (M, F) and from one another, one after the other.

    The greedy k-centre (Gonzalez 1985, Theoretical Computer Science 38, 293), which Sener & Savarese 2018
    (arXiv:1708.00489) label by. Without centres it begins with the point farthest from the mean.
    """
    points = np.asarray(points, dtype=np.float32)
    first = centres if len(centres) else points.mean(axis=0, keepdims=True)
    squares = (points**2).sum(axis=1)
    nearest = np.full(len(points), np.inf, np.float32)
    for centre in np.asarray(first, dtype=np.float32):
        nearest = np.minimum(nearest, _apart(points, squares, centre))
    chosen: list[int] = []
    for _ in range(min(n, len(points))):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _apart(points, squares, points[chosen[-1]]))
        nearest[chosen] = -1
    return np.array(chosen, dtype=np.int64)


def interleaved(train: Rows, validation: Rows, n: int) -> list[int]:
    """`n` rows, of which every fifth is for validation, as long as there are both."""
    return list(islice(_turns(train.tolist(), validation.tolist()), n))


def is_validation(numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which galaxies, by their hashes (N,), are set aside for validation."""
    aside: NDArray[np.bool_] = numbers < np.uint64(BORDER)
    return aside


def _apart(points: NDArray[np.float32], squares: NDArray[np.float32], centre: NDArray[np.float32]) -> Values:
    """The squared distance of every point from one."""
    distances: Values = squares - 2 * points @ centre + centre @ centre
    return distances


def _turns(train: list[int], validation: list[int]) -> Iterator[int]:
    first, second = iter(train), iter(validation)
    while True:
        took = [*islice(first, EVERY - 1), *islice(second, 1)]
        if not took:
            return
        yield from took
