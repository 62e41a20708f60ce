"""Squares that show no galaxy: they are refused, since a network would answer for them all the same."""

from __future__ import annotations

import numpy as np

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
    flat = cells.reshape(-1, cells.shape[2])
    if (flat.max(axis=0) - flat.min(axis=0)).max() < SHADES:
        raise ImageError("it shows nothing: the square that is looked at is the same everywhere")
    notes: tuple[str, ...] = ()
    for share, some, largest, what in (
        (float((flat.min(axis=1) > 254).mean()), SOME_WHITE, LARGEST_WHITE, "white"),
        (float((flat.max(axis=1) < 0.5).mean()), SOME_BLACK, LARGEST_BLACK, "black"),
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
