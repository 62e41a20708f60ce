"""The schema of one column of labels, made from its values."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from tuningfork.errors import SchemaError
from tuningfork.schemas.check import label_text
from tuningfork.schemas.classes import ClassSchema, GalaxyClass
from tuningfork.schemas.quantities import Quantity, QuantitySchema
from tuningfork.schemas.schema import Schema

log = logging.getLogger(__name__)

FEW = 10  # values: whole numbers of no more are classes, of more a quantity; so many texts are classes at any rate
MANY = 100  # classes
# What tables write where a number is not known, if it lies far from the others.
SENTINELS = (-99.0, -99.9, -99.99, -999.0, -999.9, -999.99, -9999.0, 99.0, 99.9, 99.99, 999.0, 999.9, 9999.0)


def schema_of_column(table: pd.DataFrame, column: str, origin: str) -> Schema:
    """A schema, called as the column, that its labels answer; what was made is logged.

    Text, truth values and whole numbers of at most `FEW` values are a list of classes, whose names are the values.
    Other numbers are a quantity: from 0 to 1 where all are in it, else from the least to the largest.

    Raises
    ------
    SchemaError
        If there are no two values, or so many texts that they are no classes; `where` names the table.
    """
    values = table[column].dropna()
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    distinct = np.sort(values.unique().astype(np.float64)) if numeric else values.unique()
    if len(distinct) < 2:
        there = f"one value alone ({distinct[0]})" if len(distinct) else "no value"
        raise SchemaError(f"{origin}: column {column!r} has {there}; two or more are needed to learn from")
    if not numeric:
        return _classes(column, sorted({label_text(value) for value in distinct}), len(values), origin)
    if not np.isfinite(distinct).all():
        raise SchemaError(f"{origin}: column {column!r} holds infinite numbers; leave them empty")
    if len(distinct) <= FEW and (distinct % 1 == 0).all():
        return _classes(column, [str(int(value)) for value in distinct], len(values), origin)
    return _quantity(column, distinct, origin)


def _classes(column: str, names: list[str], n: int, origin: str) -> Schema:
    if len(names) > MANY or len(names) > max(FEW, n / 2):
        raise SchemaError(
            f"{origin}: column {column!r} has {len(names)} different values among {n} labels, which are no classes; "
            "name another column with --label, or its own schema with --schema"
        )
    log.info("label %s: a list of %d classes: %s", column, len(names), ", ".join(names))
    classes = tuple(GalaxyClass(name, name) for name in names)
    return ClassSchema(column, f"The classes of {column}", (), label_column=column, classes=classes)


def _quantity(column: str, distinct: np.ndarray, origin: str) -> Schema:
    missing = next((s for s in SENTINELS if _is_far(s, distinct)), None)
    known = distinct[distinct != missing]
    low, high = (0.0, 1.0) if known[0] >= 0 and known[-1] <= 1 else (float(known[0]), float(known[-1]))
    if low == high:
        raise SchemaError(f"{origin}: column {column!r} has one value alone ({low:g}); two or more are needed")
    unknown = "" if missing is None else f", {missing:g} for not known"
    log.info("label %s: a quantity from %g to %g%s", column, low, high, unknown)
    quantity = Quantity(column, low, high, missing=missing)
    return QuantitySchema(column, f"The quantity {column}", (), quantities=(quantity,))


def _is_far(sentinel: float, distinct: np.ndarray) -> bool:
    """Whether a value is the least or the largest, and at least twice as far from 0 as any other."""
    others = distinct[distinct != sentinel]
    return len(others) < len(distinct) and bool(np.abs(others).max() <= abs(sentinel) / 2)
