"""Whether what is brightest is in the middle of the square, where the galaxy that is asked about should be."""

from __future__ import annotations

import numpy as np

from tuningfork.compiled import Compiled
from tuningfork.images.blank import CELLS

NEAR, FAR = 1.5, 3.0  # cells from the middle: what is inside the first, and what is beyond the second, is compared
LEAST = 0.7  # how bright the middle is, in units of the brightest elsewhere: less for 1 % of centred galaxies
NOT_CENTRED = "the brightest light is far from the middle: is the galaxy centred?"

_y, _x = np.mgrid[:CELLS, :CELLS] - CELLS // 2
_FROM_MIDDLE = np.hypot(_x, _y)
_PLACE = np.where(_FROM_MIDDLE <= NEAR, 0, np.where(_FROM_MIDDLE >= FAR, 1, 2))  # in the middle, around it, between


def is_centred(cells: np.ndarray) -> bool:
    """Whether the middle of a square's cells (15, 15, channels) is about as bright as anything else in it.

    Brightness is that above the median of the border, averaged over a fifth of the square's side.
    """
    brightest = np.zeros(3)
    _measure(cells, _PLACE, brightest)
    return bool(brightest[0] >= LEAST * brightest[1])


@Compiled
def _measure(cells: np.ndarray, place: np.ndarray, brightest: np.ndarray) -> None:
    """How bright it is at most in each kind of `place`, the edge repeated; without the interpreter's lock."""
    side = len(cells)
    grey = np.empty((side, side))
    for y in range(side):
        for x in range(side):
            grey[y, x] = cells[y, x].mean()
    sky = np.median(np.concatenate((grey[0], grey[-1], grey[:, 0], grey[:, -1])))
    for y in range(side):
        for x in range(side):
            light = 0.0
            for down in range(-1, 2):
                for right in range(-1, 2):
                    near = grey[min(max(y + down, 0), side - 1), min(max(x + right, 0), side - 1)]
                    light += max(near - sky, 0.0)
            kind = place[y, x]
            brightest[kind] = max(brightest[kind], light)
