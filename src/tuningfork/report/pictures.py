"""Images inside the page: data URIs of pixels, files and charts."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tuningfork.errors import TuningforkError
from tuningfork.plotting.style import METADATA, styled

THUMBNAIL = 128  # pixels; about as many as they are shown at
SKY = 75  # percentile of the rim, that becomes black
BRIGHT = 90  # of 255: a rim as bright as that is no sky, and nothing is changed
BRIGHTEST = 99.7  # percentile of a galaxy's light
SHOWN_AT = 235  # of 255, is what it becomes
BOOST = 2.5  # at most
GAMMA = 0.8


def data_uri(data: bytes, media: str) -> str:
    """Bytes as a `data:` address."""
    return f"data:{media};base64,{base64.b64encode(data).decode('ascii')}"


def file_uri(path: Path) -> str:
    """A PNG file as a `data:` address: as WebP without loss, which makes plots half as large."""
    if path.is_symlink() or not path.is_file():
        raise TuningforkError(f"{path} is no regular file; make it again")
    with Image.open(path) as image:
        return _webp(image)


def _webp(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", lossless=True, method=2)
    return data_uri(buffer.getvalue(), "image/webp")


def galaxy_uri(pixels: np.ndarray) -> str:
    """A galaxy (H, W, C) uint8 as a small JPEG, stretched; of other than three channels the first is drawn in grey."""
    seen = stretched(pixels if pixels.shape[2] == 3 else pixels[:, :, :1])
    shown = seen if seen.shape[2] == 3 else seen[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(shown))
    if max(image.size) > THUMBNAIL:
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82, optimize=True)
    return data_uri(buffer.getvalue(), "image/jpeg")


def chart_uri(drawn: Figure) -> str:
    """A figure as SVG, sharp at any size; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with styled():
        drawn.savefig(buffer, format="svg", metadata=METADATA["svg"])
    return data_uri(buffer.getvalue(), "image/svg+xml")


def plot_uri(drawn: Figure) -> str:
    """A figure as pixels: one of too many points to be drawn as lines and curves."""
    buffer = io.BytesIO()
    with styled():
        drawn.savefig(buffer, format="png", metadata=METADATA["png"])
    return _webp(Image.open(buffer))


def strip_uris(path: Path) -> list[str]:
    """The squares of a strip of pictures that lie side by side in a PNG file, as thumbnails; none where it is gone."""
    if path.is_symlink() or not path.is_file():
        return []
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    side = len(pixels)
    squares = [pixels[:, start : start + side] for start in range(0, pixels.shape[1] - side + 1, side)]
    return [galaxy_uri(square) for square in squares]


def stretched(pixels: np.ndarray) -> np.ndarray:
    """Pixels (H, W, C) uint8 with the sky dark and the light of the galaxy spread over the scale, its colours kept."""
    values = pixels.astype(np.float64)
    rim = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    sky = np.percentile(rim, SKY, axis=0)
    if sky.max() > BRIGHT:
        return pixels
    values = np.clip(values - sky, 0, None)
    light = values.max(axis=2, keepdims=True)
    top = max(float(np.percentile(light, BRIGHTEST)), 1.0)
    scale = min(SHOWN_AT / top, BOOST)
    share = np.clip(light * scale / 255, 1e-6, 1)
    shown: np.ndarray = np.clip(values * scale * share ** (GAMMA - 1), 0, 255).astype(np.uint8)
    return shown
