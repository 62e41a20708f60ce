"""Convolutions, compiled: minimal filtering, and what most networks begin with.

**Minimal filtering** (`convolve`): sixteen outputs of a 3x3 filter from 36 products, not 144. F(4x4, 3x3) of Lavin &
Gray 2016 (CVPR, arXiv:1509.09308), after Winograd 1980 and Toom and Cook: a tile of 6x6 pixels and the filter are
each taken as a polynomial's values at five points and at infinity, multiplied there, and the 4x4 outputs read off. In
float32 the points decide the error. With the usual 0, +-1, +-2 its largest is four times as large as with these, whose
squares are each other's inverse: twice the rounding of a plain sum. A block of tiles is taken to the 36 points,
multiplied there, a product of matrices a point, and taken back, before the next one is begun: what one product needs
stays in the second-level cache.

**Convolution and pooling** (`convolve_and_pool`): as they are written, line by line. Of the maps between, a network's
largest, only the lines that a window covers are held.

Maps are (N, H, W, C), channels last, so that a vector register holds one pixel's neighbouring channels. What decides
the speed is written for the compiler in LLVM's own terms, vector by vector: left to itself, it would neither keep the
sums in registers nor see that the planes of a block do not overlap. Numbers that it must know beforehand (the length of
a vector, how many rows and vectors of sums fit the registers) come as tuples of so many numbers, whose length is part
of their type. All that goes into the code is in this one file: Numba compiles anew when it changes, and looks at no
other.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from tuningfork.compiled import OPTIONS, Compiled

OUT, TAPS = 4, 3
TILE = OUT + TAPS - 1
NEAR, FAR = 2 / 3, 3 / 2  # each the other's inverse, by which some products fall away
_points = np.array([0, NEAR, -NEAR, FAR, -FAR])

# Along one axis, outputs are answers(FILTER @ taps * at_points(pixels)): `_answers` and `_at_points` are matrices, too,
# written out for what is the same in several of their rows. Along both, the transposed matrices come from the right.
_scales = np.array([np.prod(point - np.delete(_points, index)) for index, point in enumerate(_points)])
FILTER = np.zeros((TILE, TAPS))
FILTER[:-1] = _points[:, None] ** np.arange(TAPS) / _scales[:, None]
FILTER[-1, -1] = 1

POINTS = TILE * TILE
FLOAT, INDEX = ir.FloatType(), ir.IntType(64)
LINE = 16  # floats in a line of the cache
LOWEST = np.float32(-np.inf)
UNROLLED = (0,) * 4  # steps of a sum before its pointers move

Builder = Any  # llvmlite's and Numba's own objects have no types to check
Value = Any


def enter_filters(filters: np.ndarray) -> np.ndarray:
    """Filters (..., 3, 3) as their values at all pairs of points: (36, ...), float64."""
    values = np.kron(FILTER, FILTER) @ filters.reshape(-1, TAPS * TAPS).astype(np.float64).T
    return values.reshape(POINTS, *filters.shape[:-2])


def vector_length() -> int:
    """Floats in a vector register of the processor that Numba compiles for."""
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    return 16 if "+avx512f" in features else 8 if "+avx2" in features else 4


def register_tile(length: int, channels: int) -> tuple[int, int] | None:
    """Rows and vectors of sums that are kept in registers, for maps of so many channels; None if they don't fit.

    AVX-512 has 32 registers, and so has Arm; others have 16. Beside the sums there are the vectors of weights, and a
    pixel.
    """
    many = ((6, 4), (9, 3), (14, 2), (14, 1))
    few = ((6, 2), (4, 3), (12, 1))
    fitting = many if length == 16 or platform.machine() in ("aarch64", "arm64") else few
    return next((tile for tile in fitting if channels % (tile[1] * length) == 0), None)


def _check(*arrays: Any) -> None:
    """Pointers are taken for what they should be: other arrays would be read as if they were, and beyond their end."""
    if not all(isinstance(array, types.Array) and array.dtype == types.float32 for array in arrays):
        raise TypingError("arrays of float32 are wanted")
    if not all(array.layout == "C" for array in arrays):
        raise TypingError("contiguous arrays are wanted")


def _data(context: Any, builder: Builder, kind: Any, array: Value, offset: Value) -> Value:
    """A pointer to an element of a contiguous array."""
    return builder.gep(cgutils.create_struct_proxy(kind)(context, builder, array).data, [offset])


def _at(builder: Builder, pointer: Value, offset: Value | int, vector: ir.VectorType) -> Value:
    place = builder.gep(pointer, [INDEX(offset) if isinstance(offset, int) else offset])
    return builder.bitcast(place, vector.as_pointer())


def _load(builder: Builder, pointer: Value, offset: Value | int, vector: ir.VectorType) -> Value:
    return builder.load(_at(builder, pointer, offset, vector), align=4)


def _store(builder: Builder, value: Value, pointer: Value, offset: Value | int) -> None:
    builder.store(value, _at(builder, pointer, offset, value.type), align=4)


def _all(vector: ir.VectorType, number: float) -> Value:
    return ir.Constant(vector, [ir.Constant(FLOAT, float(np.float32(number)))] * vector.count)


def _spread(builder: Builder, number: Value, vector: ir.VectorType) -> Value:
    """A number in every place of a vector."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _add_product(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """The sum a * b + c, at once where the processor can."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{a.type.count}f32"), [a, b, c]
    )


