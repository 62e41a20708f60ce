"""One band of one galaxy as its file holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.io.fits import Header


@dataclass(frozen=True)
class Plane:
    """A plane of an image.

    Parameters
    ----------
    values
        (H, W), as stored once the header's BSCALE and BZERO are applied, the first row at the bottom.
    header
        What the file says of it.
    band
        Its band, such as ``g``; empty where it is not known.
    bad
        (H, W) bool, the pixels that a mask, data quality flags or weights of 0 say are bad; None where nothing does.
    notes
        What to say of it.
    exact
        Whether `values` are as measured, not rounded to whole numbers or steps of a compression.
    """

    values: np.ndarray
    header: Header
    band: str = ""
    bad: np.ndarray | None = None
    exact: bool = True
    notes: tuple[str, ...] = ()
