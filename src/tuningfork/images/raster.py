"""PNG, TIFF and whatever else Pillow reads."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from tuningfork.errors import ImageError

SIXTEEN_BIT = "16 bits, scaled to 8"


def read(data: bytes) -> tuple[np.ndarray, str | None]:
    """Decode the first frame: (H, W, 3) or (H, W, 1) in 0 to 255; transparency is dropped.

    Returns
    -------
    tuple
        uint8, or float32 where 16 bits were divided by 257 (65535 becomes 255); and a note then.

    Raises
    ------
    ImageError
        If Pillow does not know the format or the file is cut short.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return _pixels(image, data)
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image{_guess(data)}") from error
    except (OSError, SyntaxError) as error:  # Pillow: SyntaxError for a broken PNG chunk
        raise ImageError(f"truncated or damaged {image_format(data)} ({error})") from error


def image_format(data: bytes) -> str:
    """The format's name, for messages."""
    if data.startswith(b"\x89PNG"):
        return "PNG"
    return "TIFF" if data[:4] in (b"II*\0", b"MM\0*") else "image"


def _pixels(image: Image.Image, data: bytes) -> tuple[np.ndarray, str | None]:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float32)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError("its pixels have more than 16 bits; save it as a 16-bit image or as FITS")
        return values[:, :, None] / 257, SIXTEEN_BIT
    if image.mode == "F":
        raise ImageError("its pixels are floating-point numbers without a stated scale; save linear flux as FITS")
    grey = image.mode in ("1", "L", "LA", "La")
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return (pixels[:, :, None] if grey else pixels), (SIXTEEN_BIT if _is_deep(image, data) else None)


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether this was a 16-bit colour image, which Pillow reads by its higher bytes."""
    if image.format == "PNG":
        return data[24] == 16  # the bit depth, in the IHDR chunk that opens every PNG
    bits_a_sample = 258
    return image.format == "TIFF" and 16 in image.tag_v2.get(bits_a_sample, ())  # type: ignore[attr-defined]


def _guess(data: bytes) -> str:
    """What the bytes look like, where that is plain."""
    try:
        start = data[:512].decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return " (it is text)" if start.isprintable() or "\n" in start else ""
