"""Squares that show no galaxy: they are refused, since a network would answer for them all the same."""

from __future__ import annotations

import numpy as np

from tuningfork.compiled import Compiled
from tuningfork.errors import ImageError
from tuningfork.images.geometry import Geometry
from tuningfork.images.resample import resample

CELLS = 15  # a side of the square, in which it is judged; odd, so that one is the middle
LARGEST_WHITE = 0.25  # shares of the square; of challenge galaxies no cell is white,
SOME_WHITE = 0.004
LARGEST_BLACK = 0.98  # and at most SHARE is black
SOME_BLACK = 0.5
LARGEST_FILLED = 0.3
LARGEST_MIDDLE = 0.5  # of the middle
MIDDLE = 0.1  # the middle's half side, as a share of the square's
SHADES = 3  # levels of 255 between the darkest and the brightest cell of a channel, at least


def cells_of(pixels: np.ndarray, share: float = 1.0) -> np.ndarray:
    """The means of 15 x 15 cells of the middle `share` of a square (size, size, channels): (15, 15, channels)."""
    return resample(pixels, Geometry(share, CELLS))


def check(cells: np.ndarray) -> tuple[str, ...]:
    """What is odd about a square's cells (15, 15, channels), 0 to 255, if they show something.

    Raises
    ------
    ImageError
        If all are alike, or too many are white or black in all channels.
    """
    found = np.zeros(3)
    _measure(cells, found)
    shades, white, black = found.tolist()
    if shades < SHADES:
        raise ImageError("it shows nothing: the square that is looked at is the same everywhere")
    notes: tuple[str, ...] = ()
    for share, some, largest, what in (
        (white, SOME_WHITE, LARGEST_WHITE, "white"),
        (black, SOME_BLACK, LARGEST_BLACK, "black"),
    ):
        if share > largest:
            raise ImageError(
                f"{share:.0%} of the square that is looked at is {what}: check its flux unit, or --zero-point"
            )
        if share > some:
            notes += (f"{100 * share:.2g} % of the square that is looked at is {what}",)
    return notes


@Compiled
def _measure(cells: np.ndarray, found: np.ndarray) -> None:
    """The shades of cells (H, W, C) in their richest channel, and the shares of them that are white and black.

    It is done for every image, so without the interpreter's lock.
    """
    height, width, channels = cells.shape
    for channel in range(channels):
        lowest, highest = cells[0, 0, channel], cells[0, 0, channel]
        for y in range(height):
            for x in range(width):
                lowest, highest = min(lowest, cells[y, x, channel]), max(highest, cells[y, x, channel])
        found[0] = max(found[0], highest - lowest)
    for y in range(height):
        for x in range(width):
            darkest, brightest = cells[y, x, 0], cells[y, x, 0]
            for channel in range(1, channels):
                darkest, brightest = min(darkest, cells[y, x, channel]), max(brightest, cells[y, x, channel])
            found[1] += darkest > 254
            found[2] += brightest < 0.5
    found[1:] /= height * width


def check_filled(filled: np.ndarray) -> None:
    """Refuse a square (size, size) of which too much was filled: `filled` is the share of each pixel.

    Raises
    ------
    ImageError
        If it is too much of all of it, or of its middle.
    """
    side = max(1, round(MIDDLE * len(filled)))
    start = (len(filled) - 2 * side) // 2
    middle = filled[start : start + 2 * side, start : start + 2 * side]
    for part, largest, what in (
        (filled, LARGEST_FILLED, "square that is looked at"),
        (middle, LARGEST_MIDDLE, "middle"),
    ):
        if part.mean() > largest:
            raise ImageError(f"{part.mean():.0%} of the {what} holds no data (NaN, masked or zero)")
