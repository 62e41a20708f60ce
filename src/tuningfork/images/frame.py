"""One image as it was read, before its square is cut out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """The whole image.

    Parameters
    ----------
    values
        (H, W, C), the top row first as in a picture: uint8 or float32 of 0 to 255; or, of flux, float32 in nanomaggies
        a pixel of 0.262 arcsec, its channels in the order blue, green, red, as `images.fits.stretch` takes them.
    flux
        Whether `values` are flux.
    filled
        (H, W) bool, the pixels that hold no measurement and were filled; None where there are none.
    pixel_scale
        Arcseconds a pixel of `values`, where known.
    notes
        What was assumed or mended.
    sky
        Right ascension and declination of the middle of the image, in degrees (ICRS), where known.
    bands
        Those that are shown as blue, green and red, where the file names them.
    """

    values: np.ndarray
    flux: bool = False
    filled: np.ndarray | None = None
    pixel_scale: float | None = None
    notes: tuple[str, ...] = ()
    sky: tuple[float, float] | None = None
    bands: tuple[str, ...] = ()


@dataclass(frozen=True)
class BandFiles:
    """One galaxy in several files, one a band: the bytes of each FITS file by its band."""

    files: tuple[tuple[str, bytes], ...]
