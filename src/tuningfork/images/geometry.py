"""Which part of a frame is looked at, and at what size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tuningfork.errors import PackError

SMALLEST = 8  # pixels a side of a frame; below this there is no galaxy to see
HELD = 1 << 28  # bytes of squares that are held at a time


@dataclass(frozen=True)
class Geometry:
    """Central square of `field` (a fraction of the frame's shorter side), at `size` x `size` pixels of `channels`."""

    field: float = 1.0
    size: int = 128
    channels: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.field <= 1:
            raise PackError(f"the field is {self.field:g}; it is a fraction of the frame: above 0, at most 1")
        if not 1 <= self.size <= 4096:
            raise PackError(f"the size is {self.size} pixels; it must be 1 to 4096")
        if self.channels < 1:
            raise PackError(f"the number of channels is {self.channels}; it must be 1 or more")

    def box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The square (left, top, right, bottom) in the pixel coordinates of a frame; its sides may cut pixels."""
        side = self.field * min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def at_once(self, most: int) -> int:
        """How many of these squares are held at a time, at most: as many as take 256 MB, and no more than `most`."""
        return max(1, min(most, HELD // (self.size**2 * self.channels)))

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)

    @staticmethod
    def from_dict(table: dict[str, Any]) -> Geometry:
        """From a manifest."""
        return Geometry(float(table["field"]), int(table["size"]), int(table["channels"]))
