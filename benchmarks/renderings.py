"""Galaxies as others would show or frame them, to measure the flag `ood` with: `ood.py --renderings`.

What the flag and the expected RMSE learn from (`uncertainty.alter`) is of the same kinds for the most part, drawn
otherwise. The first part starts from flux, found from the picture as far as its stretch can be undone; the last two are
of no kind that is learned.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from astropy.visualization import ZScaleInterval
from matplotlib import colormaps
from scipy.ndimage import gaussian_filter


def _flux(image: np.ndarray) -> np.ndarray:
    """Linear flux of (H, W, 3) in 0 to 255, as if an asinh of softening 6 had been its stretch."""
    colours = image / 255
    grey = colours.mean(axis=2, keepdims=True)
    return colours * np.where(grey > 0, np.sinh(6 * grey) / 6 / np.maximum(grey, 1e-6), 1)


def _share(image: np.ndarray, percentile: float) -> np.ndarray:
    """Flux in units of that percentile, at least 0."""
    flux = _flux(image)
    return np.clip(flux / np.percentile(flux, percentile), 0, None)


def _lupton(image: np.ndarray, softening: float, depth: float) -> np.ndarray:
    flux = _flux(image)
    grey = flux.mean(axis=2, keepdims=True)
    shown = flux * np.arcsinh(depth * softening * grey) / softening / np.maximum(grey, 1e-9)
    return 255 * shown / np.maximum(shown.max(axis=2, keepdims=True), 1)


def _zscale(image: np.ndarray) -> np.ndarray:
    flux, shown = _flux(image), np.empty_like(image)
    for channel in range(3):
        low, high = ZScaleInterval().get_limits(flux[:, :, channel])
        shown[:, :, channel] = 255 * (flux[:, :, channel] - low) / max(high - low, 1e-9)
    return shown


def _saturation(image: np.ndarray, factor: float) -> np.ndarray:
    grey = image.mean(axis=2, keepdims=True)
    return grey + factor * (image - grey)


def _equalised(image: np.ndarray) -> np.ndarray:
    counts = [np.bincount(plane.astype(np.uint8).ravel(), minlength=256).cumsum() for plane in np.moveaxis(image, 2, 0)]
    planes = [
        255 * one[plane.astype(np.uint8)] / one[-1] for one, plane in zip(counts, np.moveaxis(image, 2, 0), strict=True)
    ]
    return np.stack(planes, axis=2)


def _noise(image: np.ndarray, scatter: float) -> np.ndarray:
    return image + np.random.default_rng(int(image.sum())).normal(0, 255 * scatter, image.shape)


def _mapped(image: np.ndarray, name: str) -> np.ndarray:
    return 255 * colormaps[name](image.mean(axis=2) / 255)[:, :, :3]


def _wider(image: np.ndarray, factor: float) -> np.ndarray:
    """As of a frame that much wider; what is beyond is mirrored."""
    pad = round(len(image) * (factor - 1) / 2)
    return np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")


def _narrower(image: np.ndarray, factor: float) -> np.ndarray:
    cut = round(len(image) * (1 - factor) / 2)
    return image[cut:-cut, cut:-cut]


def _moved(image: np.ndarray, share: float) -> np.ndarray:
    by = round(share * len(image))
    return np.pad(image, ((0, 0), (by, 0), (0, 0)), mode="edge")[:, : len(image)]


def _blur(image: np.ndarray, share: float) -> np.ndarray:
    return gaussian_filter(image, (share * len(image), share * len(image), 0))


def _second(image: np.ndarray) -> np.ndarray:
    """With the same galaxy again, turned, a quarter of the frame to the right and down."""
    by = len(image) // 4
    again = np.zeros_like(image)
    again[by:, by:] = image[: len(image) - by, : len(image) - by][::-1, ::-1]
    return np.maximum(image, again)


def _squashed(image: np.ndarray) -> np.ndarray:
    """Half as high, as of pixels that are no squares; what is beyond is mirrored."""
    rows = (image[::2] + image[1::2]) / 2
    rim = (len(image) - len(rows)) // 2
    return np.pad(rows, ((rim, len(image) - len(rows) - rim), (0, 0), (0, 0)), mode="reflect")


RENDERINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda image: image,
    "linear, to the maximum": lambda image: 255 * _share(image, 100),
    "linear, to the 99.7th percentile": lambda image: 255 * _share(image, 99.7),
    "linear, to the 99th percentile": lambda image: 255 * _share(image, 99),
    "square root": lambda image: 255 * np.sqrt(_share(image, 99.7)),
    "logarithm": lambda image: 85 * np.log10(1 + 1000 * _share(image, 99.7)),
    "zscale, each channel": _zscale,
    "Lupton, Q = 1": lambda image: _lupton(image, 1, 1),
    "Lupton, Q = 20": lambda image: _lupton(image, 20, 1),
    "flux x 0.25": lambda image: _lupton(image, 6, 0.25),
    "flux x 0.5": lambda image: _lupton(image, 6, 0.5),
    "flux x 2": lambda image: _lupton(image, 6, 2),
    "flux x 4": lambda image: _lupton(image, 6, 4),
    "gamma 2": lambda image: 255 * (image / 255) ** 2,
    "gamma 1.4": lambda image: 255 * (image / 255) ** 1.4,
    "gamma 0.7": lambda image: 255 * (image / 255) ** 0.7,
    "gamma 0.5": lambda image: 255 * (image / 255) ** 0.5,
    "hard contrast": lambda image: 4 * (image - np.median(image)),
    "equalised": _equalised,
    "brightness x 0.5": lambda image: image * 0.5,
    "brightness x 1.5": lambda image: image * 1.5,
    "sky + 10": lambda image: image + 10,
    "sky + 20": lambda image: image + 20,
    "sky + 40": lambda image: image + 40,
    "sky - 10": lambda image: image - 10,
    "channels BGR": lambda image: image[:, :, ::-1],
    "channels RBG": lambda image: image[:, :, [0, 2, 1]],
    "channels GRB": lambda image: image[:, :, [1, 0, 2]],
    "red x 1.5": lambda image: image * [1.5, 1, 1],
    "red x 0.5": lambda image: image * [0.5, 1, 1],
    "blue x 1.5": lambda image: image * [1, 1, 1.5],
    "red is empty": lambda image: image * [0, 1, 1],
    "blue is empty": lambda image: image * [1, 1, 0],
    "grey": lambda image: _saturation(image, 0),
    "saturation x 0.5": lambda image: _saturation(image, 0.5),
    "saturation x 2": lambda image: _saturation(image, 2),
    "negative": lambda image: 255 - image,
    "false colours (viridis)": lambda image: _mapped(image, "viridis"),
    "8 levels": lambda image: np.floor(image / 32) * 255 / 7,
    "noise of 4 %": lambda image: _noise(image, 0.04),
    "noise of 8 %": lambda image: _noise(image, 0.08),
    "frame 2.9 x as wide": lambda image: _wider(image, 2.9),
    "frame 2 x as wide": lambda image: _wider(image, 2),
    "frame 1.5 x as wide": lambda image: _wider(image, 1.5),
    "frame 0.67 x as wide": lambda image: _narrower(image, 0.67),
    "frame 0.5 x as wide": lambda image: _narrower(image, 0.5),
    "a fifth of the frame off the middle": lambda image: _moved(image, 0.2),
    "blur of 2.5 % of the frame": lambda image: _blur(image, 0.025),
    "blur of 2 %, then noise of 4 %": lambda image: _noise(_blur(image, 0.02), 0.04),
    "twice as wide, then noise of 4 %": lambda image: _noise(_wider(image, 2), 0.04),
    "a second galaxy": _second,
    "half as high": _squashed,
}


def rendered(name: str, image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8 in another rendering."""
    return np.clip(np.rint(RENDERINGS[name](image.astype(np.float64))), 0, 255).astype(np.uint8)
