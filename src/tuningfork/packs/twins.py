"""Twins: images of a pack that are the same pixel for pixel."""

from __future__ import annotations

import numpy as np
import xxhash

MARK = np.dtype([("high", ">u8"), ("low", ">u8")])  # 128 bits, which images that differ don't share by chance


def mark(row: bytes | memoryview) -> bytes:
    """Sixteen bytes that twins share, and no others (XXH3): quick, for they are taken of every image."""
    return xxhash.xxh3_128_digest(row)


def twins(pixels: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """The rows that are equal, (M, 2) int64: each twin beside the first of its kind, which comes before it.

    Parameters
    ----------
    pixels
        (N, H, W, C) uint8.
    marks
        (N,) of the type `MARK`, as `mark` makes them. If they are not N, as after a kill, they are taken again.
    """
    if len(marks) != len(pixels):
        marks = np.frombuffer(b"".join(mark(row.data) for row in pixels), MARK)
    order = np.lexsort((marks["low"], marks["high"]))  # stable: rows of one mark stay in their order
    new = np.ones(len(order), dtype=bool)
    new[1:] = marks[order[1:]] != marks[order[:-1]]
    firsts = order[new][np.cumsum(new) - 1]
    pairs = np.column_stack([firsts, order])[~new]
    return pairs[np.argsort(pairs[:, 1])]
