"""The pixels of a pack at another size, made as they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tuningfork.images import Geometry
from tuningfork.images.resample import resample


@dataclass(frozen=True)
class Resized:
    """Squares `pixels` (N, H, W, C) uint8 brought to `size` pixels a side; rows are chosen as of the array itself."""

    pixels: np.ndarray
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return (len(self.pixels), self.size, self.size, self.pixels.shape[3])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, tuple):
            raise TypeError("rows alone can be chosen of resized pixels")
        chosen = self.pixels[rows]
        if chosen.ndim == self.pixels.ndim - 1:
            return resized(chosen, self.size)
        out = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for place, square in enumerate(chosen):
            out[place] = resized(square, self.size)
        return out


def resized(square: np.ndarray, size: int) -> np.ndarray:
    """A square (H, W, C) uint8 at `size` pixels a side: itself where it has as many."""
    return square if len(square) == size else resample(square, Geometry(1.0, size), rounded=True)
