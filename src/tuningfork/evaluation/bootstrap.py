"""Bootstrap intervals: every figure is a function of how often each galaxy is drawn.

Written so, one seeded set of resamples serves every figure at once (figures of one evaluation can be compared draw by
draw), and a block of resamples is one matrix product.

Efron & Tibshirani 1993, *An Introduction to the Bootstrap*, chapter 13: the percentile interval.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK_BYTES = 32 * 2**20
LEVEL = 0.95


@dataclass(frozen=True)
class Measure:
    """A figure, or K figures at once, yet to be computed.

    Parameters
    ----------
    of
        Takes weights (B, N), how often each of N galaxies is drawn in each of B resamples, and gives (B,) or (B, K);
        NaN where a resample leaves the figure undefined.
    n
        The galaxies that enter the figure: a number, or (K,).
    """

    of: Callable[[Array], Array]
    n: int | NDArray[np.int64]


def resamples(n_galaxies: int, n_bootstrap: int, seed: int) -> Iterator[Array]:
    """Weights of `n_bootstrap` resamples with replacement, in blocks (B, N) of at most 32 MiB."""
    generator = np.random.default_rng(seed)
    per_block = max(1, BLOCK_BYTES // (8 * n_galaxies))
    for start in range(0, n_bootstrap, per_block):
        rows = min(per_block, n_bootstrap - start)
        drawn = generator.integers(n_galaxies, size=(rows, n_galaxies))
        drawn += np.arange(rows)[:, None] * n_galaxies
        counts = np.bincount(drawn.ravel(), minlength=rows * n_galaxies)
        yield counts.reshape(rows, n_galaxies).astype(np.float64)


def estimate(measures: Mapping[str, Any], n_galaxies: int, n_bootstrap: int, seed: int) -> dict[str, Any]:
    """Replace each `Measure` of a nested mapping by its figure ``{"value", "n", "interval"}``, ready for JSON.

    `interval` holds the 2.5th and 97.5th percentiles over the resamples that leave the figure defined. A figure that is
    undefined is None, and so is the interval then. A measure of K figures gives lists of K.
    """
    leaves = list(_leaves(measures))
    values = [leaf.of(np.ones((1, n_galaxies)))[0] for leaf in leaves]
    blocks = [[leaf.of(weights) for leaf in leaves] for weights in resamples(n_galaxies, n_bootstrap, seed)]
    figures = {
        id(leaf): _figure(leaf, value, np.concatenate([block[index] for block in blocks]) if blocks else None)
        for index, (leaf, value) in enumerate(zip(leaves, values, strict=True))
    }
    replaced: dict[str, Any] = _replace(measures, figures)
    return replaced


def figure(value: float, n: int) -> dict[str, Any]:
    """A figure that has no interval, such as a largest value."""
    return {"value": _plain(value), "n": n, "interval": None}


def _leaves(node: Any) -> Iterator[Measure]:
    if isinstance(node, Measure):
        yield node
    elif isinstance(node, Mapping):
        for child in node.values():
            yield from _leaves(child)


def _replace(node: Any, figures: dict[int, Any]) -> Any:
    if isinstance(node, Measure):
        return figures[id(node)]
    if isinstance(node, Mapping):
        return {key: _replace(child, figures) for key, child in node.items()}
    return node


def _figure(leaf: Measure, value: Array, draws: Array | None) -> dict[str, Any]:
    low = high = np.full(np.shape(value), np.nan)
    if draws is not None:
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # draws may be infinite: no interval
            warnings.filterwarnings("ignore", "All-NaN slice")  # undefined in every resample: no interval
            low, high = np.nanpercentile(draws, [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0)
    if np.ndim(value) == 0:
        return {"value": _plain(value), "n": int(leaf.n), "interval": _interval(value, low, high)}
    return {
        "value": [_plain(entry) for entry in value],
        "n": [int(entry) for entry in np.broadcast_to(leaf.n, np.shape(value))],
        "interval": [_interval(*entry) for entry in zip(value, low, high, strict=True)],
    }


def _interval(value: Any, low: Any, high: Any) -> list[float] | None:
    return [float(low), float(high)] if np.all(np.isfinite([value, low, high])) else None


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