def _total(builder: Builder, *terms: tuple[float, Value]) -> Value:
    """A sum of vectors, each times a known number; the first number is 1 where any is."""
    (number, total), *rest = terms
    if number != 1:
        total = builder.fmul(_all(total.type, number), total)
    for number, value in rest:
        if number == 1:
            total = builder.fadd(total, value)
        else:
            total = _add_product(builder, _all(value.type, number), value, total)
    return total


def _at_points(builder: Builder, pixels: Sequence[Value]) -> list[Value]:
    """A column of pixels taken to the points: for each point, times the coefficients of the product of (x - another).

    At two points that differ in sign, those of odd powers do so, too.
    """
    total = partial(_total, builder)
    middle = NEAR * NEAR + FAR * FAR
    at_zero, at_infinity = (total((1, pixels[n]), (1, pixels[n + 4]), (-middle, pixels[n + 2])) for n in (0, 1))
    values = [at_zero]
    for point, other in ((NEAR, FAR), (FAR, NEAR)):
        odd, even = (total((1, pixels[n + 2]), (-other * other, pixels[n])) for n in (1, 2))
        values += [total((1, even), (point, odd)), total((1, even), (-point, odd))]
    return [*values, at_infinity]


def _answers(builder: Builder, values: Sequence[Value]) -> list[Value]:
    """A column of outputs from its values at the points: their sums, each times a power of its point."""
    total = partial(_total, builder)
    at_zero, *finite, at_infinity = values
    (even, odd), (far_even, far_odd) = (
        (total((1, plus), (1, minus)), total((1, plus), (-1, minus))) for plus, minus in (finite[:2], finite[2:])
    )
    return [
        total((1, at_zero), (1, even), (1, far_even)),
        total((NEAR, odd), (FAR, far_odd)),
        total((NEAR**2, even), (FAR**2, far_even)),
        total((1, at_infinity), (NEAR**3, odd), (FAR**3, far_odd)),
    ]


Column = Callable[[Builder, Sequence[Value]], list[Value]]


def _both_ways(builder: Builder, matrix: Column, tile: list[list[Value]]) -> list[list[Value]]:
    """A matrix from the left and, transposed, from the right, of a square of vectors; by columns."""
    rows = [matrix(builder, row) for row in tile]
    return [matrix(builder, list(column)) for column in zip(*rows, strict=True)]


Signature = tuple[Any, Callable[..., Value]]


