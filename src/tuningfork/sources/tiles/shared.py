"""Rows of one image that several cutouts need: each is read once, and kept while one of them may still ask for it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tuningfork.sources.tiles.stored import Stored


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
        """The pixels of a box, (height, width), the first row at the bottom; NaN or 0 beyond the image.

        Raises
        ------
        ImageError
            If rows of it are damaged.
        """
        along, across = self.inside(box)
        x0, width = box.left + across.start, across.stop - across.start
        y0, y1, step = box.bottom + along.start, box.bottom + along.stop, self.image.step
        bands = self._bands(box)
        try:
            parts = [
                self._rows(band)[max(0, y0 - band * step) : y1 - band * step, x0 : x0 + width]
                for band in range(bands.start, bands.stop)
                if width
            ]
        finally:
            self.release(box)
        kind = parts[0].dtype if parts else np.dtype(np.float32)
        if len(parts) == 1 and parts[0].shape == (box.height, box.width):
            return parts[0].copy()  # not a view, which would keep all the rows
        out = np.full((box.height, box.width), np.nan if kind.kind == "f" else 0, kind)
        if parts:
            out[along, across] = np.concatenate(parts)
        return out

    def release(self, box: Box) -> None:
        """Let go of the rows of a box that need not be cut out any more."""
        bands = self._bands(box)
        for band in range(bands.start, bands.stop):
            self._done(band)

    def inside(self, box: Box) -> tuple[slice, slice]:
        """Which rows and columns of a box lie in the image."""
        return _within(box.bottom, box.height, self.height), _within(box.left, box.width, self.width)

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


def cut_all(asked: Iterable[tuple[SharedRows, Box]]) -> list[np.ndarray]:
    """Boxes of several images; where one is damaged, the rows of the others are let go too."""
    left = iter(asked)
    try:
        return [rows.cut(box) for rows, box in left]
    finally:
        for rows, box in left:
            rows.release(box)


def _within(start: int, length: int, end: int) -> slice:
    """Of `length` numbers from `start`, which lie between 0 and `end`."""
    first = min(max(0, -start), length)
    return slice(first, max(first, min(length, end - start)))
