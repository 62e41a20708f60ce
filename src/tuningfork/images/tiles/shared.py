"""Rows of one image that several cutouts need: each is read once, and kept while one of them may still ask for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from tuningfork.images.tiles.stored import Stored


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, which may reach beyond an image."""

    left: int
    bottom: int
    width: int
    height: int


class SharedRows:
    """The rows of an image (H, W), for boxes that are known beforehand; threads may cut out at the same time."""

    def __init__(self, image: Stored, size: tuple[int, ...], boxes: list[Box]) -> None:
        self.image = image
        self.height, self.width = size
        n = -(-self.height // image.step)
        self.left = np.zeros(n, np.int64)  # how many boxes are still to be cut out of each band of rows
        for box in boxes:
            self.left[self._bands(box)] += 1
        self.held: list[np.ndarray | None] = [None] * n
        self.locks = [threading.Lock() for _ in range(n)]

    def cut(self, box: Box) -> np.ndarray:
        """The pixels of a box, (height, width) float32, the first row at the bottom; NaN beyond the image.

        Raises
        ------
        ImageError
            If rows of it are damaged.
        """
        out = np.full((box.height, box.width), np.nan, np.float32)
        x0, x1 = max(0, box.left), min(self.width, box.left + box.width)
        bands = self._bands(box)
        try:
            for band in range(bands.start, bands.stop) if x0 < x1 else ():
                rows, start = self._rows(band), band * self.image.step
                y0, y1 = max(start, box.bottom), min(start + len(rows), box.bottom + box.height)
                out[y0 - box.bottom : y1 - box.bottom, x0 - box.left : x1 - box.left] = rows[
                    y0 - start : y1 - start, x0:x1
                ]
        finally:
            for band in range(bands.start, bands.stop):
                self._done(band)
        return out

    def _bands(self, box: Box) -> slice:
        step, n = self.image.step, -(-self.height // self.image.step)
        first = min(max(0, box.bottom) // step, n)
        return slice(first, max(first, min(n, -(-min(self.height, box.bottom + box.height) // step))))

    def _rows(self, band: int) -> np.ndarray:
        with self.locks[band]:
            held = self.held[band]
            if held is None:
                start = band * self.image.step
                held = self.held[band] = self.image.rows(start, min(self.height, start + self.image.step))
            return held

    def _done(self, band: int) -> None:
        with self.locks[band]:
            self.left[band] -= 1
            if self.left[band] <= 0:
                self.held[band] = None
