"""Twins: images of a pack that are the same pixel for pixel."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence

import numpy as np


def mark(row: bytes | memoryview) -> int:
    """A number of 64 bits that twins share, and hardly any others: quick, for it is taken of every image."""
    return zlib.crc32(row) << 32 | zlib.adler32(row)


def twins(pixels: np.ndarray, marks: Sequence[int]) -> np.ndarray:
    """The rows that are equal, (M, 2) int64: each twin beside the first of its kind, which comes before it.

    Parameters
    ----------
    pixels
        (N, H, W, C) uint8; only rows whose mark another shares are looked at.
    marks
        N of them, as `mark` makes them. If they are not N, as after a kill, they are taken again.
    """
    if len(marks) != len(pixels):
        marks = [mark(row.tobytes()) for row in pixels]
    numbers = np.asarray(marks, dtype=np.uint64)
    order = np.argsort(numbers, kind="stable")
    same = numbers[order[1:]] == numbers[order[:-1]]
    shared = np.sort(order[np.concatenate([same, [False]]) | np.concatenate([[False], same])])
    return np.array([*_pairs(pixels, shared)], dtype=np.int64).reshape(-1, 2)


def _pairs(pixels: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, int]]:
    first: dict[bytes, int] = {}
    for row in rows:
        owner = first.setdefault(hashlib.blake2b(pixels[row].tobytes(), digest_size=16).digest(), int(row))
        if owner != row:
            yield owner, int(row)
