"""Whether what is brightest is in the middle of the square, where the galaxy that is asked about should be."""

from __future__ import annotations

import numpy as np

from tuningfork.images.blank import CELLS

NEAR, FAR = 1.5, 3.0  # cells from the middle: what is inside the first, and what is beyond the second, is compared
LEAST = 0.7  # how bright the middle is, in units of the brightest elsewhere: less for 1 % of centred galaxies
NOT_CENTRED = "the brightest light is far from the middle: is the galaxy centred?"

_y, _x = np.mgrid[:CELLS, :CELLS] - CELLS // 2
_FROM_MIDDLE = np.hypot(_x, _y)
_PADDED = np.ix_(*[np.clip(np.arange(-1, CELLS + 1), 0, CELLS - 1)] * 2)  # the edge repeated
_MIDDLE, _AROUND = _FROM_MIDDLE <= NEAR, _FROM_MIDDLE >= FAR


def is_centred(cells: np.ndarray) -> bool:
    """Whether the middle of a square's cells (15, 15, channels) is about as bright as anything else in it.

    Brightness is that above the median of the border, averaged over a fifth of the square's side.
    """
    grey = cells.mean(axis=2)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    light = np.maximum(grey - np.median(border), 0)[_PADDED]
    rows = light[:-2] + light[1:-1] + light[2:]
    smooth = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return bool(smooth[_MIDDLE].max() >= LEAST * smooth[_AROUND].max())
