"""What a flag learns from: statistics of images as they are and of altered ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuningfork.uncertainty.alter import Draw, alter, reframe
from tuningfork.uncertainty.framing import measure_framing
from tuningfork.uncertainty.statistics import measure

Array = NDArray[np.float64]
Seen = Callable[[np.ndarray], np.ndarray]  # of images (N, H, W, C) uint8, what a model sees

RENDERINGS, FRAMINGS = 2, 3  # altered images of each
BATCH = 64


@dataclass(frozen=True)
class Samples:
    """Statistics of images as they are, `own` (N, S), and of altered ones of each, `altered` (D, N, S)."""

    own: Array
    altered: Array

    def of(self, chosen: NDArray[np.bool_]) -> Samples:
        """Of some images, (N,)."""
        return Samples(self.own[chosen], self.altered[:, chosen])


def as_they_are(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) all of which is seen."""
    return images


def sample_renderings(pixels: np.ndarray, rows: np.ndarray, share: float, seen: Seen = as_they_are) -> Samples:
    """Of what is `seen` of the images in rows (N,) of pack pixels, of the central `share` of its side."""
    return _samples(pixels, rows, lambda images: measure(seen(images), share), alter, RENDERINGS)


def sample_framings(pixels: np.ndarray, rows: np.ndarray, seen: Seen = as_they_are) -> Samples:
    """Of what is `seen` of the images in rows (N,) of pack pixels."""
    return _samples(pixels, rows, lambda images: measure_framing(seen(images)), reframe, FRAMINGS)


def _samples(
    pixels: np.ndarray, rows: np.ndarray, statistics: Callable[[np.ndarray], Array], draw: Draw, draws: int
) -> Samples:
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    own = [statistics(pixels[batch]) for batch in batches]
    altered = [
        [
            statistics(np.stack([draw(pixels[row], np.random.default_rng([number, row])) for row in batch]))
            for batch in batches
        ]
        for number in range(draws)
    ]
    return Samples(np.concatenate(own), np.stack([np.concatenate(drawn) for drawn in altered]))
