"""Rows of a predictions table from the answers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tuningfork.schemas import Schema


def prediction_schema(schemas: Sequence[Schema]) -> pa.Schema:
    """The columns of a predictions table, in order."""
    fields = [pa.field("id_str", pa.string()), pa.field("file_loc", pa.string())]
    for schema in schemas:
        fields += [pa.field(column, pa.float32()) for column in schema.prediction_columns]
        if schema.summary_column:
            fields.append(pa.field(schema.summary_column, pa.string()))
    return pa.schema([*fields, pa.field("note", pa.string()), pa.field("error", pa.string())])


def prediction_rows(
    ids: Sequence[str],
    locations: Sequence[str],
    notes: Sequence[str | None],
    errors: Sequence[str | None],
    answers: Mapping[str, np.ndarray],
    schemas: Sequence[Schema],
) -> pa.Table:
    """One row for each of N images.

    `answers[schema.name]` is (number of readable images, K): the unreadable ones, whose `errors` entry is text, get
    nulls in their place. `notes` are what a user should know of an image that was read.
    """
    readable = np.array([error is None for error in errors], dtype=bool)
    columns: dict[str, object] = {"id_str": list(ids), "file_loc": list(locations)}
    for schema in schemas:
        values = np.full((len(ids), len(schema.prediction_columns)), np.nan, dtype=np.float32)
        values[readable] = answers[schema.name]
        for index, column in enumerate(schema.prediction_columns):
            columns[column] = pa.array(values[:, index], mask=~readable)
        if schema.summary_column:
            texts = np.full(len(ids), None, dtype=object)
            texts[readable] = most_likely(answers[schema.name], schema)
            columns[schema.summary_column] = pa.array(texts, pa.string())
    columns["note"] = pa.array(list(notes), pa.string())
    columns["error"] = pa.array(list(errors), pa.string())
    return pa.table(columns, schema=prediction_schema(schemas))


def most_likely(values: np.ndarray, schema: Schema) -> np.ndarray:
    """The most likely class, or the most likely path down the tree as ``question=answer; ...``: (N,) of text.

    The path follows the answer with the largest fraction of each question that the answers before it lead to.
    """
    if schema.kind == "classes":
        return np.array(schema.class_names, dtype=object)[values.argmax(axis=1)]
    paths = np.full(len(values), "", dtype=object)
    chosen: dict[str, np.ndarray] = {}
    for question in schema.walk:
        part = schema.slices[question.name]
        best = values[:, part].argmax(axis=1)
        reached = np.ones(len(values), dtype=bool)
        if question.parents:
            reached = np.logical_or.reduce([chosen[parent] for parent in question.parents])
        texts = np.array([f"{question.name}={answer.name}; " for answer in question.answers], dtype=object)[best]
        paths = np.where(reached, paths + texts, paths)
        for index, answer in enumerate(question.answers):
            chosen[answer.column] = reached & (best == index)
    return np.array([path.removesuffix("; ") for path in paths], dtype=object)
