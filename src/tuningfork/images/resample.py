"""Bringing the looked-at square of a frame to the size asked for: exact area averages, on any axis-aligned box.

The sums are compiled on their first use, which takes a second or two, and kept for later processes. They run without
the interpreter's lock, so that as many threads resample as there are cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tuningfork.compiled import OPTIONS, Compiled
from tuningfork.images.geometry import Geometry

BLOCK = 8  # rows that are added up at once


def resample(frame: np.ndarray, geometry: Geometry, *, rounded: bool = False) -> np.ndarray:
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
    rounded
        Whether to round the means of a uint8 frame.

    Returns
    -------
    np.ndarray
        (size, size, C) float32, in the frame's units; uint8 if rounded.
    """
    assert frame.dtype == np.uint8 or not rounded
    height, width, channels = frame.shape
    left, top, right, bottom = geometry.box(height, width)
    rows, columns = _taps(height, top, bottom, geometry.size), _taps(width, left, right, geometry.size)
    part = frame[rows.pixels, columns.pixels]
    lines = np.ascontiguousarray(part, dtype=None if frame.dtype == np.uint8 else np.float32).reshape(len(part), -1)
    blocks = -(-geometry.size // BLOCK)
    out = np.empty((blocks * BLOCK, geometry.size * channels), np.uint8 if rounded else np.float32)
    _add_up(lines, rows.first, rows.weights, columns.first, columns.weights, (0,) * channels, out)
    return out[: geometry.size].reshape(geometry.size, geometry.size, channels)


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
    overlap: np.ndarray = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    overlap[overlap < 1e-6] = 0  # an edge that rounding moved a hair over a pixel's border
    return overlap


def _bilinear(length: int, start: float, step: float, size: int) -> np.ndarray:
    """The triangle of each output centre (rows) over pixel centres (columns); beyond the rim the edge is repeated."""
    centres = np.clip(start + step * (np.arange(size) + 0.5) - 0.5, 0, length - 1)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(length)))
    return weights


@intrinsic
def _add_products(
    _: Any, values: Any, at: Any, apart: Any, weights: Any, of: Any, count: Any, sums: Any, to: Any, out: Any
) -> tuple[Any, Callable[..., Any]]:
    """Add up `count` vectors of a block, `apart` floats apart, each with its weight; round where `out` is of integers.

    Arrays are contiguous, and but for `out` of float32.
    """
    vector, index = ir.VectorType(ir.FloatType(), BLOCK), ir.IntType(64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(array: int) -> Any:
            data = cgutils.create_struct_proxy(signature.args[array])(context, builder, arguments[array]).data
            return builder.gep(data, [arguments[array + 1]])

        def product(weight: Any, value: Any) -> Any:
            nothing = ir.Constant(vector, ir.Undefined)
            one = builder.insert_element(nothing, builder.load(weight), ir.IntType(32)(0))
            everywhere = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), None)
            eight = builder.load(builder.bitcast(value, vector.as_pointer()), align=4)
            return builder.fmul(builder.shuffle_vector(one, nothing, everywhere), eight)

        value, weight, target = pointer(0), pointer(3), pointer(6)
        apart, count = arguments[2], arguments[5]
        total = cgutils.alloca_once_value(builder, product(weight, value))
        with cgutils.for_range_slice(builder, index(1), count, index(1), inc=True) as (tap, _):
            another = product(builder.gep(weight, [tap]), builder.gep(value, [builder.mul(tap, apart)]))
            builder.store(builder.fadd(builder.load(total), another), total)
        mean = builder.load(total)
        if isinstance(out.dtype, types.Integer):  # nothing to clip: means are in range but for float rounding
            kind = ir.FunctionType(vector, [vector])
            mean = builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.rint.v{BLOCK}f32"), [mean])
        builder.store(mean, builder.bitcast(target, vector.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(values, at, apart, weights, of, count, sums, to, out), generate


@numba.njit(**OPTIONS)
def _along_rows(woven, first, weights, channels, sums, out):  # type: ignore[no-untyped-def]
    """Weighted sums of the pixels of a block of rows, whose floats are interwoven."""
    block, taps = np.uintp(BLOCK), np.uintp(weights.shape[1])
    pixel = channels * block
    of = to = np.uintp(0)
    for column in range(len(first)):
        at = first[column] * pixel
        for _ in range(channels):
            _add_products(woven, at, pixel, weights, of, taps, sums, to, out)
            at += block
            to += block
        of += taps


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

    `out` has room for whole blocks of rows. Sums along rows are vectors, a pixel of each row of a block, since the
    pixels of one row that go into neighbouring sums lie unevenly. What makes the code quick: `channels` is a tuple of
    so many numbers, whose length the compiler knows, indices are unsigned, so that it need not provide for negative
    ones, and the rows of a block are eight names, so that it sees how they are interwoven.
    """
    summed = np.empty((BLOCK, lines.shape[1]), np.float32)
    woven = np.empty((lines.shape[1], BLOCK), np.float32)
    sums = np.empty((out.shape[1], BLOCK), np.float32)
    for start in range(0, len(out), BLOCK):
        for index in range(BLOCK):
            row, total = min(start + index, len(row_first) - 1), summed[index]
            line, weight = lines[row_first[row]], row_weights[row, 0]
            for x in range(len(total)):
                total[x] = weight * np.float32(line[x])
            for tap in range(1, row_weights.shape[1]):
                line, weight = lines[row_first[row] + np.uintp(tap)], row_weights[row, tap]
                if weight > 0:
                    for x in range(len(total)):
                        total[x] += weight * np.float32(line[x])
        a, b, c, d = summed[0], summed[1], summed[2], summed[3]
        e, f, g, h = summed[4], summed[5], summed[6], summed[7]
        for x in range(len(woven)):
            woven[x, 0], woven[x, 1], woven[x, 2], woven[x, 3] = a[x], b[x], c[x], d[x]
            woven[x, 4], woven[x, 5], woven[x, 6], woven[x, 7] = e[x], f[x], g[x], h[x]
        _along_rows(woven, column_first, column_weights, np.uintp(len(channels)), sums, out)
        a, b, c, d = out[start], out[start + 1], out[start + 2], out[start + 3]
        e, f, g, h = out[start + 4], out[start + 5], out[start + 6], out[start + 7]
        for x in range(len(sums)):
            a[x], b[x], c[x], d[x] = sums[x, 0], sums[x, 1], sums[x, 2], sums[x, 3]
            e[x], f[x], g[x], h[x] = sums[x, 4], sums[x, 5], sums[x, 6], sums[x, 7]
