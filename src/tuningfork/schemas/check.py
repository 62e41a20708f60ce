"""Whether the labels of a table obey their schema."""

from __future__ import annotations

import logging
from functools import singledispatch

import numpy as np
import pandas as pd

from tuningfork.errors import SchemaError
from tuningfork.schemas.classes import ClassSchema
from tuningfork.schemas.quantities import QuantitySchema
from tuningfork.schemas.schema import Schema
from tuningfork.schemas.tree import Question, TreeSchema

log = logging.getLogger(__name__)

ROUNDING = 1e-6  # how far float32 arithmetic may carry a fraction out of 0 to 1


def check_labels(table: pd.DataFrame, schema: Schema, origin: str) -> None:
    """Refuse labels that can't be right. Galaxies without labels, and questions nobody answered (all NaN), are fine.

    Parameters
    ----------
    table
        Has `id_str` and those of the schema's label columns that exist; at least one must.
    schema
        What the labels are to obey.
    origin
        Names the table in errors.

    Raises
    ------
    SchemaError
        If no label column is there, no galaxy has a label, a class is unknown, a value is out of range, a question is
        answered in part (some NaN), or its fractions don't sum to what the tree demands.
    """
    present = [column for column in schema.columns if column in table.columns]
    if not present:
        raise SchemaError(
            f"{origin} has none of the columns of schema {schema.name!r} ({', '.join(schema.columns[:3])}, ...); "
            "name the right one with --schema"
        )
    if not table[present].notna().any(axis=None):
        raise SchemaError(f"{origin}: every label of schema {schema.name!r} is missing (NaN)")
    _check(schema, table, origin)


@singledispatch
def _check(schema: Schema, table: pd.DataFrame, origin: str) -> None:
    """Refuse labels that this kind of schema forbids."""
    raise NotImplementedError(schema.kind)


def without_unasked(table: pd.DataFrame, schema: Schema, origin: str) -> pd.DataFrame:
    """The table with missing values for questions that nobody was asked: fractions that are 0 of 0 votes.

    Published tables give them as 0.0. Of fractions relative to those asked, all of a question's are 0 only where nobody
    reached it: its parents have no votes, or it is the first and nobody looked. How many galaxies that is, is logged.
    """
    if not isinstance(schema, TreeSchema) or schema.votes != "fractions" or schema.of_everyone:
        return table
    unasked: dict[str, np.ndarray] = {}
    for question in schema.questions:
        columns = [answer.column for answer in question.answers]
        if all(column in table and _is_numeric(table[column]) for column in columns):
            nobody = (_plain(table, columns) == 0).all(axis=1)
            parents = [parent for parent in question.parents if parent in table and _is_numeric(table[parent])]
            reached = np.nansum(_plain(table, parents), axis=1) > 0 if parents else np.zeros(len(table), dtype=bool)
            unasked |= dict.fromkeys(columns, nobody & ~reached)
    if any(rows.any() for rows in unasked.values()):
        n = int(np.any(list(unasked.values()), axis=0).sum())
        log.info("%s: %d galaxies have questions of %s with 0 of 0 votes, taken as not asked", origin, n, schema.name)
        table = table.assign(**{name: table[name].mask(rows) for name, rows in unasked.items() if rows.any()})
    return table


def class_indices(table: pd.DataFrame, schema: ClassSchema, origin: str) -> np.ndarray:
    """The index of each row's class, -1 where it has none: (N,) int64. Labels may be names, labels or indices.

    Raises
    ------
    SchemaError
        If the column is absent or a label is not a class of the schema.
    """
    if schema.label_column not in table:
        raise SchemaError(f"{origin} has no column {schema.label_column!r}, which schema {schema.name!r} needs")
    # Names after indices: in a list with classes named "1", "2", ... a name wins over a number.
    index_of = {str(index): index for index in range(len(schema.classes))}
    index_of |= {entry.label: index for index, entry in enumerate(schema.classes)}
    index_of |= {entry.name: index for index, entry in enumerate(schema.classes)}
    codes, values = pd.factorize(table[schema.label_column])
    known = [index_of.get(str(value), index_of.get(label_text(value), -1)) for value in values]
    if -1 in known:
        unknown = known.index(-1)
        row = int(np.argmax(codes == unknown))
        raise SchemaError(
            f"{origin}, galaxy {table['id_str'].iloc[row]}: {str(values[unknown])!r} is not a class of schema "
            f"{schema.name!r} ({', '.join(schema.class_names)})"
        )
    return np.array([*known, -1], dtype=np.int64)[codes]  # code -1, a missing label, takes the last: -1


