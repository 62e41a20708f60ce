"""Do the labels of a table obey their schema?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuningfork.errors import SchemaError
from tuningfork.schemas.schema import Question, Schema

if TYPE_CHECKING:
    import pandas as pd


def check_labels(table: pd.DataFrame, schema: Schema, where: str) -> None:
    """Refuse labels that can't be right. Galaxies without labels, and questions nobody answered (all NaN), are fine.

    Parameters
    ----------
    table
        Has `id_str` and those of the schema's label columns that exist; at least one must.
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
        return
    for column in present:
        if not np.issubdtype(table[column].dtype, np.number):
            raise SchemaError(f"{where}: column {column!r} of schema {schema.name!r} is not numeric")
    if schema.kind == "quantities":
        _check_quantities(table, schema, where)
    else:
        _check_tree(table, schema, where)


def class_indices(table: pd.DataFrame, schema: Schema, where: str) -> np.ndarray:
    """The index of each row's class, -1 where it has none: (N,) int64. Labels may be names, labels or indices."""
    index_of: dict[str, int] = {}
    for index, entry in enumerate(schema.classes):
        index_of |= {entry.name: index, entry.label: index, str(index): index, f"{index}.0": index}
    labels = table[schema.label_column]
    known = labels.notna()
    indices = np.full(len(table), -1, dtype=np.int64)
    mapped = labels[known].astype(str).map(index_of)
    if mapped.isna().any():
        row = mapped.index[mapped.isna()][0]
        raise SchemaError(
            f"{where}, galaxy {table['id_str'].loc[row]}: {labels.loc[row]!r} is not a class of schema "
            f"{schema.name!r} ({', '.join(schema.class_names)})"
        )
    indices[known.to_numpy()] = mapped.to_numpy().astype(np.int64)
    return indices


def _check_quantities(table: pd.DataFrame, schema: Schema, where: str) -> None:
    for quantity in schema.quantities:
        if quantity.column not in table:
            continue
        values = table[quantity.column].to_numpy(dtype=np.float64)
        wrong = (values < quantity.low) | (values > quantity.high)
        if quantity.missing is not None:
            wrong &= values != quantity.missing
        _refuse(wrong, table, where, f"{quantity.column} is outside {quantity.low:g} to {quantity.high:g}")


def _check_tree(table: pd.DataFrame, schema: Schema, where: str) -> None:
    for question in schema.questions:
        columns = [answer.column for answer in question.answers]
        absent = [column for column in columns if column not in table]
        if len(absent) == len(columns):
            continue
        if absent:
            raise SchemaError(f"{where} has no column {absent[0]!r} but has others of question {question.name!r}")
        values = table[columns].to_numpy(dtype=np.float64)
        missing = np.isnan(values)
        _refuse(
            missing.any(axis=1) & ~missing.all(axis=1),
            table,
            where,
            f"question {question.name!r} is answered in part (NaN among {', '.join(columns)})",
        )
        if schema.votes == "counts":
            _refuse((values < 0).any(axis=1), table, where, f"question {question.name!r} has a negative vote count")
            continue
        _refuse(
            ((values < 0) | (values > 1)).any(axis=1),
            table,
            where,
            f"question {question.name!r} has a vote fraction outside 0 to 1",
        )
        expected = _expected_sum(table, schema, question)
        off = np.abs(values.sum(axis=1) - expected) > schema.tolerance
        _refuse(off, table, where, f"the fractions of question {question.name!r} don't obey the decision tree")


def _expected_sum(table: pd.DataFrame, schema: Schema, question: Question) -> np.ndarray:
    """What the fractions of a question must sum to, (N,); NaN (never refused) where a parent is unknown."""
    if schema.relative_to == "asked" or not question.parents:
        return np.ones(len(table))
    if any(parent not in table for parent in question.parents):
        return np.full(len(table), np.nan)
    return table[list(question.parents)].to_numpy(dtype=np.float64).sum(axis=1)


def _refuse(wrong: np.ndarray, table: pd.DataFrame, where: str, why: str) -> None:
    if wrong.any():
        first = table["id_str"].iloc[int(np.argmax(wrong))]
        raise SchemaError(f"{where}, galaxy {first}: {why} ({int(wrong.sum())} such rows); correct or remove them")
