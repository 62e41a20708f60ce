"""Images compressed by RICE_1: many tiles at once, without the interpreter's lock.

astropy takes the tiles one by one in Python and holds the lock meanwhile, so that two cores are no quicker than one.
The code is that of CFITSIO (ricecomp.c; White & Becker 1998); the steps and the dither are those of the FITS standard
4.0, sections 10.2 and 10.4.1 (Pence et al. 2010, A&A 524, A42).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tuningfork.compiled import OPTIONS, Compiled

DITHERS = {"NO_DITHER": 0, "NONE": 0, "SUBTRACTIVE_DITHER_1": 1, "SUBTRACTIVE_DITHER_2": 2}
RANDOM = 10_000  # numbers of the dither's sequence
ZERO = -2147483646  # stands for exactly 0 in SUBTRACTIVE_DITHER_2


@lru_cache(maxsize=1)
def dither_sequence() -> np.ndarray:
    """The standard's pseudo-random numbers, (10000,) float32 (Park & Miller 1988, CACM 31, 1192)."""
    seed, numbers = 1, np.empty(RANDOM, np.float32)
    for index in range(RANDOM):
        seed = 16807 * seed % 2147483647
        numbers[index] = seed / 2147483647
    return numbers


@intrinsic
def _leading_zeros(_: Any, word: Any) -> tuple[Any, Callable[..., Any]]:
    """How many bits of a uint64 before the first that is set; 64 where none is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@numba.njit(**OPTIONS)
def _differences(data, at, stop, values, count, block, size):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """Decode one tile into `values` (int32, modulo 2 to the bits of a number); whether its bytes were enough.

    `held` has the next bits of the stream at its upper end, `n` of them.
    """
    fs_bits, fs_max, bits = (5, 25, 32) if size == 4 else ((4, 14, 16) if size == 2 else (3, 6, 8))
    one, full = np.uint64(1), np.uint64(64)
    held, n, beyond = np.uint64(0), np.uint64(0), 0
    last = np.int32(0)
    for _ in range(size):  # the number before the first, as it is
        last = np.int32(last << 8) | np.int32(data[at])
        at += one
    done = 0
    while done < count:
        if n <= np.uint64(56):
            while n <= np.uint64(56):
                if at < stop:
                    held |= np.uint64(data[at]) << (np.uint64(56) - n)
                else:
                    beyond += 8
                at += one
                n += np.uint64(8)
        fs = np.int64(held >> np.uint64(64 - fs_bits)) - 1
        held <<= np.uint64(fs_bits)
        n -= np.uint64(fs_bits)
        end = min(done + block, count)
        if fs < 0:
            values[done:end] = last
        else:
            raw = fs == fs_max
            low = np.uint64(bits if raw else fs)
            for index in range(done, end):
                high = np.uint64(0)
                while not raw:
                    zeros = _leading_zeros(held)
                    if zeros < n:
                        high += zeros
                        held = (held << zeros) << one
                        n -= zeros + one
                        break
                    high += n
                    held, n = np.uint64(0), np.uint64(0)
                    if at >= stop:
                        return False
                    while n <= np.uint64(56) and at < stop:
                        held |= np.uint64(data[at]) << (np.uint64(56) - n)
                        at += one
                        n += np.uint64(8)
                while n < low or n <= np.uint64(32):
                    if at < stop:
                        held |= np.uint64(data[at]) << (np.uint64(56) - n)
                    else:
                        beyond += 8
                    at += one
                    n += np.uint64(8)
                word = np.uint64(0)
                if low > np.uint64(0):
                    word = held >> (full - low)
                    held <<= low
                    n -= low
                word |= high << low
                last += np.int32(word >> one) ^ -np.int32(word & one)
                values[index] = last
        done = end
    return np.int64(n) >= beyond


@numba.njit(**OPTIONS)
def _unquantized(values, line, scale, zero, dither, blank, random, seed, following):  # type: ignore[no-untyped-def]
    """A row of numbers as what was measured; where in the sequence the next row begins."""
    at = 0
    while at < len(line):
        end = len(line)
        if dither > 0:
            end = min(end, at + len(random) - following)
        for index in range(at, end):
            number = np.float64(values[index])
            if dither > 0:
                number = number - np.float64(random[following + index - at]) + 0.5
            line[index] = np.float32(number * scale + zero)
        if dither == 2:
            for index in range(at, end):
                if values[index] == ZERO:
                    line[index] = 0
        if dither > 0:
            following += end - at
            if following == len(random):
                seed = (seed + 1) % len(random)
                following = int(random[seed] * np.float32(500))
        at = end
    if blank[0]:
        for index in range(len(line)):
            if values[index] == blank[1]:
                line[index] = np.nan
    return seed, following


@Compiled
def decompress(
    data: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    steps: np.ndarray,
    shape: tuple[int, int],
    code: tuple[int, int],
    dither: tuple[int, int],
    blank: tuple[bool, int],
    random: np.ndarray,
    out: np.ndarray,
    damaged: np.ndarray,
) -> None:
    """Decompress tiles that follow one another into `out`.

    Parameters
    ----------
    data
        Bytes, (B,) uint8.
    starts, stops
        Where in `data` each tile begins and ends, (N,) uint64, at least the bytes of a number apart: not checked here.
    steps
        What a step and the number 0 are in each tile, (N, 2) float64.
    shape
        Height and width of a tile; those at the rims of the image are smaller.
    code
        How many numbers a block has, and how many bytes a number: 1, 2 or 4.
    dither
        Which one (`DITHERS`), and where in the sequence the first tile begins.
    blank
        Whether there is a number for "no value", and which.
    random
        `dither_sequence`.
    out
        (H, W) float32: whole rows of tiles.
    damaged
        (1,) bool, set where a tile ends too early.
    """
    height, width = out.shape
    across = (width + shape[1] - 1) // shape[1]
    values = np.empty(shape[0] * shape[1], np.int32)
    for tile in range(len(starts)):
        top, left = (tile // across) * shape[0], (tile % across) * shape[1]
        rows, columns = min(shape[0], height - top), min(shape[1], width - left)
        if not _differences(data, starts[tile], stops[tile], values, rows * columns, code[0], code[1]):
            damaged[0] = True
        if code[1] == 2:
            for index in range(rows * columns):
                values[index] = np.int32(np.int16(values[index]))
        elif code[1] == 1:
            for index in range(rows * columns):
                values[index] &= np.int32(255)
        seed = (dither[1] + tile) % len(random)
        following = int(random[seed] * np.float32(500))
        for row in range(rows):
            seed, following = _unquantized(
                values[row * columns : (row + 1) * columns],
                out[top + row, left : left + columns],
                steps[tile, 0],
                steps[tile, 1],
                dither[0],
                blank,
                random,
                seed,
                following,
            )
