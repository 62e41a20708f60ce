"""Bringing the looked-at square of a frame to the size asked for: exact area averages, on any axis-aligned box.

The sums are compiled on their first use, which takes a second, and kept for later processes. They run without the
interpreter's lock, so that as many threads resample as there are cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tuningfork.compiled import Compiled
from tuningfork.images.geometry import Geometry

LANES = 4  # channels that are added up at once


def resample(frame: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Cut out the geometry's square and resample it.

    Each output pixel is the mean of the frame over its own area, pixels cut by its rim counting by the part inside;
    where the square has fewer pixels than asked for, bilinear interpolation. Both are separable: rows are added up
    first, then columns.

    Parameters
    ----------
    frame
        (H, W, C), any real dtype; finite.
    geometry
        The square and its size.

    Returns
    -------
    np.ndarray
        (size, size, C) float32, in the frame's units.
    """
    height, width, channels = frame.shape
    left, top, right, bottom = geometry.box(height, width)
    rows, columns = _taps(height, top, bottom, geometry.size), _taps(width, left, right, geometry.size)
    part = frame[rows.pixels, columns.pixels]
    lines = np.ascontiguousarray(part, dtype=None if frame.dtype == np.uint8 else np.float32).reshape(len(part), -1)
    out = np.empty((geometry.size, geometry.size * channels), np.float32)
    _add_up(lines, rows.first, rows.weights, columns.first, columns.weights, (0,) * channels, out)
    return out.reshape(geometry.size, geometry.size, channels)


@dataclass(frozen=True)
class Taps:
    """Along one axis: the `pixels` that count; for each output the `first` of these (size,) and `weights` (size, T).

    The weights are those of the pixels from there on; they sum to 1, and may be 0 at either end.
    """

    pixels: slice
    first: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=256)
def _taps(length: int, start: float, stop: float, size: int) -> Taps:
    step = (stop - start) / size
    dense = _area(length, start, step, size) if step >= 1 else _bilinear(length, start, step, size)
    dense /= dense.sum(axis=1, keepdims=True)
    counts = dense > 0
    first = counts.argmax(axis=1)
    taps = int((length - counts[:, ::-1].argmax(axis=1) - first).max())
    first = np.minimum(first, length - taps)
    weights = np.take_along_axis(dense, first[:, None] + np.arange(taps), axis=1)
    start = int(first.min())
    pixels = slice(start, int(first.max()) + taps)
    return Taps(pixels, (first - start).astype(np.uintp), weights.astype(np.float32))


def _area(length: int, start: float, step: float, size: int) -> np.ndarray:
    """How much of each pixel (columns) lies in each output cell (rows)."""
    edges = start + step * np.arange(size + 1)
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    overlap[overlap < 1e-6] = 0  # an edge that rounding moved a hair over a pixel's border
    return overlap


def _bilinear(length: int, start: float, step: float, size: int) -> np.ndarray:
    """The triangle of each output centre (rows) over pixel centres (columns); beyond the rim the edge is repeated."""
    centres = np.clip(start + step * (np.arange(size) + 0.5) - 0.5, 0, length - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(length)))


@Compiled
def _add_up(
    lines: np.ndarray,
    row_first: np.ndarray,
    row_weights: np.ndarray,
    column_first: np.ndarray,
    column_weights: np.ndarray,
    channels: tuple[int, ...],
    out: np.ndarray,
) -> None:
    """Weighted sums of the rows of `lines` (H, W * C), then of their pixels, into `out` (size, size * C).

    Of a pixel's channels four are added up at once, whether it has as many or not: what is beyond them is written over
    by the pixel after it. What makes the code quick: `channels` is a tuple of so many numbers, whose length the
    compiler knows, indices are unsigned, so that it need not provide for negative ones, and all is in one function, so
    that it sees that no two arrays share memory.
    """
    one, two, three, step = np.uintp(1), np.uintp(2), np.uintp(3), np.uintp(len(channels))
    width, length = lines.shape[1], out.shape[1]
    summed, sums = np.zeros(width + LANES, np.float32), np.empty(length + LANES, np.float32)
    for row in range(len(out)):
        line, weight = lines[row_first[row]], row_weights[row, 0]
        for x in range(width):
            summed[x] = weight * np.float32(line[x])
        for tap in range(1, row_weights.shape[1]):
            line, weight = lines[row_first[row] + np.uintp(tap)], row_weights[row, tap]
            if weight > 0:
                for x in range(width):
                    summed[x] += weight * np.float32(line[x])
        for column in range(len(column_first)):
            for lane in range(0, len(channels), LANES):
                at = column_first[column] * step + np.uintp(lane)
                a = b = c = d = np.float32(0)
                for tap in range(column_weights.shape[1]):
                    weight = column_weights[column, tap]
                    a += weight * summed[at]
                    b += weight * summed[at + one]
                    c += weight * summed[at + two]
                    d += weight * summed[at + three]
                    at += step
                to = np.uintp(column) * step + np.uintp(lane)
                sums[to], sums[to + one], sums[to + two], sums[to + three] = a, b, c, d
        for x in range(length):
            out[row, x] = sums[x]
