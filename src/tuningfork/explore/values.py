"""The values of one column in memory: compared, ordered and shown, each number as it is stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuningfork.errors import CatalogError

EXACT = 1 << 53  # whole numbers from here on are text in JSON: a browser would round them
LAST = np.uint32(0xFFFFFFFF)  # the rank of what is missing
SHOWN = 1000  # characters of a text that are shown in a cell
Cell = str | int | float | bool | None


def cell(value: Any) -> Cell:
    """A value as JSON has it: what is no number is null, what is infinite or very long is text, times too.

    Of a text longer than `SHOWN` characters the first are had, and how many there are.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if len(value) <= SHOWN else f"{value[:SHOWN]}… ({len(value):,} characters)"
    if isinstance(value, int):
        return value if abs(value) < EXACT else str(value)
    if isinstance(value, float):
        return (
            value if math.isfinite(value) else None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        )
    return str(value)


@dataclass(frozen=True)
class Numbers:
    """Numbers or truth values, (N,) of their own type.

    Parameters
    ----------
    values
        The numbers; NaN where a float is not known.
    valid
        Which of the others are known, (N,) bool; None: all.
    """

    values: np.ndarray
    valid: np.ndarray | None = None

    @property
    def known(self) -> np.ndarray:
        """Which are known, (N,) bool."""
        if self.values.dtype.kind == "f":
            return np.asarray(~np.isnan(self.values))
        return np.ones(len(self.values), bool) if self.valid is None else self.valid

    @property
    def nbytes(self) -> int:
        """The memory they take."""
        return int(self.values.nbytes + (0 if self.valid is None else self.valid.nbytes))

    @property
    def is_bool(self) -> bool:
        """Whether they are truth values."""
        return bool(self.values.dtype == np.bool_)

    def between(self, low: float | None, high: float | None) -> np.ndarray:
        """Which are within these limits, both included, (N,) bool; compared without rounding either side."""
        kept: np.ndarray = np.array(self.known)
        if low is not None:
            kept &= self.values >= self._limit(low, math.ceil)
        if high is not None:
            kept &= self.values <= self._limit(high, math.floor)
        return kept

    def _limit(self, value: float, to_whole: Any) -> Any:
        """A limit that NumPy compares with the values exactly: a double, or beside whole numbers a whole number."""
        return to_whole(value) if self.values.dtype.kind in "iu" else np.float64(value)

    def among(self, wanted: Sequence[Cell]) -> np.ndarray:
        """Which are one of these, (N,) bool."""
        kept = {number for each in wanted if (number := self._of_own_type(_number(each))) is not None}
        return np.asarray(np.isin(self.values, np.array(sorted(kept), self.values.dtype)) & self.known)

    def _of_own_type(self, number: int | float | None) -> Any:
        """A number as these are stored; None where none of them can be equal to it."""
        if number is None or (isinstance(number, float) and math.isnan(number)):
            return None
        try:
            with np.errstate(over="ignore"):
                stored = self.values.dtype.type(number).item()
        except (OverflowError, ValueError):  # no number of this type is as large
            return None
        return stored if stored == number else None

    def containing(self, text: str) -> np.ndarray:
        """Numbers contain no text."""
        raise CatalogError("only columns of text can be searched for text")

    @property
    def finite(self) -> np.ndarray:
        """Which are known and not infinite, (N,) bool."""
        return np.asarray(np.isfinite(self.values)) if self.values.dtype.kind == "f" else self.known

    def limits(self) -> tuple[float, float] | None:
        """The least and the largest finite value; None where there is none."""
        finite = self.values[self.finite]
        return None if self.is_bool or not len(finite) else (finite.min().item(), finite.max().item())

    def counts(self) -> list[tuple[Cell, int]] | None:
        """Of truth values how many there are of each."""
        if not self.is_bool:
            return None
        yes = int(np.count_nonzero(self.values & self.known))
        return [(value, n) for value, n in ((True, yes), (False, int(self.known.sum()) - yes)) if n]

    def ranks(self) -> np.ndarray:
        """The rank of each value among all, (N,) uint32: the same for the same value, the last for what is missing."""
        if self.values.dtype == np.float32:
            bits = (self.values + np.float32(0)).view(np.uint32)  # -0 is 0
            # As whole numbers the bits of positive floats are ordered as these are, those of negative ones backwards.
            ranks = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))
        else:
            order = np.argsort(self.values)
            ordered = self.values[order]
            steps = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1], dtype=np.uint32)])
            ranks = np.empty(len(order), np.uint32)
            ranks[order] = steps
        ranks[~self.known] = LAST
        return np.asarray(ranks)

    def at(self, rows: np.ndarray) -> list[Cell]:
        """The values of some rows as JSON has them."""
        part = Numbers(self.values[rows], None if self.valid is None else self.valid[rows])
        pairs = zip(part.values.tolist(), part.known.tolist(), strict=True)
        return [cell(value) if known else None for value, known in pairs]

    def floats(self) -> np.ndarray:
        """As float32, (N,), NaN where not known: for drawing alone."""
        return np.asarray(np.where(self.known, self.values, np.nan), np.float32)


def _number(value: Cell) -> int | float | None:
    """What a value of JSON is among numbers; None where it is no number."""
    if value is None or isinstance(value, int | float):
        return value
    try:
        return int(value)
    except ValueError:
        try:
            return float(value)
        except ValueError:
            return None
