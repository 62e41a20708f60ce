"""Predictions and labels brought together: checked, joined by id, row for row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tuningfork.catalogs import find_column, find_ids, id_text, listed, with_names
from tuningfork.errors import PredictionsError
from tuningfork.evaluation.bootstrap import Array
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, check_labels, without_unasked

ENDS = ("low", "high", "spread")  # of the columns that say how sure an answer is
SUM_TOLERANCE = 1e-3
RANGE_TOLERANCE = 1e-6  # float32 sums of softmax outputs exceed 1 by less


def with_ids(table: pd.DataFrame, schemas: Sequence[Schema], origin: str) -> pd.DataFrame:
    """The table with its ids as text in `id_str`: found there or in a schema's own id column (`GalaxyID`).

    Raises
    ------
    PredictionsError
        If no id column is there, an id is missing, or an id stands twice.
    """
    name = find_ids(table, [schema.id_column for schema in schemas])
    if name is None:
        names = dict.fromkeys(["id_str", *(schema.id_column for schema in schemas)])
        raise PredictionsError(f"{origin} has no id column ({' or '.join(names)}); it has {listed(table)}: add one")
    ids = table[name]
    if ids.isna().any():
        raise PredictionsError(f"{origin}: row {int(np.argmax(ids.isna()))} has no {name}; give every galaxy its id")
    text = id_text(ids, origin)
    if text.duplicated().any():
        twice = text[text.duplicated()].iloc[0]
        raise PredictionsError(
            f"{origin}: id {twice} stands twice ({int(text.duplicated().sum())} such rows); keep one"
        )
    whole = table.drop(columns=[name]).copy()  # in one piece, as pandas wants a table of many columns to be
    return whole.assign(id_str=text).reset_index(drop=True)


def with_prediction_columns(table: pd.DataFrame, schemas: Sequence[Schema]) -> pd.DataFrame:
    """A predictions table with the columns of these schemas by their own names, where it has the published ones.

    Tables with the names of a schema's labels are such, as the challenge's submissions and ``--columns schema`` are.
    Where a table has any of a schema's own columns, the others are left alone: they are labels.
    """
    renamed = {}
    for schema in schemas:
        pairs = list(zip(schema.prediction_columns, schema.published_columns, strict=True))
        own = any(find_column(table, [name]) is not None for name, published in pairs if name != published)
        for name, published in pairs:
            for end in ("", *(f"_{end}" for end in ENDS)):
                found = find_column(table, [f"{name if own else published}{end}"])
                if found is not None and found != f"{name}{end}":
                    renamed[found] = f"{name}{end}"
    return table.rename(columns=renamed) if renamed else table


def join(
    predictions: pd.DataFrame, labels: pd.DataFrame, schemas: Sequence[Schema], origin: str
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Predictions and labels of the galaxies that are in both and were read, in the same order, and the counts.

    Galaxies without any label of these schemas are not counted as labels.

    Raises
    ------
    PredictionsError
        If ids are missing or double, nothing joins, a schema's columns are absent, or a value can't be right.
    SchemaError
        If the labels don't obey their schema.
    """
    if not schemas:
        raise PredictionsError(f"{origin}: no schema to evaluate; name one with --schema")
    predictions = with_prediction_columns(with_ids(predictions, schemas, origin), schemas)
    predictions = with_names(predictions, [s.summary_column for s in schemas if s.summary_column])
    labels = with_names(with_ids(labels, schemas, f"the labels for {origin}"), [c for s in schemas for c in s.columns])
    for schema in schemas:
        labels = without_unasked(labels, schema, f"the labels for {origin}")
        check_labels(labels, schema, f"the labels for {origin}")
    columns = [column for schema in schemas for column in schema.columns if column in labels]
    labels = labels[labels[columns].notna().any(axis=1)]
    failed = _failed(predictions)
    shared = predictions["id_str"].isin(labels["id_str"])
    if not shared.any():
        raise PredictionsError(
            f"{origin}: no id of the predictions ({_examples(predictions)}) is among the labels ({_examples(labels)}); "
            "are these the same galaxies?"
        )
    kept = predictions[shared & ~failed].reset_index(drop=True)
    if kept.empty:
        raise PredictionsError(f"{origin}: every galaxy with a label has an error; see the predictions' column 'error'")
    counts = {
        "predictions": len(predictions),
        "labels": len(labels),
        "evaluated": len(kept),
        "errors": int((shared & failed).sum()),
        "only_in_predictions": int((~shared).sum()),
        "only_in_labels": len(labels) - int(shared.sum()),
    }
    for schema in schemas:
        _check(kept, schema, origin)
    return kept, labels.set_index("id_str").loc[kept["id_str"]].reset_index(), counts


def table_hash(table: pd.DataFrame) -> str:
    """A SHA-256 of what a table holds."""
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def probabilities(predictions: pd.DataFrame, schema: Schema) -> Array | None:
    """The schema's prediction columns as (N, K) float64; None for a class list with hard labels only."""
    if isinstance(schema, ClassSchema) and not set(schema.prediction_columns) & set(predictions.columns):
        return None
    return answers(predictions, schema)


def answers(predictions: pd.DataFrame, schema: Schema) -> Array:
    """The schema's prediction columns as (N, K) float64."""
    return predictions[list(schema.prediction_columns)].to_numpy(dtype=np.float64, na_value=np.nan)


def _failed(predictions: pd.DataFrame) -> pd.Series:
    if "error" not in predictions:
        return pd.Series(False, index=predictions.index)
    return predictions["error"].notna() & (predictions["error"].astype(str) != "")


def _check(predictions: pd.DataFrame, schema: Schema, origin: str) -> None:
    absent = [column for column in schema.prediction_columns if column not in predictions]
    named = isinstance(schema, ClassSchema) and schema.summary_column in predictions
    if named and len(absent) == len(schema.prediction_columns):
        missing = predictions[str(schema.summary_column)].isna().to_numpy()
        _refuse(missing, predictions, origin, f"{schema.summary_column} is missing and no error says why")
        return
    if absent:
        raise PredictionsError(
            f"{origin} has no column {absent[0]!r} of schema {schema.name!r} ({len(absent)} of "
            f"{len(schema.prediction_columns)} are absent); add it, or name another --schema"
        )
    for column in schema.prediction_columns:
        if not pd.api.types.is_numeric_dtype(predictions[column]):
            raise PredictionsError(f"{origin}: column {column!r} is not numeric; write numbers there")
    values = probabilities(predictions, schema)
    if values is None:
        return
    wrong = np.asarray(~np.isfinite(values).all(axis=1))
    _refuse(wrong, predictions, origin, f"a prediction of schema {schema.name!r} is NaN and no error says why")
    if isinstance(schema, QuantitySchema):
        return
    wrong = np.any((values < -RANGE_TOLERANCE) | (values > 1 + RANGE_TOLERANCE), axis=1)
    _refuse(wrong, predictions, origin, f"a prediction of schema {schema.name!r} is outside 0 to 1")
    if isinstance(schema, ClassSchema):
        wrong = np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE
        _refuse(wrong, predictions, origin, f"the probabilities of schema {schema.name!r} don't sum to 1")


def _refuse(wrong: np.ndarray, predictions: pd.DataFrame, origin: str, why: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        galaxy = predictions["id_str"].iloc[row]
        raise PredictionsError(
            f"{origin}, galaxy {galaxy}: {why} ({int(wrong.sum())} such rows); correct or remove them"
        )


def _examples(table: pd.DataFrame) -> str:
    return ", ".join(table["id_str"].head(3)) + (", ..." if len(table) > 3 else "")
