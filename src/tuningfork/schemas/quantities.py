"""Quantities: numbers measured for a galaxy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isclose

import numpy as np

from tuningfork.errors import SchemaError
from tuningfork.schemas.schema import Schema


@dataclass(frozen=True)
class Quantity:
    """A number measured for a galaxy, such as the T type; ordinal where `step` is given.

    `lower_column` and `upper_column` hold its confidence limits; the value `missing` means undetermined.
    """

    column: str
    low: float
    high: float
    step: float | None = None
    lower_column: str | None = None
    upper_column: str | None = None
    missing: float | None = None
    text: str = ""


@dataclass(frozen=True)
class QuantitySchema(Schema):
    """Measured numbers.

    Parameters
    ----------
    quantities : tuple of Quantity
        Each with its range.
    """

    kind = "quantities"
    nouns = ("quantity", "quantities")

    quantities: tuple[Quantity, ...] = ()

    @property
    def parts(self) -> tuple[Quantity, ...]:
        """The quantities."""
        return self.quantities

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The column of each quantity."""
        return tuple(quantity.column for quantity in self.quantities)

    @cached_property
    def limits(self) -> np.ndarray:
        """The range of each quantity, (K, 2)."""
        return np.array([[quantity.low, quantity.high] for quantity in self.quantities], dtype=np.float64)

    def _check(self) -> None:
        if not self.quantities:
            raise SchemaError(f"schema {self.name!r} has no quantity; add a [[quantity]]")
        columns = [(q.column, q.lower_column, q.upper_column) for q in self.quantities]
        self._refuse_duplicates("column", [column for row in columns for column in row if column is not None])
        for quantity in self.quantities:
            where = f"schema {self.name!r}: quantity {quantity.column!r}"
            if quantity.low >= quantity.high:
                raise SchemaError(f"{where} needs low < high")
            if quantity.step is not None:
                steps = (quantity.high - quantity.low) / quantity.step if quantity.step > 0 else 0.0
                if round(steps) < 1 or not isclose(steps, round(steps), rel_tol=1e-6):
                    raise SchemaError(f"{where}: step = {quantity.step:g} must divide low to high into whole steps")
            if quantity.missing is not None and quantity.low <= quantity.missing <= quantity.high:
                raise SchemaError(f"{where}: missing = {quantity.missing:g} is one of its values; choose one outside")
