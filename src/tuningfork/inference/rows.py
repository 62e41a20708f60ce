"""Rows of a predictions table from the answers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tuningfork.inference.sureness import Sureness
from tuningfork.schemas import Schema


def prediction_rows(
    ids: Sequence[str],
    locations: Sequence[str],
    notes: Sequence[str | None],
    errors: Sequence[str | None],
    answers: Mapping[str, np.ndarray],
    schemas: Sequence[Schema],
    sure: Sureness | None,
) -> pa.Table:
    """One row for each of N images.

    After the answers of each schema come, where they are known, ``<column>_low`` and ``<column>_high``, the 90 %
    interval, and ``<column>_spread``, how far the answers to several views differ; after all schemas `unlikeness` and
    the flag `unlike`.

    `answers[schema.name]` is (number of readable images, K): the unreadable ones, whose `errors` entry is text, get
    nulls in their place. `notes` are what a user should know of an image that was read.
    """
    readable = np.array([error is None for error in errors], dtype=bool)
    columns: dict[str, pa.Array] = {"id_str": pa.array(ids, pa.string()), "file_loc": pa.array(locations, pa.string())}
    for schema in schemas:
        columns |= _numbers(answers[schema.name], schema.prediction_columns, readable)
        if schema.summary_column:
            texts = np.full(len(ids), None, dtype=object)
            weights = sure.class_weights.get(schema.name) if sure else None
            texts[readable] = most_likely(answers[schema.name], schema, weights)
            columns[schema.summary_column] = pa.array(texts, pa.string())
        for name, values in (("low", sure.low), ("high", sure.high), ("spread", sure.spread)) if sure else ():
            if schema.name in values:
                named = [f"{column}_{name}" for column in schema.prediction_columns]
                columns |= _numbers(values[schema.name], named, readable)
    if sure is not None:
        columns |= _numbers(sure.unlikeness[:, None], ["unlikeness"], readable)
        flags = np.zeros(len(ids), dtype=bool)
        flags[readable] = sure.unlikeness > 1
        columns["unlike"] = pa.array(flags, mask=~readable)
    columns["note"] = pa.array(list(notes), pa.string())
    columns["error"] = pa.array(list(errors), pa.string())
    return pa.table(columns)


def _numbers(values: np.ndarray, names: Sequence[str], readable: np.ndarray) -> dict[str, pa.Array]:
    """Values (number of readable images, K) as columns of all images; what is not known is null."""
    spread = np.full((len(readable), len(names)), np.nan, dtype=np.float32)
    spread[readable] = values
    return {name: pa.array(column, mask=np.isnan(column)) for name, column in zip(names, spread.T, strict=True)}


def most_likely(values: np.ndarray, schema: Schema, class_weights: np.ndarray | None = None) -> np.ndarray:
    """The most likely class, or the most likely path down the tree as ``question=answer; ...``: (N,) of text.

    The path follows the answer with the largest fraction of each question that the answers before it lead to.
    `class_weights`, (C,), multiply the probabilities of classes before one is chosen.
    """
    if schema.kind == "classes":
        weighted = values if class_weights is None else values * class_weights
        return np.array(schema.class_names, dtype=object)[weighted.argmax(axis=1)]
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
