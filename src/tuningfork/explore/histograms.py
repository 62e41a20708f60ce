"""How the values of a column are spread: of all rows, and of those that a filter keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.filters import AskedWrongError, Filter
from tuningfork.explore.values import Numbers

MOST_BINS = 200


def histogram(catalogue: Catalogue, name: str, chosen: Filter, bins: int) -> dict[str, Any]:
    """Counts of a column's values, ready for JSON: in bins of the same width, or of each text or truth value.

    Values that are infinite are in no bin.

    Raises
    ------
    AskedWrongError
        If there is no such column, or it has too many different texts to be counted.
    """
    values, kept = catalogue.values(name), catalogue.mask(chosen)
    nulls = int(np.count_nonzero(~values.known))
    counted = values.counts()
    if counted is not None:
        index = _indices(values, [value for value, _ in counted])
        inside = kept & (index >= 0)
        return {
            "values": [value for value, _ in counted],
            "all": [n for _, n in counted],
            "kept": np.bincount(index[inside], minlength=len(counted)).tolist(),
            "nulls": nulls,
        }
    if not isinstance(values, Numbers):
        raise AskedWrongError(f"{name!r} has too many different texts to be counted")
    limits = values.limits()
    if limits is None:
        return {"edges": [0.0, 1.0], "all": [0], "kept": [0], "nulls": nulls}
    edges = _edges(*limits, bins, whole=values.values.dtype.kind in "iu")
    finite = values.finite
    every, _ = np.histogram(values.values[finite], edges)
    some, _ = np.histogram(values.values[finite & kept], edges)
    return {"edges": edges.tolist(), "all": every.tolist(), "kept": some.tolist(), "nulls": nulls}


def _indices(values: Any, listed: list[Any]) -> np.ndarray:
    """The place of each row's value in the list of values, (N,); -1 where it is missing."""
    if isinstance(values, Numbers):
        places = np.where(
            values.values, listed.index(True) if True in listed else -1, listed.index(False) if False in listed else -1
        )
        return np.where(values.known, places, -1)
    return np.asarray(np.nan_to_num(values.floats(), nan=-1), np.int64)


def _edges(low: float, high: float, bins: int, *, whole: bool) -> np.ndarray:
    """The edges of bins from the least to the largest value; of few whole numbers a bin each, half to either side."""
    if whole and high - low < bins:
        return np.arange(low, high + 2) - 0.5
    if not low < high or not np.isfinite(high - low):
        spread = max(abs(low), abs(high), 1.0) * 1e-3 if low == high else 0.0
        return (
            np.linspace(low / 2 - spread, low / 2 + spread, bins + 1) + low / 2
            if low == high
            else np.array([low, high])
        )
    edges = np.linspace(low, high, bins + 1)
    return edges if (np.diff(edges) > 0).all() else np.array([low, high])
