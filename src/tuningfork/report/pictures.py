"""Images inside the page: data URIs of pixels, files and charts."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tuningfork.errors import ImageError, TuningforkError
from tuningfork.images import Geometry, Item, decode
from tuningfork.packs import Pack

THUMBNAIL = 112  # pixels; twice the smallest width at which they are shown


def data_uri(data: bytes, media: str) -> str:
    """Bytes as a `data:` address."""
    return f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"


def file_uri(path: Path) -> str:
    """A PNG file as a `data:` address: as WebP without loss, which makes plots half as large."""
    if path.is_symlink() or not path.is_file():
        raise TuningforkError(f"{path} is no regular file; make it again")
    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(buffer, "WEBP", lossless=True, method=2)
    return data_uri(buffer.getvalue(), "image/webp")


def png_width(path: Path) -> int:
    """The width of an image file in pixels."""
    with Image.open(path) as image:
        return image.width


def pixels_uri(pixels: np.ndarray) -> str:
    """(H, W, C) uint8 as a JPEG; of other than three channels the first is drawn in grey."""
    shown = pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(shown))
    if max(image.size) > THUMBNAIL:
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85, subsampling=0)
    return data_uri(buffer.getvalue(), "image/jpeg")


def chart_uri(drawn: Figure) -> str:
    """A figure as SVG, sharp at any size; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "tuningfork"}):
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return data_uri(buffer.getvalue(), "image/svg+xml")


@dataclass(frozen=True)
class Finder:
    """Finds the picture of a galaxy: its file, or its row in one of the packs of the page."""

    packs: Sequence[Pack] = ()

    def uri(self, id_str: str, file_loc: str | None, beside: Path) -> str | None:
        """A thumbnail, or None where there is none; a relative `file_loc` is tried as it is and from `beside`."""
        for pack in self.packs:
            rows = np.flatnonzero((pack.catalog["id_str"] == id_str).to_numpy())
            if len(rows):
                return pixels_uri(pack.pixels[rows[0]])
        for path in (Path(file_loc), beside / file_loc) if file_loc else ():
            if path.is_file():
                return _of_file(id_str, path)
        return None


def _of_file(id_str: str, path: Path) -> str | None:
    try:
        pixels, _ = decode(Item.of_file(id_str, str(path), path).load(), Geometry(1.0, THUMBNAIL, 3))
    except ImageError:
        return None
    return pixels_uri(pixels)
