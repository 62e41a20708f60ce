"""Images that are no galaxies, to measure the flag `ood` with: stars, artefacts, blank frames, noise, photographs.

All are 424 px a side, as the challenge's frames are, and drawn by a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SIDE = 424
KINDS = (
    "star",
    "star field",
    "satellite trail",
    "half a frame",
    "blank sky",
    "flat frame",
    "noise",
    "part of one of 3 photographs",
)

Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]
_Y, _X = np.mgrid[:SIDE, :SIDE].astype(np.float32)


def other_image(kind: str, seed: int, galaxy: np.ndarray) -> Image.Image:
    """One image of a kind; `galaxy` (424, 424, 3) uint8 is what an artefact spoils."""
    drawn = _DRAW[kind](np.random.default_rng([seed, KINDS.index(kind)]), galaxy)
    return Image.fromarray(np.clip(np.rint(drawn), 0, 255).astype(np.uint8))


def _sky(rng: np.random.Generator) -> np.ndarray:
    """Dark sky with the noise of a stretched composite."""
    return rng.uniform(5, 15) + rng.normal(0, rng.uniform(3, 8), (SIDE, SIDE, 3))


def _point(rng: np.random.Generator, brightness: float, x: float, y: float) -> np.ndarray:
    """A star: a Moffat profile (Moffat 1969) that saturates, in the colour of its temperature."""
    width, colour = rng.uniform(3, 7), 1 + rng.uniform(-0.3, 0.3) * np.array([1, 0, -1])
    profile = (1 + ((_X - x) ** 2 + (_Y - y) ** 2) / width**2) ** -2.5
    return brightness * profile[..., None] * colour


def _star(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    centre, brightness = SIDE / 2 + rng.normal(0, 4, 2), 10 ** rng.uniform(3, 4.5)
    image = _sky(rng) + _point(rng, brightness, *centre)
    for angle in rng.uniform(0, np.pi) + np.array([0, np.pi / 2]):  # the spider's diffraction spikes
        along = np.abs((_X - centre[0]) * np.cos(angle) + (_Y - centre[1]) * np.sin(angle))
        across = np.abs(-(_X - centre[0]) * np.sin(angle) + (_Y - centre[1]) * np.cos(angle))
        spike = brightness / 40 * np.exp(-across / 1.5) * np.exp(-along / rng.uniform(30, 90))
        image += spike[..., None]
    return image


def _field(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    image = _sky(rng)
    for _star_number in range(rng.integers(15, 60)):
        image += _point(rng, 10 ** rng.uniform(1.5, 3.2), *rng.uniform(0, SIDE, 2))
    return image


def _trail(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-40, 40)
    across = (_X - SIDE / 2) * np.sin(angle) - (_Y - SIDE / 2) * np.cos(angle) - offset
    trail = rng.uniform(80, 400) * np.exp(-0.5 * (across / rng.uniform(2, 6)) ** 2)
    band = np.zeros(3)
    band[rng.integers(3)] = 1  # the bands are taken one after the other: a trail has one colour
    return _sky(rng) + trail[..., None] * band


def _half(rng: np.random.Generator, galaxy: np.ndarray) -> np.ndarray:
    image = galaxy.astype(np.float32).copy()
    edge = int(rng.uniform(0.35, 0.65) * SIDE)
    part = [np.s_[:edge], np.s_[edge:], np.s_[:, :edge], np.s_[:, edge:]][rng.integers(4)]
    image[part] = rng.choice([0, 255])
    return image


def _blank(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    return _sky(rng)


def _flat(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), rng.uniform(0, 255, 3))


def _noise(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    return rng.normal(rng.uniform(60, 190), rng.uniform(30, 80), (SIDE, SIDE, 3))


def _photograph(rng: np.random.Generator, _: np.ndarray) -> np.ndarray:
    """A part of a photograph that comes with scikit-learn or matplotlib: a temple, a flower, a portrait."""
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    photographs = [*load_sample_images().images, np.asarray(Image.open(portrait).convert("RGB"))]
    chosen = photographs[rng.integers(len(photographs))]
    side = int(rng.uniform(0.4, 0.95) * min(chosen.shape[:2]))
    top, left = (rng.integers(0, length - side) for length in chosen.shape[:2])
    part = Image.fromarray(chosen[top : top + side, left : left + side])
    return np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.float32)


_DRAW: dict[str, Draw] = dict(
    zip(KINDS, (_star, _field, _trail, _half, _blank, _flat, _noise, _photograph), strict=True)
)
