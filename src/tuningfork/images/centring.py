"""Whether what is brightest is in the middle of the square, where the galaxy that is asked about should be."""

from __future__ import annotations

from tuningfork.images.cells import Cells

LEAST = 0.7  # how bright the middle is, in units of the brightest elsewhere: less for 1 % of centred galaxies
NOT_CENTRED = "the brightest light is far from the middle: is the galaxy centred?"


def is_centred(cells: Cells) -> bool:
    """Whether the middle of a square is about as bright as anything else in it."""
    return cells.middle >= LEAST * cells.elsewhere
