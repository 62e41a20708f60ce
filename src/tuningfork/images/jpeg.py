"""JPEG through libjpeg-turbo, at a half, a quarter or an eighth of its size where that is fine enough.

A decoder that leaves out the high frequencies of each 8x8 block has less to do and gives the frame already reduced.
What is left is still averaged to the size asked for, so it must be finer than that by half.
"""

from __future__ import annotations

import numpy as np
import simplejpeg

from tuningfork.errors import ImageError
from tuningfork.images import raster
from tuningfork.images.geometry import SMALLEST, Geometry
from tuningfork.images.limit import refuse_huge

FINER = 1.5  # decoded pixels a side for one asked for, at least


def recognises(data: bytes) -> bool:
    """Whether these bytes begin like a JPEG."""
    return data[:3] == b"\xff\xd8\xff"


def read(data: bytes, geometry: Geometry | None) -> tuple[np.ndarray, str | None]:
    """Decode the whole frame: (H, W, 3) uint8, or (H, W, 1) where it is greyscale; reduced as `geometry` allows.

    Raises
    ------
    ImageError
        If the file is cut short or damaged, or claims to be huge. libjpeg would fill the rest with grey; that is never
        a galaxy.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        refuse_huge(width, height)
        if colours in ("CMYK", "YCCK"):  # print colours: Pillow converts them
            return raster.read(data)
        factor = reduction(height, width, geometry) if geometry else 1
        frame = simplejpeg.decode_jpeg(
            data,
            colorspace="GRAY" if colours == "Gray" else "RGB",
            min_height=height // factor,
            min_width=width // factor,
            strict=True,
        )
        return frame, None
    except ValueError as error:
        raise ImageError(f"truncated or damaged JPEG ({error})") from error


def reduction(height: int, width: int, geometry: Geometry) -> int:
    """By how much a frame may be reduced in decoding: 8, 4, 2, or 1 where it has too few pixels or an odd number."""
    step = geometry.field * min(height, width) / geometry.size
    whole = (f for f in (8, 4, 2) if height % f == 0 and width % f == 0 and min(height, width) >= f * SMALLEST)
    fitting = (f for f in whole if step >= FINER * f)
    return next(fitting, 1)
