"""Whether the labels of a table obey their schema."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tuningfork.errors import SchemaError
from tuningfork.schemas.schema import Question, Schema

ROUNDING = 1e-6  # how far float32 arithmetic may carry a fraction out of 0 to 1


def check_labels(table: pd.DataFrame, schema: Schema, where: str) -> None:
    """Refuse labels that can't be right. Galaxies without labels, and questions nobody answered (all NaN), are fine.

    Parameters
    ----------
    table
        Has `id_str` and those of the schema's label columns that exist; at least one must.
    schema
        What the labels are to obey.
    where
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
            f"{where} has none of the columns of schema {schema.name!r} ({', '.join(schema.columns[:3])}, ...); "
            "name the right one with --schema"
        )
    if not table[present].notna().any(axis=None):
        raise SchemaError(f"{where}: every label of schema {schema.name!r} is missing (NaN)")
    if schema.kind == "classes":
        class_indices(table, schema, where)
    elif schema.kind == "quantities":
        _check_quantities(table, schema, where)
    else:
        _check_tree(table, schema, where)


def class_indices(table: pd.DataFrame, schema: Schema, where: str) -> np.ndarray:
    """The index of each row's class, -1 where it has none: (N,) int64. Labels may be names, labels or indices.

    Raises
    ------
    SchemaError
        If the column is absent or a label is not a class of the schema.
    """
    if schema.label_column not in table:
        raise SchemaError(f"{where} has no column {schema.label_column!r}, which schema {schema.name!r} needs")
    # Names after indices: in a list with classes named "1", "2", ... a name wins over a number.
    index_of = {text: index for index in range(len(schema.classes)) for text in (str(index), f"{index}.0")}
    index_of |= {entry.label: index for index, entry in enumerate(schema.classes)}
    index_of |= {entry.name: index for index, entry in enumerate(schema.classes)}
    codes, values = pd.factorize(table[schema.label_column])
    known = [index_of.get(str(value), -1) for value in values]
    if -1 in known:
        unknown = known.index(-1)
        row = int(np.argmax(codes == unknown))
        raise SchemaError(
            f"{where}, galaxy {table['id_str'].iloc[row]}: {str(values[unknown])!r} is not a class of schema "
            f"{schema.name!r} ({', '.join(schema.class_names)})"
        )
    return np.array([*known, -1], dtype=np.int64)[codes]  # code -1, a missing label, takes the last: -1


def _numbers(table: pd.DataFrame, columns: list[str], schema: Schema, where: str) -> np.ndarray:
    """The columns as (N, len(columns)) float64, NaN where missing, whatever numeric type each has."""
    for column in columns:
        if pd.api.types.is_numeric_dtype(table[column]) and not pd.api.types.is_bool_dtype(table[column]):
            continue
        if table[column].notna().any():
            raise SchemaError(
                f"{where}: column {column!r} of schema {schema.name!r} is not numeric ({table[column].dtype}); "
                "write numbers, and leave missing ones empty"
            )
    return np.stack([table[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in columns], axis=1)


def _check_quantities(table: pd.DataFrame, schema: Schema, where: str) -> None:
    for quantity in schema.quantities:
        limits = [column for column in (quantity.lower_column, quantity.upper_column) if column]
        for column in [c for c in (quantity.column, *limits) if c in table]:
            values = _numbers(table, [column], schema, where)[:, 0]
            wrong = (values < quantity.low) | (values > quantity.high)
            if quantity.missing is not None:
                wrong &= values != quantity.missing
            _refuse(wrong, table, where, f"{column} is outside {quantity.low:g} to {quantity.high:g}")


def _check_tree(table: pd.DataFrame, schema: Schema, where: str) -> None:
    for question in schema.questions:
        columns = [answer.column for answer in question.answers]
        absent = [column for column in columns if column not in table]
        if len(absent) == len(columns):
            continue
        if absent:
            raise SchemaError(f"{where} has no column {absent[0]!r} but has others of question {question.name!r}")
        values = _numbers(table, columns, schema, where)
        missing = np.isnan(values)
        _refuse(
            missing.any(axis=1) & ~missing.all(axis=1),
            table,
            where,
            f"question {question.name!r} is answered in part (NaN among {', '.join(columns)})",
        )
        if schema.votes == "counts":
            impossible = (values < 0) | np.isinf(values)
            _refuse(
                impossible.any(axis=1),
                table,
                where,
                f"question {question.name!r} has a negative or infinite vote count",
            )
            continue
        outside = np.abs(values - 0.5) > 0.5 + ROUNDING
        _refuse(np.any(outside, axis=1), table, where, f"question {question.name!r} has a vote fraction outside 0 to 1")
        off = values.sum(axis=1) - _expected_sum(table, schema, question, where)
        disobeys = np.abs(off) > schema.tolerance
        _refuse(disobeys, table, where, f"the fractions of question {question.name!r} don't obey the decision tree")


def _expected_sum(table: pd.DataFrame, schema: Schema, question: Question, where: str) -> np.ndarray:
    """What the fractions of a question must sum to, (N,); NaN (never refused) where a parent is unknown."""
    if schema.relative_to == "asked" or not question.parents:
        return np.ones(len(table))
    if any(parent not in table for parent in question.parents):
        return np.full(len(table), np.nan)
    return _numbers(table, list(question.parents), schema, where).sum(axis=1)


def _refuse(wrong: np.ndarray, table: pd.DataFrame, where: str, why: str) -> None:
    if wrong.any():
        first = table["id_str"].iloc[int(np.argmax(wrong))]
        raise SchemaError(f"{where}, galaxy {first}: {why} ({int(wrong.sum())} such rows); correct or remove them")
