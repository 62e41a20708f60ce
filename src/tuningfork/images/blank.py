"""Squares that show no galaxy: they are refused, since a network would answer for them all the same."""

from __future__ import annotations

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.cells import Cells

LARGEST_WHITE = 0.25  # shares of the square; of challenge galaxies no cell is white,
SOME_WHITE = 0.004
LARGEST_BLACK = 0.98  # and at most SHARE is black
SOME_BLACK = 0.5
LARGEST_FILLED = 0.3
LARGEST_MIDDLE = 0.5  # of the middle
MIDDLE = 0.1  # the middle's half side, as a share of the square's
SHADES = 3  # levels of 255 between the darkest and the brightest cell of a channel, at least


def check(cells: Cells) -> tuple[str, ...]:
    """What is odd about a square's cells, if they show something.

    Raises
    ------
    ImageError
        If all are alike, or too many are white or black in all channels.
    """
    if cells.shades < SHADES:
        raise ImageError("it shows nothing: the square that is looked at is the same everywhere")
    notes: tuple[str, ...] = ()
    for share, some, largest, what in (
        (cells.white, SOME_WHITE, LARGEST_WHITE, "white"),
        (cells.black, SOME_BLACK, LARGEST_BLACK, "black"),
    ):
        if share > largest:
            raise ImageError(
                f"{share:.0%} of the square that is looked at is {what}: check its flux unit, or --zero-point"
            )
        if share > some:
            notes += (f"{100 * share:.2g} % of the square that is looked at is {what}",)
    return notes


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
