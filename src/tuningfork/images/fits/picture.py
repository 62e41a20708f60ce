"""Pictures stored as FITS: colours already, not flux."""

from __future__ import annotations

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.fits.choose import is_picture
from tuningfork.images.fits.opening import Unit
from tuningfork.images.frame import Frame


def picture(unit: Unit) -> Frame:
    """Pixels (H, W, 3), (H, W, 4) with transparency, or of 8 bits (3, H, W) or (H, W): red, green, blue or grey.

    Raises
    ------
    ImageError
        If its axes or its range are no picture's.
    """
    values = unit.values
    if not is_picture(values.shape):
        if values.ndim == 3 and len(values) not in (3, 4):
            raise ImageError(f"an 8-bit cube of {len(values)} planes, which is no picture; 1, 3 or 4 are read")
        values = np.moveaxis(values, 0, 2) if values.ndim == 3 else values[:, :, None]
    values, said = _to_255(values)
    if values.shape[2] == 4:
        values, said = values[:, :, :3] * (values[:, :, 3:] / np.float32(255)), f"{said}, transparent pixels on black"
    kind = "grey" if values.shape[2] == 1 else "red, green and blue"
    return Frame(values[::-1], notes=(f"taken as a picture in {kind}{said}",))


def _to_255(values: np.ndarray) -> tuple[np.ndarray, str]:
    if values.dtype == np.uint8:
        return values, ""
    floats = values.astype(np.float32)
    if not np.isfinite(floats).all():
        raise ImageError("a picture (height, width, colours) with NaN in it; bands of flux are (bands, height, width)")
    low, high = float(floats.min()), float(floats.max())
    if low >= 0 and high <= 1 and values.dtype.kind == "f":
        return floats * 255, ", of 0 to 1"
    if low >= 0 and high <= 255:
        return floats, ", of 0 to 255"
    if low >= 0 and high <= 65535 and values.dtype.kind in "iu":
        return floats / 257, ", 16 bits, scaled to 8"
    raise ImageError(
        f"a picture (height, width, colours) of {low:.3g} to {high:.3g}, whose white is not known; save it as 0 to "
        "255, or bands of flux as (bands, height, width)"
    )