def _pixels(
    builder: Builder, first: Value, line: Value, pixel: Value, side: int, within: Sequence[Value], elsewhere: Value
) -> list[list[Value]]:
    """Pointers to the pixels of a square tile, `line` and `pixel` numbers apart, whose `first` may lie beyond the map.

    `within` is the first row of the map and the one after the last, so the columns, or nothing where all of the tile is
    on the map. The pixels beyond are `elsewhere`.
    """
    rows = [builder.mul(line, INDEX(row)) for row in range(side)]
    columns = [builder.mul(pixel, INDEX(column)) for column in range(side)]
    places = [[builder.gep(first, [builder.add(row, column)]) for column in columns] for row in rows]
    if not within:
        return places
    seen = [
        [
            builder.icmp_unsigned("<", builder.sub(INDEX(index), start), builder.sub(stop, start))
            for index in range(side)
        ]
        for start, stop in (within[:2], within[2:])
    ]
    return [
        [
            builder.select(builder.and_(on_row, on_column), place, elsewhere)
            for on_column, place in zip(seen[1], row, strict=True)
        ]
        for on_row, row in zip(seen[0], places, strict=True)
    ]


def _numbers(builder: Builder, several: Value, kind: Any) -> list[Value]:
    """The numbers of a tuple."""
    return [builder.extract_value(several, index) for index in range(kind.count)]


@intrinsic
def _enter(
    _: Any, maps: Any, at: Any, line: Any, pixel: Any, within: Any, zeros: Any, entered: Any, to: Any, plane: Any,
    lanes: Any,
) -> Signature:  # fmt: skip
    """Take one vector of channels of a tile to the points: pixels `line` and `pixel` apart to planes `plane` apart.

    `within` and `zeros`, which are elsewhere, as of `_pixels`.
    """
    _check(maps, zeros, entered)
    vector = ir.VectorType(FLOAT, lanes.count)

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        source = _data(context, builder, signature.args[0], *arguments[:2])
        zeros = _data(context, builder, signature.args[5], arguments[5], INDEX(0))
        target = _data(context, builder, signature.args[6], *arguments[6:8])
        line, pixel, plane = arguments[2], arguments[3], arguments[8]
        within = _numbers(builder, arguments[4], signature.args[4])
        places = _pixels(builder, source, line, pixel, TILE, within, zeros)
        tile = [[_load(builder, place, 0, vector) for place in row] for row in places]
        for column, values in enumerate(_both_ways(builder, _at_points, tile)):
            for row, value in enumerate(values):
                _store(builder, value, target, builder.mul(plane, INDEX(row * TILE + column)))
        return context.get_dummy_value()

    return types.void(maps, at, line, pixel, within, zeros, entered, to, plane, lanes), generate


def _sums(
    builder: Builder,
    pixels: Sequence[Value],
    run: Value,
    line: Value,
    panel: Value,
    depth: Value,
    vector: ir.VectorType,
    vectors: int,
    unrolled: int,
) -> list[list[Value]]:
    """Pixels times a panel of weights: for each, `vectors` sums over `depth` numbers, all of them kept in registers.

    A pixel's numbers begin where its pointer is. They lie in runs of `run`, a multiple of `unrolled`, whose starts are
    `line` apart; the weights of a panel, `vectors` vectors for each number, follow each other.
    """
    before, loop, after = builder.basic_block, builder.append_basic_block("step"), builder.append_basic_block("end")
    builder.branch(loop)
    builder.position_at_end(loop)

    def carried(start: Value) -> Value:
        value = builder.phi(start.type)
        value.add_incoming(start, before)
        return value

    step, within, place, weight = carried(INDEX(0)), carried(INDEX(0)), carried(INDEX(0)), carried(panel)
    started = [[carried(_all(vector, 0)) for _ in range(vectors)] for _ in pixels]
    totals = [list(row) for row in started]
    for ahead in range(unrolled):
        column = [_load(builder, weight, (ahead * vectors + n) * vector.count, vector) for n in range(vectors)]
        for pixel, row in zip(pixels, totals, strict=True):
            one = builder.load(builder.gep(builder.gep(pixel, [place]), [INDEX(ahead)]))
            one = _spread(builder, one, vector)
            row[:] = [_add_product(builder, one, w, total) for w, total in zip(column, row, strict=True)]
    ahead = INDEX(unrolled)
    done, along = builder.add(step, ahead), builder.add(within, ahead)
    ends = builder.icmp_signed("==", along, run)
    beyond = builder.add(builder.sub(line, run), ahead)
    step.add_incoming(done, loop)
    within.add_incoming(builder.select(ends, INDEX(0), along), loop)
    place.add_incoming(builder.add(place, builder.select(ends, beyond, ahead)), loop)
    weight.add_incoming(builder.gep(weight, [INDEX(unrolled * vectors * vector.count)]), loop)
    for start_row, row in zip(started, totals, strict=True):
        for value, total in zip(start_row, row, strict=True):
            value.add_incoming(total, loop)
    builder.cbranch(builder.icmp_signed("<", done, depth), loop, after)
    builder.position_at_end(after)
    return totals


