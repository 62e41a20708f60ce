"""Bytes or an array to the pixels of a geometry. The format is recognised from the bytes, never from a name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images import jpeg, raster
from tuningfork.images.geometry import SMALLEST, Geometry
from tuningfork.images.resample import resample


def decode(data: bytes | np.ndarray, geometry: Geometry) -> tuple[np.ndarray, str | None]:
    """Decode an image, cut out its field of view, bring it to size.

    Parameters
    ----------
    data
        The bytes of a JPEG, PNG, TIFF, FITS file, or anything else Pillow reads; or pixels (H, W, C) uint8.
    geometry
        The part of the frame to look at, and its size.

    Returns
    -------
    tuple
        (size, size, channels) uint8, and a note where something was done that the user should know.

    Raises
    ------
    ImageError
        If this is no image, is cut short, or is too small or of the wrong number of channels.
    """
    if len(data) == 0:
        raise ImageError("it is empty (0 bytes)")
    frame, note, finish = _read(data, geometry)
    height, width, _ = frame.shape
    if min(height, width) < SMALLEST:
        raise ImageError(
            f"only {width} x {height} pixels; the smallest image that is looked at is {SMALLEST} x {SMALLEST}"
        )
    rounded = frame.dtype == np.uint8 and frame.shape[2] <= geometry.channels  # others are worked on in floats
    pixels, spread = _to_channels(finish(resample(frame, geometry, rounded=rounded)), geometry.channels)
    notes = [text for text in (note, spread) if text]
    if not rounded:
        pixels = np.rint(pixels).astype(np.uint8)
    return np.ascontiguousarray(pixels), "; ".join(notes) or None


Finish = Callable[[np.ndarray], np.ndarray]


def _read(data: bytes | np.ndarray, geometry: Geometry) -> tuple[np.ndarray, str | None, Finish]:
    """The frame (H, W, C), a note, and what brings its resampled values to 0-255."""
    if isinstance(data, np.ndarray):
        return _checked(data), None, _as_is
    try:
        if _is_fits(data):
            from tuningfork.images import fits  # half a second that other formats need not wait for

            return *fits.read(data), fits.stretch
        if jpeg.recognises(data):
            return *jpeg.read(data, geometry), _as_is
        return *raster.read(data), _as_is
    except (ImageError, ImportError):  # of a library that is not whole
        raise
    except Exception as error:  # whatever a decoder throws at hostile bytes is one bad image, not the end of the job
        raise ImageError(f"cannot be decoded ({str(error) or type(error).__name__})") from error


def _is_fits(data: bytes) -> bool:
    """Whether these bytes begin like a FITS file, plain or gzipped."""
    return data[:6] == b"SIMPLE" or data[:2] == b"\x1f\x8b"


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ImageError(f"an array {pixels.shape} of {pixels.dtype}; (height, width, channels) of uint8 is read")
    return pixels


def _as_is(values: np.ndarray) -> np.ndarray:
    return values


def _to_channels(pixels: np.ndarray, channels: int) -> tuple[np.ndarray, str | None]:
    have = pixels.shape[2]
    if have == channels:
        return pixels, None
    if have == 1:
        return np.repeat(pixels, channels, axis=2), f"greyscale, spread over {channels} channels"
    if channels == 1:
        return pixels.mean(axis=2, keepdims=True), f"{have} channels, averaged to one"
    raise ImageError(f"it has {have} channels; {channels} were asked for")
