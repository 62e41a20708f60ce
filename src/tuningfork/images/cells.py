"""What a square shows in 15 x 15 cells, in which it is judged; measured for every image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuningfork.compiled import Compiled
from tuningfork.images.geometry import Geometry
from tuningfork.images.resample import resample

SIDE = 15  # cells; odd, so that one is the middle
NEAR, FAR = 1.5, 3.0  # cells from the middle: what is inside the first, and what is beyond the second, is compared

_y, _x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
_FROM_MIDDLE = np.hypot(_x, _y)
_PLACE = np.where(_FROM_MIDDLE <= NEAR, 0, np.where(_FROM_MIDDLE >= FAR, 1, 2))  # in the middle, around it, between


@dataclass(frozen=True)
class Cells:
    """Of the means of the cells, 0 to 255.

    `shades` lie between the darkest and the brightest of the richest channel; `white` and `black` are the shares of
    cells that are so in all channels. `middle` and `elsewhere` are how bright it is at most there: above the median of
    the border, added up over a fifth of the square's side.
    """

    shades: float
    white: float
    black: float
    middle: float
    elsewhere: float


def measure(pixels: np.ndarray, share: float = 1.0) -> Cells:
    """Measure the middle `share` of a square (size, size, channels)."""
    found = np.zeros(6)
    _measure(resample(pixels, Geometry(share, SIDE)), _PLACE, found)
    return Cells(*found[:5].tolist())


@Compiled
def _measure(cells: np.ndarray, place: np.ndarray, found: np.ndarray) -> None:
    """The figures of `Cells` of the means (15, 15, channels), then the brightness of the places in between."""
    side, _, n = cells.shape
    for channel in range(n):
        lowest, highest = cells[0, 0, channel], cells[0, 0, channel]
        for y in range(side):
            for x in range(side):
                lowest, highest = min(lowest, cells[y, x, channel]), max(highest, cells[y, x, channel])
        found[0] = max(found[0], highest - lowest)
    grey = np.empty((side, side))
    for y in range(side):
        for x in range(side):
            darkest, brightest = cells[y, x, 0], cells[y, x, 0]
            for channel in range(1, n):
                darkest, brightest = min(darkest, cells[y, x, channel]), max(brightest, cells[y, x, channel])
            found[1] += darkest > 254
            found[2] += brightest < 0.5
            grey[y, x] = cells[y, x].mean()
    found[1:3] /= side * side
    sky = np.median(np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1])))
    for y in range(side):
        for x in range(side):
            light = 0.0
            for down in range(-1, 2):
                for right in range(-1, 2):
                    near = grey[min(max(y + down, 0), side - 1), min(max(x + right, 0), side - 1)]
                    light += max(near - sky, 0.0)
            kind = 3 + place[y, x]
            found[kind] = max(found[kind], light)