@intrinsic
def _multiply(
    _: Any,
    pixels: Any,
    at: Any,
    step: Any,
    run: Any,
    line: Any,
    weights: Any,
    of: Any,
    depth: Any,
    sums: Any,
    to: Any,
    apart: Any,
    lanes: Any,
    vectors: Any,
    rows: Any,
    unrolled: Any,
) -> Signature:
    """As many pixels as `rows`, `step` numbers apart, times a panel of weights; their sums lie `apart` numbers apart.

    The rest is as of `_sums`.
    """
    _check(pixels, weights, sums)
    vector = ir.VectorType(FLOAT, lanes.count)

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        first = _data(context, builder, signature.args[0], *arguments[:2])
        panel = _data(context, builder, signature.args[5], *arguments[5:7])
        target = _data(context, builder, signature.args[8], *arguments[8:10])
        step, run, line, depth, apart = (arguments[number] for number in (2, 3, 4, 7, 10))
        starts = [builder.gep(first, [builder.mul(step, INDEX(row))]) for row in range(rows.count)]
        totals = _sums(builder, starts, run, line, panel, depth, vector, vectors.count, unrolled.count)
        for row, several in enumerate(totals):
            place = builder.gep(target, [builder.mul(apart, INDEX(row))])
            for n, total in enumerate(several):
                _store(builder, total, place, n * lanes.count)
        return context.get_dummy_value()

    kinds = (pixels, at, step, run, line, weights, of, depth, sums, to, apart, lanes, vectors, rows, unrolled)
    return types.void(*kinds), generate


@intrinsic
def _leave(
    _: Any, sums: Any, at: Any, plane: Any, bias: Any, of: Any, floor: Any, other: Any, out: Any, to: Any, line: Any,
    pixel: Any, within: Any, waste: Any, lanes: Any, adding: Any,
) -> Signature:  # fmt: skip
    """Take one vector of channels back from the points, add a bias and, if asked, `other`; cut it off at `floor`.

    `within` and `waste`, which is elsewhere, as of `_pixels`.
    """
    _check(sums, bias, other, out, waste)
    vector = ir.VectorType(FLOAT, lanes.count)

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        source = _data(context, builder, signature.args[0], *arguments[:2])
        bias = _load(builder, _data(context, builder, signature.args[3], *arguments[3:5]), 0, vector)
        added = _data(context, builder, signature.args[6], arguments[6], arguments[8])
        target = _data(context, builder, signature.args[7], *arguments[7:9])
        waste = _data(context, builder, signature.args[12], arguments[12], INDEX(0))
        plane, line, pixel = arguments[2], arguments[9], arguments[10]
        floor = _spread(builder, arguments[5], vector)
        within = _numbers(builder, arguments[11], signature.args[11])
        planes = [builder.mul(plane, INDEX(index)) for index in range(POINTS)]
        values = [_load(builder, source, place, vector) for place in planes]
        tile = [values[start : start + TILE] for start in range(0, POINTS, TILE)]
        places = _pixels(builder, target, line, pixel, OUT, within, waste)
        terms = _pixels(builder, added, line, pixel, OUT, within, waste)
        for column, results in enumerate(_both_ways(builder, _answers, tile)):
            for row, result in enumerate(results):
                total = builder.fadd(result, bias)
                if adding.count:
                    total = builder.fadd(total, _load(builder, terms[row][column], 0, vector))
                low = builder.fcmp_ordered("<", total, floor)
                _store(builder, builder.select(low, floor, total), places[row][column], 0)
        return context.get_dummy_value()

    kinds = (sums, at, plane, bias, of, floor, other, out, to, line, pixel, within, waste, lanes, adding)
    return types.void(*kinds), generate