def label_text(value: object) -> str:
    """A label as text; a whole number that stands as 1.0, as it does where others are missing, is 1, and True true."""
    text = str(value).lower() if isinstance(value, bool | np.bool_) else str(value)
    return text.removesuffix(".0") if text.removesuffix(".0").lstrip("-").isdecimal() else text


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _plain(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Numeric columns as (N, len(columns)) float64, NaN where missing."""
    return np.stack([table[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in columns], axis=1)


def _numbers(table: pd.DataFrame, columns: list[str], schema: Schema, origin: str) -> np.ndarray:
    """The columns as (N, len(columns)) float64, NaN where missing, whatever numeric type each has."""
    for column in columns:
        if not _is_numeric(table[column]) and table[column].notna().any():
            raise SchemaError(
                f"{origin}: column {column!r} of schema {schema.name!r} is not numeric ({table[column].dtype}); "
                "write numbers, and leave missing ones empty"
            )
    return _plain(table, columns)


@_check.register(ClassSchema)
def _check_classes(schema: ClassSchema, table: pd.DataFrame, origin: str) -> None:
    class_indices(table, schema, origin)


@_check.register(QuantitySchema)
def _check_quantities(schema: QuantitySchema, table: pd.DataFrame, origin: str) -> None:
    for quantity in schema.quantities:
        limits = [column for column in (quantity.lower_column, quantity.upper_column) if column]
        for column in [c for c in (quantity.column, *limits) if c in table]:
            values = _numbers(table, [column], schema, origin)[:, 0]
            wrong = (values < quantity.low) | (values > quantity.high)
            if quantity.missing is not None:
                wrong &= values != quantity.missing
            _refuse(wrong, table, origin, f"{column} is outside {quantity.low:g} to {quantity.high:g}")


@_check.register(TreeSchema)
def _check_tree(schema: TreeSchema, table: pd.DataFrame, origin: str) -> None:
    for question in schema.questions:
        columns = [answer.column for answer in question.answers]
        absent = [column for column in columns if column not in table]
        if len(absent) == len(columns):
            continue
        if absent:
            raise SchemaError(f"{origin} has no column {absent[0]!r} but has others of question {question.name!r}")
        values = _numbers(table, columns, schema, origin)
        missing = np.isnan(values)
        _refuse(
            missing.any(axis=1) & ~missing.all(axis=1),
            table,
            origin,
            f"question {question.name!r} is answered in part (NaN among {', '.join(columns)})",
        )
        if schema.votes == "counts":
            impossible = (values < 0) | np.isinf(values)
            _refuse(
                impossible.any(axis=1),
                table,
                origin,
                f"question {question.name!r} has a negative or infinite vote count",
            )
            continue
        outside = np.abs(values - 0.5) > 0.5 + ROUNDING
        _refuse(
            np.any(outside, axis=1), table, origin, f"question {question.name!r} has a vote fraction outside 0 to 1"
        )
        off = values.sum(axis=1) - _expected_sum(table, schema, question, origin)
        disobeys = np.abs(off) > schema.tolerance
        most = np.max(np.abs(off), where=disobeys, initial=0.0)
        why = f"the fractions of question {question.name!r} don't obey the decision tree: their sum is off by up to"
        remedy = f"correct them, or raise the schema's key tolerance, now {schema.tolerance:g}"
        _refuse(disobeys, table, origin, f"{why} {most:.3g}", remedy)


def _expected_sum(table: pd.DataFrame, schema: TreeSchema, question: Question, origin: str) -> np.ndarray:
    """What the fractions of a question must sum to, (N,); NaN (never refused) where a parent is unknown."""
    if schema.relative_to == "asked" or not question.parents:
        return np.ones(len(table))
    if any(parent not in table for parent in question.parents):
        return np.full(len(table), np.nan)
    asked: np.ndarray = _numbers(table, list(question.parents), schema, origin).sum(axis=1)
    return asked


def _refuse(
    wrong: np.ndarray, table: pd.DataFrame, origin: str, why: str, remedy: str = "correct or remove them"
) -> None:
    if wrong.any():
        first = table["id_str"].iloc[int(np.argmax(wrong))]
        raise SchemaError(f"{origin}, galaxy {first}: {why} ({int(wrong.sum())} such rows); {remedy}")
