"""JPEG through libjpeg-turbo."""

from __future__ import annotations

import numpy as np
import simplejpeg

from tuningfork.errors import ImageError
from tuningfork.images import raster


def recognises(data: bytes) -> bool:
    """Whether these bytes begin like a JPEG."""
    return data[:3] == b"\xff\xd8\xff"


def read(data: bytes) -> tuple[np.ndarray, str | None]:
    """Decode the whole frame: (H, W, 3) uint8, or (H, W, 1) where it is greyscale.

    Raises
    ------
    ImageError
        If the file is cut short or damaged. libjpeg would fill the rest with grey; that is never a galaxy.
    """
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours in ("CMYK", "YCCK"):  # print colours: Pillow converts them
            return raster.read(data)
        return simplejpeg.decode_jpeg(data, colorspace="GRAY" if colours == "Gray" else "RGB", strict=True), None
    except ValueError as error:
        raise ImageError(f"truncated or damaged JPEG ({error})") from error