@numba.njit(**OPTIONS)
def _room(size: int) -> np.ndarray:
    """Room for so many numbers, from the start of a line of the cache on."""
    room = np.empty(size + LINE, np.float32)
    start = (-room.ctypes.data % (4 * LINE)) // 4
    return room[start : start + size]


@numba.njit(**OPTIONS)
def _enter_block(maps, first, count, entered, plane, zeros, lanes, rows):  # type: ignore[no-untyped-def]
    """Take tiles, counted through all images, to the points."""
    _, height, width, channels = maps.shape
    flat = maps.reshape(-1)
    across = -(-width // OUT)
    each = -(-height // OUT) * across
    group = len(rows) * len(lanes)
    for index in range(count):
        image, tile = divmod(first + index, each)
        top, left = tile // across * OUT - 1, tile % across * OUT - 1
        inside = top >= 0 and left >= 0 and top + TILE <= height and left + TILE <= width
        within = (-top, height - top, -left, width - left)
        panel, row = divmod(index, len(rows))
        start = ((image * height + top) * width + left) * channels
        for vector in range(channels // len(lanes)):
            at = start + vector * len(lanes)
            to = panel * len(rows) * channels + row * len(lanes) + vector * group
            if inside:
                _enter(flat, at, width * channels, channels, (), zeros, entered, to, plane, lanes)
            else:
                _enter(flat, at, width * channels, channels, within, zeros, entered, to, plane, lanes)


@numba.njit(**OPTIONS)
def _leave_block(sums, plane, first, count, bias, start, floor, other, adding, out, waste, channels, lanes):  # type: ignore[no-untyped-def]
    """Take tiles back from the points: `channels` channels of the maps from `start` on."""
    _, height, width, depth = out.shape
    flat, flat_other = out.reshape(-1), other.reshape(-1)
    across = -(-width // OUT)
    each = -(-height // OUT) * across
    line = width * depth
    for index in range(count):
        image, tile = divmod(first + index, each)
        top, left = tile // across * OUT, tile % across * OUT
        inside = top + OUT <= height and left + OUT <= width
        within = (0, height - top, 0, width - left)
        corner = ((image * height + top) * width + left) * depth + start
        for vector in range(0, channels, len(lanes)):
            at, of, to = index * channels + vector, start + vector, corner + vector
            if inside and adding:
                _leave(sums, at, plane, bias, of, floor, flat_other, flat, to, line, depth, (), waste, lanes, (0,))
            elif inside:
                _leave(sums, at, plane, bias, of, floor, flat, flat, to, line, depth, (), waste, lanes, ())
            elif adding:
                _leave(sums, at, plane, bias, of, floor, flat_other, flat, to, line, depth, within, waste, lanes, (0,))
            else:
                _leave(sums, at, plane, bias, of, floor, flat, flat, to, line, depth, within, waste, lanes, ())


@Compiled
def convolve(maps, weights, bias, floor, other, adding, out, tiles, panels, block, lanes, vectors, rows):  # type: ignore[no-untyped-def]
    """A part of a 3x3 convolution with zeros around the maps, a bias, a sum and a floor.

    Parameters
    ----------
    maps, out
        (N, H, W, C) and (N, H, W, K) float32, contiguous.
    weights
        (36, K / width, C, width) float32: the filters at the points, in panels of `width` = vectors x lanes channels.
    bias
        (K,) float32.
    floor
        What smaller results become, float32: 0 for a ReLU, else minus infinity.
    other, adding
        Maps like `out`, or `out` itself, that are added, if `adding`.
    tiles, panels
        Which part: the first tile of all images, and the one after the last; so the panels.
    block
        Tiles that are worked on at once, a multiple of the rows.
    lanes, vectors, rows
        Tuples of as many numbers as a vector has, and sums in registers have vectors and rows.
    """
    channels = maps.shape[3]
    block = min(block, -(-(tiles[1] - tiles[0]) // len(rows)) * len(rows))
    lane, width = len(lanes), len(vectors) * len(lanes)
    made = (panels[1] - panels[0]) * width
    # A line more, lest the 36 places that a vector is written to fall into the same few sets of the cache.
    plane, plane_sums = block * channels + LINE, block * made + LINE
    entered, sums = _room(POINTS * plane), _room(POINTS * plane_sums)
    zeros, waste = _room(lane), _room(lane)  # what lies around the maps, to read and to write
    zeros[:], waste[:] = 0, 0
    flat = weights.reshape(-1)
    for first in range(tiles[0], tiles[1], block):
        count = min(block, tiles[1] - first)
        _enter_block(maps, first, count, entered, plane, zeros, lanes, rows)
        for point in range(POINTS):
            for panel in range(panels[0], panels[1]):
                of = (point * weights.shape[1] + panel) * channels * width
                for row in range(0, count, len(rows)):
                    at = point * plane + row * channels
                    to = point * plane_sums + row * made + (panel - panels[0]) * width
                    _multiply(
                        entered, at, lane, lane, lane * len(rows), flat, of, channels, sums, to, made,
                        lanes, vectors, rows, UNROLLED,
                    )  # fmt: skip
        start = panels[0] * width
        _leave_block(sums, plane_sums, first, count, bias, start, floor, other, adding, out, waste, made, lanes)


@intrinsic
def _raise(_: Any, lines: Any, at: Any, out: Any, to: Any, lanes: Any) -> Signature:
    """Raise a vector of channels to another where that is higher, or no number."""
    _check(lines, out)
    vector = ir.VectorType(FLOAT, lanes.count)

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        target = _data(context, builder, signature.args[2], *arguments[2:4])
        before = _load(builder, target, 0, vector)
        value = _load(builder, _data(context, builder, signature.args[0], *arguments[:2]), 0, vector)
        higher, none = builder.fcmp_ordered(">=", before, value), builder.fcmp_unordered("uno", before, before)
        _store(builder, builder.select(builder.or_(higher, none), before, value), target, 0)
        return context.get_dummy_value()

    return types.void(lines, at, out, to, lanes), generate


@intrinsic
def _finish(_: Any, out: Any, to: Any, bias: Any, of: Any, floor: Any, lanes: Any) -> Signature:
    """Add a bias to a vector of channels and cut it off at `floor`."""
    _check(out, bias)
    vector = ir.VectorType(FLOAT, lanes.count)

    def generate(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        target = _data(context, builder, signature.args[0], *arguments[:2])
        bias = _load(builder, _data(context, builder, signature.args[2], *arguments[2:4]), 0, vector)
        total = builder.fadd(_load(builder, target, 0, vector), bias)
        floor = _spread(builder, arguments[4], vector)
        _store(builder, builder.select(builder.fcmp_ordered("<", total, floor), floor, total), target, 0)
        return context.get_dummy_value()

    return types.void(out, to, bias, of, floor, lanes), generate


@numba.njit(**OPTIONS)
def _bring_to_scale(image, mean, factor, padding, first, lines, padded, line):  # type: ignore[no-untyped-def]
    """Lines of an image (H, W, C) from `first` on, less a mean and times a factor, with zeros around.

    `mean` and `factor` are (W C,): one number for each of a line.
    """
    height, width, channels = image.shape
    flat, before = image.reshape(-1), padding * channels
    length = min(width * channels, line - before)
    for index in range(lines):
        y = first + index - padding
        target = padded[index * line : (index + 1) * line]
        target[:] = 0
        if 0 <= y < height:
            source, inner = flat[y * width * channels :], target[before:]
            for x in range(length):
                inner[x] = (source[x] - mean[x]) * factor[x]


@numba.njit(**OPTIONS)
def _pool_line(ring, made, first, end, out, to, width, wide, bias, floor, pooling, lanes):  # type: ignore[no-untyped-def]
    """A line of windows over lines `first` to `end` of sums, of which the ring holds `pooling`'s window."""
    window, stride, padding = pooling
    depth = len(bias)
    out[to : to + width * depth] = LOWEST
    for x in range(width):
        left = x * stride - padding
        for channel in range(0, depth, len(lanes)):
            here = to + x * depth + channel
            for line in range(first, end):
                for column in range(max(0, left), min(wide, left + window)):
                    _raise(ring, line % window * made + column * depth + channel, out, here, lanes)
            _finish(out, here, bias, channel, floor, lanes)


@Compiled
def convolve_and_pool(  # type: ignore[no-untyped-def]
    maps, mean, factor, weights, bias, floor, out, parts, strips, taps, stride, padding, pooling,
    lanes, vectors, rows, unrolled,
):  # fmt: skip
    """A part of a convolution with zeros around the maps, a bias, a floor, and the largest numbers in windows over it.

    Parameters
    ----------
    maps, out
        (N, H, W, C) and (N, H', W', K) float32, contiguous.
    mean, factor
        (W C,) float32: what is taken from every line of the maps, and what it is then multiplied with.
    weights
        (K / width, taps taps C, width) float32, in panels of `width` = vectors x lanes channels.
    bias, floor
        As of `convolve`.
    parts, strips
        Which part: of all images, each cut into so many strips, the first strip and the one after the last.
    taps, stride, padding
        Of the convolution, in both directions.
    pooling
        Window, stride and padding, in both directions.
    lanes, vectors, rows, unrolled
        Tuples of as many numbers as a vector has, sums in registers have vectors and rows, and steps of a sum are taken
        before its pointers move, which divide taps C.
    """
    window, pool_stride, pool_padding = pooling
    _, before, across, channels = maps.shape
    _, height, width, depth = out.shape
    tall, wide = (before + 2 * padding - taps) // stride + 1, (across + 2 * padding - taps) // stride + 1
    wide_made = -(-wide // len(rows)) * len(rows)  # sums of what lies beyond are made, and not looked at
    line, made = ((wide_made - 1) * stride + taps) * channels, wide_made * depth
    most = -(-height // strips)
    padded, ring = _room(((most - 1) * pool_stride + window - 1) * stride * line + taps * line), _room(window * made)
    panels, length, panel_width = weights.shape
    flat, flat_out = weights.reshape(-1), out.reshape(-1)
    for part in range(parts[0], parts[1]):
        image, strip = divmod(part, strips)
        top, bottom = height * strip // strips, height * (strip + 1) // strips
        start = max(0, top * pool_stride - pool_padding)
        stop = min(tall, (bottom - 1) * pool_stride - pool_padding + window)
        lines = (stop - start - 1) * stride + taps
        _bring_to_scale(maps[image], mean, factor, padding, start * stride, lines, padded, line)
        ready = start
        for y in range(top, bottom):
            first, end = y * pool_stride - pool_padding, min(tall, y * pool_stride - pool_padding + window)
            for y_made in range(ready, end):
                for panel in range(panels):
                    for x in range(0, wide, len(rows)):
                        _multiply(
                            padded, ((y_made - start) * line + x * channels) * stride, stride * channels,
                            taps * channels, line, flat, panel * length * panel_width, length,
                            ring, y_made % window * made + x * depth + panel * panel_width, depth,
                            lanes, vectors, rows, unrolled,
                        )  # fmt: skip
            ready = max(ready, end)
            to = (image * height + y) * width * depth
            _pool_line(ring, made, max(0, first), end, flat_out, to, width, wide, bias, floor, pooling, lanes)
