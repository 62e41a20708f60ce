"""Bringing the looked-at square of a frame to the size asked for: exact area averages, on any axis-aligned box."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from tuningfork.images.geometry import Geometry


def resample(frame: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Cut out the geometry's square and resample it.

    Each output pixel is the mean of the frame over its own area, pixels cut by its rim counting by the part inside;
    where the square has fewer pixels than asked for, bilinear interpolation. Both are separable, so one sparse matrix
    an axis does it, each on an array whose first axis is the one to be summed over.

    Parameters
    ----------
    frame
        (H, W, C), any real dtype.
    geometry
        The square and its size.

    Returns
    -------
    np.ndarray
        (size, size, C) float32, in the frame's units.
    """
    height, width, channels = frame.shape
    left, top, right, bottom = geometry.box(height, width)
    first_row, rows = _weights(height, top, bottom, geometry.size)
    first_column, columns = _weights(width, left, right, geometry.size)
    n_rows, n_columns = rows.shape[1], columns.shape[1]
    part = frame[first_row : first_row + n_rows, first_column : first_column + n_columns].astype(np.float32)
    halfway = rows @ part.reshape(n_rows, n_columns * channels)
    turned = columns @ halfway.T.reshape(n_columns, channels * geometry.size)
    out: np.ndarray = turned.reshape(geometry.size, channels, geometry.size).transpose(2, 0, 1)
    return out


@lru_cache(maxsize=256)
def _weights(length: int, start: float, stop: float, size: int) -> tuple[int, csr_array]:
    """The first pixel that counts, and the (size, pixels from there) matrix whose rows sum to 1."""
    step = (stop - start) / size
    dense = _area(length, start, step, size) if step >= 1 else _bilinear(length, start, step, size)
    used = np.flatnonzero(dense.any(axis=0))
    dense = dense[:, used[0] : used[-1] + 1]
    return int(used[0]), csr_array((dense / dense.sum(axis=1, keepdims=True)).astype(np.float32))


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
