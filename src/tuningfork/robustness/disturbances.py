"""Galaxies disturbed in one way, by a stated amount: what a model's robustness is measured with."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from tuningfork.images import Geometry
from tuningfork.images.resample import resample
from tuningfork.models import View, Warps, warp

Disturb = Callable[[np.ndarray, Geometry, float], np.ndarray]


@dataclass(frozen=True)
class Disturbance:
    """One way to disturb images (N, H, W, C) uint8, the amounts to try, and the amount in words.

    The first amount leaves the images as they are.
    """

    title: str
    amount: str
    levels: tuple[float, ...]
    apply: Disturb


def _warped(pixels: np.ndarray, geometry: Geometry, **changes: float) -> np.ndarray:
    """The frames under a warp about their centre, mirrored beyond the rim."""
    warps = Warps.identity(len(pixels))
    warps = replace(warps, **{name: torch.full((len(pixels),), value) for name, value in changes.items()})
    images = warp(torch.from_numpy(pixels), warps, View(geometry.field, geometry.size), geometry)
    turned: np.ndarray = np.rint(255 * images.permute(0, 2, 3, 1).numpy()).astype(np.uint8)
    return turned


def _rotate(pixels: np.ndarray, geometry: Geometry, degrees: float) -> np.ndarray:
    return _warped(pixels, geometry, angle=float(np.deg2rad(degrees)))


def _shift(pixels: np.ndarray, geometry: Geometry, share: float) -> np.ndarray:
    return _warped(pixels, geometry, shift_x=share)


def _noise(pixels: np.ndarray, geometry: Geometry, sigma: float) -> np.ndarray:
    noise = 255 * sigma * np.random.default_rng(0).standard_normal(pixels.shape, dtype=np.float32)
    noisy: np.ndarray = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
    return noisy


def _blur(pixels: np.ndarray, geometry: Geometry, sigma: float) -> np.ndarray:
    smooth = gaussian_filter(pixels.astype(np.float32), sigma=(0, sigma, sigma, 0), mode="nearest")
    blurred: np.ndarray = np.rint(smooth).astype(np.uint8)
    return blurred


def _coarsen(pixels: np.ndarray, geometry: Geometry, factor: float) -> np.ndarray:
    coarse = Geometry(1.0, max(1, round(geometry.size / factor)), geometry.channels)
    whole = Geometry(1.0, geometry.size, geometry.channels)
    return np.stack([np.rint(resample(resample(image, coarse), whole)).astype(np.uint8) for image in pixels])


def _compress(pixels: np.ndarray, geometry: Geometry, quality: float) -> np.ndarray:
    return np.stack([_as_jpeg(image, int(quality)) for image in pixels])


def _as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    planes = [image] if image.shape[2] == 3 else [image[:, :, channel] for channel in range(image.shape[2])]
    read = []
    for plane in planes:
        buffer = io.BytesIO()
        Image.fromarray(plane).save(buffer, "JPEG", quality=quality)
        read.append(np.asarray(Image.open(buffer)))
    return read[0] if image.shape[2] == 3 else np.stack(read, axis=2)


def _unless(first: float, disturb: Disturb) -> Disturb:
    """Leave the images alone at the first level, which rounding would not."""
    return lambda pixels, geometry, level: pixels if level == first else disturb(pixels, geometry, level)


def _disturbance(title: str, amount: str, levels: tuple[float, ...], disturb: Disturb) -> Disturbance:
    return Disturbance(title, amount, levels, _unless(levels[0], disturb))


DISTURBANCES = {
    "rotation": _disturbance(
        "Rotation", "angle, degrees", (0, 15, 30, 45, 60, 75, 90, 120, 135, 180, 225, 270, 315), _rotate
    ),
    "shift": _disturbance("Shifted centre", "share of the frame", (0, 0.01, 0.02, 0.04, 0.06, 0.1), _shift),
    "noise": _disturbance("Added noise", "standard deviation, full scale 1", (0, 0.01, 0.02, 0.04, 0.08), _noise),
    "blur": _disturbance("Blur", "standard deviation, pixels of the pack", (0, 0.5, 1, 1.5, 2, 3), _blur),
    "resolution": _disturbance("Lower resolution", "times coarser", (1, 1.5, 2, 3, 4), _coarsen),
    "jpeg": _disturbance("JPEG compression", "quality (101: none)", (101, 95, 85, 75, 50, 25, 10), _compress),
}
