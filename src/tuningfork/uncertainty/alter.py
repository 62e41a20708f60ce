"""Images rendered or framed otherwise than those that a model is trained on: what its flag learns to tell.

From these, and from blurred ones, the expected RMSE is learned. Each draw is of one of the ways in which pictures of
galaxies differ between surveys and programs. The factors leave out what is near the image as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from tuningfork.images import Geometry
from tuningfork.images.resample import resample

Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]
BLUR = (0.004, 0.04)  # of the side, the standard deviation
SOFTENING = 6.0  # of the asinh that colour images of surveys are mostly stretched with


def alter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image (H, W, C) uint8 in another rendering."""
    ways = [*_ANY, *_COLOUR] if image.shape[2] > 1 else list(_ANY)
    altered = ways[rng.integers(len(ways))](image.astype(np.float32), rng)
    if rng.random() < 0.3:  # and with another contrast on top
        altered = _power(np.clip(altered, 0, 255), _between(rng, 0.6, 1.7))
    eight_bit: np.ndarray = np.clip(np.rint(altered), 0, 255).astype(np.uint8)
    return eight_bit


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly in the logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _either(rng: np.random.Generator, small: tuple[float, float], large: tuple[float, float]) -> float:
    return _between(rng, *(small if rng.random() < 0.5 else large))


def _power(image: np.ndarray, exponent: float) -> np.ndarray:
    return np.asarray(255 * (image / 255) ** exponent)


def _contrast(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _power(image, _either(rng, (0.35, 0.8), (1.3, 2.6)))


def _brightness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(image * _either(rng, (0.25, 0.7), (1.4, 5)))


def _pedestal(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image + rng.uniform(12, 80) if rng.random() < 0.6 else image - rng.uniform(8, 40)


def _stretch(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flux as the image shows it, under an asinh of another softening and depth (Lupton et al. 2004, PASP 116, 133)."""
    colours = image / 255
    grey = colours.mean(axis=2, keepdims=True)
    flux = np.sinh(SOFTENING * grey) / SOFTENING
    softening = _between(rng, 0.3, 25)
    shown = np.arcsinh(softening * _either(rng, (0.2, 0.6), (1.5, 16)) * flux) / softening
    colours = colours * (shown / np.maximum(grey, 1e-6))
    return np.asarray(255 * colours / np.maximum(colours.max(axis=2, keepdims=True), 1))  # clipped in its own colour


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image + rng.normal(0, rng.uniform(12, 35), image.shape)


def _negative(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return 255 - image


def _gains(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(image * np.exp(rng.normal(0, 0.45, image.shape[2])))


def _order(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(image.shape[2])
    return image[:, :, np.roll(order, 1) if (order == np.arange(len(order))).all() else order]


def _saturation(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grey = image.mean(axis=2, keepdims=True)
    factor = 0.0 if rng.random() < 0.15 else _either(rng, (0.05, 0.5), (1.7, 4))
    return np.asarray(grey + factor * (image - grey))


def reframe(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image (H, W, C) uint8 as of a frame of another width, or of a galaxy that is not in the middle."""
    return _FRAMES[rng.integers(len(_FRAMES))](image, rng)


def disturb(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image (H, W, C) uint8 in another rendering or another frame, or blurred, with noise or without."""
    return _DISTURBANCES[rng.choice(len(_DISTURBANCES), p=_OFTEN)](image, rng)


def _blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    width = _between(rng, *BLUR) * min(image.shape[:2])
    blurred: np.ndarray = np.rint(gaussian_filter(image.astype(np.float32), (width, width, 0))).astype(np.uint8)
    return blurred


def _blurred_and_noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    blurred = _blurred(image, rng).astype(np.float32)
    noisy = blurred + rng.normal(0, rng.uniform(4, 35), image.shape)
    eight_bit: np.ndarray = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return eight_bit


def _wider(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is beyond the image is mirrored from its outer quarter, where there is mostly sky."""
    side, factor = min(image.shape[:2]), _between(rng, 1.4, 3.0)
    left = round(side * (factor - 1) / 2)
    while left > 0:
        width = min(left, max(side // 4, 1))
        image = np.pad(image, ((width, width), (width, width), (0, 0)), mode="reflect")
        left -= width
    return resample(image, Geometry(1.0, side), rounded=True)


def _narrower(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return resample(image, Geometry(_between(rng, 0.35, 0.72), min(image.shape[:2])), rounded=True)


def _moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By a fifth to two fifths of the side; the rim is repeated."""
    angle, apart = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.4)
    rows, columns = (
        np.clip(np.arange(length) + round(apart * length * part), 0, length - 1)
        for length, part in zip(image.shape, (np.sin(angle), np.cos(angle)), strict=False)
    )
    moved: np.ndarray = image[rows][:, columns]
    return moved


_FRAMES: tuple[Draw, ...] = (_wider, _wider, _narrower, _narrower, _moved)
_ANY: tuple[Draw, ...] = (_contrast, _brightness, _pedestal, _stretch, _noise, _negative)
_COLOUR: tuple[Draw, ...] = (_gains, _order, _saturation)
_DISTURBANCES: tuple[Draw, ...] = (alter, reframe, _blurred, _blurred_and_noisy)
_OFTEN = (0.5, 0.28, 0.11, 0.11)
