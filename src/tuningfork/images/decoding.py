"""Bytes or an array to the pixels of a geometry. The format is recognised from the bytes, never from a name."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tuningfork.errors import ImageError, first_line
from tuningfork.images import jpeg, raster
from tuningfork.images.blank import check, check_filled
from tuningfork.images.cells import measure
from tuningfork.images.centring import NOT_CENTRED, is_centred
from tuningfork.images.frame import BandFiles, Frame
from tuningfork.images.geometry import SMALLEST, Geometry
from tuningfork.images.item import Payload
from tuningfork.images.reading import Reading
from tuningfork.images.resample import resample

LONG = 1.1  # times as long as it is high: an image that is no square


@dataclass(frozen=True)
class Seen:
    """What is looked at of an image.

    `pixels` is (size, size, channels) uint8; `notes` is what was assumed or mended; `pixel_scale` is the arcseconds a
    pixel of the image, `field_arcsec` those of the side of the square and `sky` its middle (ra, dec in degrees), where
    known, and `bands` are as of `Frame`.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]
    pixel_scale: float | None = None
    field_arcsec: float | None = None
    sky: tuple[float, float] | None = None
    bands: tuple[str, ...] = ()


def decode(data: Payload, geometry: Geometry, reading: Reading | None = None) -> tuple[np.ndarray, str | None]:
    """The pixels of `read_image`, and its notes as one text, None where there are none."""
    seen = read_image(data, geometry, reading)
    return seen.pixels, "; ".join(seen.notes) or None


def read_image(data: Payload, geometry: Geometry, reading: Reading | None = None) -> Seen:
    """Decode an image, cut out its square, bring it to size.

    Parameters
    ----------
    data
        The bytes of a JPEG, PNG, TIFF, FITS file, or anything else Pillow reads; of one FITS file a band; pixels
        (H, W, C) uint8; or a frame that was read already.
    geometry
        The part of the frame to look at, and its size.
    reading
        What is known of the file beside what it says itself, and what a frame is.

    Raises
    ------
    ImageError
        If this is no image, is cut short, is too small or of the wrong number of channels, shows nothing, or something
        must be known of it that neither it nor `reading` says.
    """
    reading = reading or Reading()
    if isinstance(data, (bytes, np.ndarray)) and len(data) == 0:
        raise ImageError("it is empty (0 bytes)")
    frame = read_frame(data, geometry, reading)
    height, width, _ = frame.values.shape
    if min(height, width) < SMALLEST:
        raise ImageError(
            f"only {width} x {height} pixels; the smallest image that is looked at is {SMALLEST} x {SMALLEST}"
        )
    scale = frame.pixel_scale
    square = _square(geometry, reading, height, width, scale)
    pixels, spread = cut_out(frame, square)
    if frame.filled is not None:
        check_filled(resample(frame.filled[:, :, None].astype(np.float32), square)[:, :, 0])
    cells = measure(pixels)
    seen = cells if reading.looked == 1 else measure(pixels, reading.looked)
    notes = (*frame.notes, *((spread,) if spread else ()), *check(seen))
    if reading.located and max(height, width) > LONG * min(height, width):
        notes += (f"{width} x {height} pixels: the galaxy is looked for in the square in the middle alone",)
    if not reading.located and not is_centred(cells):
        notes += (NOT_CENTRED,)
    angle = square.field * min(height, width) * scale if scale else None
    if unusual := reading.note(angle):
        notes += (unusual,)
    return Seen(
        np.ascontiguousarray(pixels),
        notes,
        scale,
        angle * reading.looked if angle else None,
        frame.sky,
        frame.bands,
    )


def cut_out(frame: Frame, square: Geometry) -> tuple[np.ndarray, str | None]:
    """The pixels (size, size, channels) uint8 of a square of a frame, and what to say of its channels.

    Nothing is asked of what they show.

    Raises
    ------
    ImageError
        If the frame has channels that can't be brought to those of the square.
    """
    rounded = (
        frame.values.dtype == np.uint8 and frame.values.shape[2] <= square.channels
    )  # others are worked on in floats
    values = resample(frame.values, square, rounded=rounded)
    if frame.flux:
        from tuningfork.images import fits

        values = fits.stretch(values)
    pixels, spread = _to_channels(values, square.channels)
    return (pixels if rounded else np.rint(pixels).astype(np.uint8)), spread


def _square(geometry: Geometry, reading: Reading, height: int, width: int, scale: float | None) -> Geometry:
    """The geometry whose field is the share of this image that is looked at."""
    share = reading.field.fraction(height, width, scale)
    return geometry if share == 1 else replace(geometry, field=geometry.field * share)


def read_frame(data: Payload, geometry: Geometry, reading: Reading) -> Frame:
    """The whole frame; a JPEG as finely as the geometry, which is to be cut out of it, needs it.

    Raises
    ------
    ImageError
        If this is no image, is cut short, or something must be known of it that neither it nor `reading` says.
    """
    if isinstance(data, Frame):
        return data
    if isinstance(data, np.ndarray):
        return Frame(_checked(data), pixel_scale=reading.stated.pixel_scale)
    try:
        if isinstance(data, BandFiles) or _is_fits(data):
            from tuningfork.images import fits  # half a second that other formats need not wait for

            return fits.read_frame(data, reading)
        values, note = _read_picture(data, geometry, reading)
    except (ImageError, ImportError, MemoryError):  # of a library that is not whole; of no image
        raise
    except Exception as error:  # whatever a decoder throws at hostile bytes is one bad image, not the end of the job
        raise ImageError(f"cannot be decoded ({first_line(error)})") from error
    return Frame(values, pixel_scale=reading.stated.pixel_scale, notes=(note,) if note else ())


def _read_picture(data: bytes, geometry: Geometry, reading: Reading) -> tuple[np.ndarray, str | None]:
    if not jpeg.recognises(data):
        return raster.read(data)
    # Of an angle it is not known how many pixels it has before the size of the image is.
    return jpeg.read(data, None if reading.field.is_angle else _square(geometry, reading, 1, 1, None))


def _is_fits(data: bytes) -> bool:
    """Whether these bytes begin like a FITS file, plain or packed by gzip, compress or bzip2."""
    return data[:6] == b"SIMPLE" or data[:2] in (b"\x1f\x8b", b"\x1f\x9d") or data[:3] == b"BZh"


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ImageError(f"an array {pixels.shape} of {pixels.dtype}; (height, width, channels) of uint8 is read")
    return pixels


def _to_channels(pixels: np.ndarray, channels: int) -> tuple[np.ndarray, str | None]:
    have = pixels.shape[2]
    if have == channels:
        return pixels, None
    if have == 1:
        return np.repeat(pixels, channels, axis=2), f"greyscale, spread over {channels} channels"
    if channels == 1:
        return pixels.mean(axis=2, keepdims=True), f"{have} channels, averaged to one"
    raise ImageError(f"it has {have} channels; {channels} were asked for")
