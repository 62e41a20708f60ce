"""PNG, TIFF and whatever else Pillow reads.

Transparent pixels are drawn on black, as the sky is: what lies hidden below them is no galaxy. Turns that a camera
notes beside the pixels (EXIF) are left: a galaxy has no upright.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from tuningfork.errors import ImageError
from tuningfork.images import tiff
from tuningfork.images.depth import scaled
from tuningfork.images.limit import refuse_huge
from tuningfork.images.opacity import on_black

SIXTEEN_BIT = "16 bits, scaled to 8"
_HUGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)

warnings.filterwarnings(
    "error", category=Image.DecompressionBombWarning
)  # as Pillow advises: half of its limit is ours


def read(data: bytes) -> tuple[np.ndarray, str | None]:
    """Decode the first frame: (H, W, 3) or (H, W, 1) in 0 to 255, drawn on black where it is transparent.

    Returns
    -------
    tuple
        uint8, or float32 where there were more than 8 bits; and a note of what was assumed or left out.

    Raises
    ------
    ImageError
        If Pillow does not know the format, the file is cut short or claims to be huge, or its numbers have no known
        scale.
    """
    try:
        pixels, notes = _tiff(data) if data.startswith(tiff.BEGINNINGS) else _picture(data)
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image{_guess(data)}") from error
    except _HUGE as error:
        raise ImageError(f"it says that it has more pixels than are read ({error}); cut the galaxy out") from error
    except (OSError, SyntaxError) as error:  # Pillow: SyntaxError for a broken PNG chunk
        raise ImageError(f"truncated or damaged {image_format(data)} ({error})") from error
    return pixels, "; ".join(notes) or None


def image_format(data: bytes) -> str:
    """The format's name, for messages."""
    if data.startswith(b"\x89PNG"):
        return "PNG"
    return "TIFF" if data.startswith(tiff.BEGINNINGS) else "image"


def _tiff(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    pixels, notes = tiff.read(data)
    if pixels is not None:
        return pixels, notes
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        shown, more = _on_black(image)
    return shown, (*notes, *more)


def _picture(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    with Image.open(io.BytesIO(data)) as image:
        refuse_huge(*image.size)
        if image.format == "EPS":  # a program, which only another program can run
            raise ImageError("it is PostScript; save it as PNG")
        frames = getattr(image, "n_frames", 1) if image.format != "PSD" else 1  # whose frames are layers of one picture
        image.load()
        notes = (f"frame 1 of {frames}",) if frames > 1 else ()
        deep = image.format == "PNG" and data[24] == 16  # the bit depth, in the IHDR chunk that opens every PNG
        pixels, more = _deep_png(data) if deep else _pixels(image)
    return pixels, (*notes, *more)


def _pixels(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    if image.mode.startswith("I"):  # Pillow has brought these to 16 bits, by the largest value that the file states
        values = np.asarray(image).astype(np.float32)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError("its pixels have more than 16 bits; save it as a 16-bit image or as FITS")
        return values[:, :, None] / 257, (SIXTEEN_BIT,)
    if image.mode == "F":
        raise ImageError("its pixels are floating-point numbers without a stated scale; save linear flux as FITS")
    return _on_black(image)


def _on_black(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture of 8 bits without its transparency."""
    grey = image.mode in ("1", "L", "LA", "La")
    if not image.has_transparency_data:
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
        return (pixels[:, :, None] if grey else pixels), ()
    pixels = np.asarray(image.convert("LA" if grey else "RGBA"))
    return on_black(pixels[:, :, :-1], pixels[:, :, -1:])


def _deep_png(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """A PNG of 16 bits, of which Pillow would keep 8."""
    from imagecodecs import png_decode

    values = png_decode(data)
    values = values[:, :, None] if values.ndim == 2 else values
    colours = 1 if values.shape[2] < 3 else 3
    pixels, note = scaled(values[:, :, :colours], _significant_bits(data))
    if values.shape[2] == colours:
        return pixels, (note,)
    drawn, notes = on_black(pixels, scaled(values[:, :, colours:])[0])
    return drawn, (note, *notes)


def _significant_bits(data: bytes) -> int | None:
    """What the chunk sBIT says, the most of any colour."""
    at = data.find(b"sBIT", 0, data.find(b"IDAT"))
    colours = 1 if data[25] in (0, 4) else 3  # the colour type, in IHDR
    return max(data[at + 4 : at + 4 + colours]) if at > 0 else None


def _guess(data: bytes) -> str:
    """What the bytes look like, where that is plain."""
    try:
        start = data[:512].decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return " (it is text)" if start.isprintable() or "\n" in start else ""
