"""TIFF: what its tags say of the picture, and the pixels that Pillow would not read right."""

from __future__ import annotations

import io
import logging
import math
from typing import TYPE_CHECKING

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.depth import scaled, scaled_floats
from tuningfork.images.limit import refuse_huge
from tuningfork.images.opacity import on_black

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two: BigTIFF
REDUCED, MASK = 1, 4  # bits of NewSubfileType: a preview, a transparency mask
BLACK_IS_0, RGB = 1, 2  # PhotometricInterpretation
UNSIGNED, FLOAT = 1, 3  # SampleFormat
PLANES = 2  # PlanarConfiguration
ASSOCIATED, UNASSOCIATED = 1, 2  # ExtraSamples that are opacity: colours are multiplied by it already, or are not
LARGEST_VALUES = ("SMaxSampleValue", "MaxSampleValue")

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds odd in one of a million files is no news


def read(data: bytes) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The first page, drawn on black: (H, W, 3) or (H, W, 1) in 0 to 255.

    Returns
    -------
    tuple
        uint8 or float32, or None where Pillow reads this kind of TIFF as it should (8 bits or fewer, interleaved); and
        notes.

    Raises
    ------
    ImageError
        If the file is cut short, its pages or samples seem to be bands, or its numbers have no known scale.
    """
    from tifffile import TiffFile  # a fifth of a second that other formats need not wait for

    with TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        refuse_huge(page.imagewidth, page.imagelength * page.imagedepth)
        notes = _about_pages(file)
        _refuse_bands(page)
        if _is_plain(page):
            return None, (*notes, *_about_samples(page))
        _refuse_unknown(page)
        _refuse_cut_short(page, len(data))
        values = page.asarray(maxworkers=1)
        values = np.moveaxis(values, 0, -1) if page.axes == "SYX" else values
        values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
        pixels, more = _drawn(page, values)
        return pixels, (*notes, *_about_samples(page), *more)


def _about_pages(file: TiffFile) -> tuple[str, ...]:
    """A note where there are several pictures, previews and masks apart."""
    kept = [series for series in file.series if not series.keyframe.subfiletype & (REDUCED | MASK)]
    frames = sum(math.prod(n for n, axis in zip(one.shape, one.axes, strict=True) if axis not in "YXS") for one in kept)
    page = file.pages.first
    sizes = {(one.keyframe.imagewidth, one.keyframe.imagelength, one.keyframe.samplesperpixel) for one in kept}
    if frames >= 3 and sizes == {(page.imagewidth, page.imagelength, 1)}:
        raise ImageError(
            f"it holds {frames} pages of one band each, which may be bands, slices or moments; "
            "save one colour image, or FITS with the name of each band"
        )
    return (f"frame 1 of {frames}",) if frames > 1 else ()


def _refuse_bands(page: TiffPage) -> None:
    """Samples that are neither colours nor opacity."""
    colours = page.samplesperpixel - len(_opacity(page))
    if page.photometric in (0, BLACK_IS_0) and colours > 1:
        raise ImageError(
            f"it holds {colours} bands that no tag calls colours; save it as RGB, or as FITS with the name of each band"
        )
    if page.imagedepth > 1:
        raise ImageError(f"it is a volume of {page.imagedepth} slices; save one image")


def _opacity(page: TiffPage) -> tuple[int, ...]:
    return tuple(int(kind) for kind in page.extrasamples if kind in (ASSOCIATED, UNASSOCIATED))


def _is_plain(page: TiffPage) -> bool:
    """Whether Pillow reads it as it should."""
    planes = page.planarconfig == PLANES and page.samplesperpixel > 1
    return page.bitspersample <= 8 and page.sampleformat == UNSIGNED and not planes


def _refuse_unknown(page: TiffPage) -> None:
    known = page.photometric == RGB and page.samplesperpixel >= 3
    if not known and page.photometric != BLACK_IS_0:
        kind = getattr(page.photometric, "name", str(page.photometric))
        raise ImageError(f"its colours are {kind} of {page.bitspersample} bits; save it as RGB with 8 or 16 bits")
    if page.sampleformat not in (UNSIGNED, FLOAT) or (page.sampleformat == UNSIGNED and page.bitspersample > 16):
        kind = "unsigned" if page.sampleformat == UNSIGNED else "signed"
        raise ImageError(
            f"its pixels are {kind} numbers of {page.bitspersample} bits (more than 16 bits, or with a sign), whose "
            "scale is not stated; save it as a 16-bit image or as FITS"
        )


def _refuse_cut_short(page: TiffPage, length: int) -> None:
    """Parts that are missing, which would be read as black."""
    counts = page.databytecounts
    ends = [start + count for start, count in zip(page.dataoffsets, counts, strict=True)]
    needed = math.prod(page.shape) * page.bitspersample // 8
    if max(ends, default=0) > length or 0 in counts or (page.compression == 1 and sum(counts) < needed):
        raise ImageError("truncated or damaged TIFF (a part of its pixels is missing)")


def _drawn(page: TiffPage, values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The colours alone, on black."""
    colours = 3 if page.photometric == RGB else 1
    pixels, notes = _scaled(page, values[:, :, :colours])
    opacity = _opacity(page)
    if not opacity:
        return np.ascontiguousarray(pixels), notes
    channel = colours + [int(kind) for kind in page.extrasamples].index(opacity[0])
    share, _ = _scaled(page, values[:, :, [channel]])
    drawn, more = on_black(pixels, share, weakened=opacity[0] == ASSOCIATED)
    return drawn, (*notes, *more)


def _scaled(page: TiffPage, values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples as 0 to 255."""
    if page.bitspersample == 8:
        return values, ()
    pixels, note = scaled_floats(values) if page.sampleformat == FLOAT else scaled(values, _stated_bits(page))
    return pixels, (note,)


def _stated_bits(page: TiffPage) -> int | None:
    """The significant bits, where the container is none of whole bytes or the largest value is that of a depth."""
    if page.bitspersample not in (8, 16):
        return int(page.bitspersample)
    for name in LARGEST_VALUES:
        tag = page.tags.get(name)
        if tag is None:
            continue
        largest = float(np.max(tag.value))
        if largest >= 255 and math.log2(largest + 1).is_integer():  # others are of these very pixels: statistics
            return round(math.log2(largest + 1))
    return None


def _about_samples(page: TiffPage) -> tuple[str, ...]:
    """A note where samples beside colours and opacity are left out."""
    extra = len(page.extrasamples) - len(_opacity(page)) if page.photometric == RGB else 0
    return (f"the colours of {page.samplesperpixel} channels; {extra} left out",) if extra > 0 else ()
