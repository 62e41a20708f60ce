"""The pictures of galaxies: cut as the model sees them or whole, a band apart, brighter or darker."""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import simplejpeg
from PIL import Image

from tuningfork.errors import ImageError, TuningforkError
from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.galaxy_images import Images
from tuningfork.explore.recent import Recent
from tuningfork.images import Field, Frame, Geometry, Reading, cut_out, read_frame

SMALLEST, LARGEST = 16, 1024  # pixels of a side
HELD = 96 << 20  # bytes of pictures
STEPS = 3.0  # factors of two in brightness, to either side
QUALITY = 90


@dataclass(frozen=True)
class Look:
    """How a galaxy is looked at.

    Parameters
    ----------
    size
        Pixels a side.
    view
        ``model``: the square that the model looks at; ``frame``: the whole image.
    stretch
        -1 (dark) to 1 (bright); 0 is as the model sees it.
    band
        One of its channels, alone, in grey; None: in colour.
    """

    size: int = 96
    view: Literal["model", "frame"] = "model"
    stretch: float = 0.0
    band: int | None = None


class Pictures:
    """Pictures of the galaxies of a catalogue, as JPEG; those made lately are kept."""

    def __init__(self, catalogue: Catalogue, images: Images) -> None:
        self.catalogue, self.images = catalogue, images
        self._made = Recent[bytes](HELD, len)
        self._turns = threading.BoundedSemaphore((os.cpu_count() or 1) + 1)  # a large frame takes much memory

    @cached_property
    def geometry(self) -> Geometry:
        """What the model sees of a frame."""
        return self.images.view

    def jpeg(self, row: int, look: Look) -> bytes:
        """A picture of a galaxy.

        Raises
        ------
        ImageError
            If it has none, or none that can be read.
        """

        def made() -> bytes:
            with self._turns:
                return encoded(self.pixels(row, look))

        return self._made.get((row, look), made)

    def begin(self) -> None:
        """Draw a picture, so that the first that is asked for need not wait for what is imported and compiled."""
        with suppress(TuningforkError):
            self.jpeg(0, Look())

    def pixels(self, row: int, look: Look) -> np.ndarray:
        """The same as pixels (size, size, C) uint8."""
        whole = look.view == "frame"
        geometry = Geometry(1.0 if whole else self.geometry.field, look.size, self.geometry.channels)
        frame, reading = self._frame(row, geometry, whole=whole)
        height, width, _ = frame.values.shape
        if whole:
            frame, field = _squared(frame), 1.0
        else:
            field = geometry.field * reading.field.fraction(height, width, frame.pixel_scale)
        if look.band is not None:
            frame = _band(frame, look.band)
        if look.stretch:
            frame = _brighter(frame, 2.0 ** (STEPS * look.stretch))
        return cut_out(frame, replace(geometry, field=field, channels=3 if frame.values.shape[2] == 3 else 1))[0]

    def bands(self, row: int) -> list[str]:
        """The names of the channels that are shown of a galaxy."""
        with self._turns:
            frame, _ = self._frame(row, Geometry(1.0, SMALLEST, 3), whole=True)
        n = frame.values.shape[2]
        if frame.bands:
            return list(frame.bands)
        return ["red", "green", "blue"] if n == 3 else [f"channel {index + 1}" for index in range(n)]

    def _frame(self, row: int, geometry: Geometry, *, whole: bool) -> tuple[Frame, Reading]:
        payload, reading = self.images.load(row)
        read = replace(reading, field=Field()) if whole else reading
        return read_frame(payload, geometry, read), reading


def encoded(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3 or 1) uint8 as a JPEG."""
    kind = "RGB" if pixels.shape[2] == 3 else "GRAY"
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, kind, "444"))


def png(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) uint8 as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _squared(frame: Frame) -> Frame:
    """A frame with black borders, so that all of it is in its central square."""
    height, width, _ = frame.values.shape
    side = max(height, width)
    above, left = (side - height) // 2, (side - width) // 2
    room: Any = ((above, side - height - above), (left, side - width - left), (0, 0))
    return frame if height == width else replace(frame, values=np.pad(frame.values, room))


def _band(frame: Frame, band: int) -> Frame:
    n = frame.values.shape[2]
    if not 0 <= band < n:
        raise ImageError(f"it has {n} bands, and no band {band}")
    return replace(frame, values=frame.values[:, :, band : band + 1])


def _brighter(frame: Frame, factor: float) -> Frame:
    """A frame of so many times the flux; of a picture, whose flux is not known, with its middle tones raised so."""
    if frame.flux:
        return replace(frame, values=frame.values * np.float32(factor))
    tones = np.asarray(frame.values, np.float32) / 255
    return replace(frame, values=np.clip(255 * tones ** (1 / factor**0.5), 0, 255).astype(np.float32))
