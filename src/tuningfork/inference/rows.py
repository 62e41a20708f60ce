"""Rows of a predictions table from the answers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tuningfork.images import Decoded
from tuningfork.inference.described import (
    OOD,
    OOD_SCORE,
    answer_columns,
    names,
    numbers,
    remarks,
    summary_column,
    sure_columns,
    table_of,
)
from tuningfork.inference.sureness import Sureness
from tuningfork.schemas import Schema


def prediction_rows(
    batch: Sequence[Decoded],
    answers: Mapping[str, np.ndarray],
    schemas: Sequence[Schema],
    sure: Sureness | None,
) -> pa.Table:
    """One row for each of N images; the types of its columns are the same whatever the images are.

    First come `id_str`, the position of the image's middle (`ra`, `dec` in degrees, where its file says it) and
    `file_loc`. After the answers of each schema come, where they are known, ``<column>_low`` and ``<column>_high``, the
    90 % interval, and ``<column>_spread``, how far the answers to several views differ; after all schemas `ood_score`
    and the flag `ood`.

    `answers[schema.name]` is (number of readable images, K): the unreadable ones of the `batch` get nulls in their
    place. Then come `pixel_scale` and `field_arcsec`, the side of the square that the model sees, where they are known,
    `note`, what a user should know of an image that was read, and `error`.
    """
    readable = np.array([entry.error is None for entry in batch], dtype=bool)
    columns = names(batch)
    for schema in schemas:
        columns += numbers(answers[schema.name], answer_columns(schema), readable)
        if schema.summary_column:
            texts = np.full(len(batch), None, dtype=object)
            weights = sure.class_weights.get(schema.name) if sure else None
            texts[readable] = most_likely(answers[schema.name], schema, weights)
            columns.append((summary_column(schema), pa.array(texts, pa.string())))
        for which, values in (("low", sure.low), ("high", sure.high), ("spread", sure.spread)) if sure else ():
            if schema.name in values:
                columns += numbers(values[schema.name], sure_columns(schema, which), readable)
    if sure is not None:
        columns += numbers(sure.ood_score[:, None], [OOD_SCORE], readable)
        flags = np.zeros(len(batch), dtype=bool)
        flags[readable] = sure.ood_score > 1
        columns.append((OOD, pa.array(flags, mask=~readable)))
    return table_of(columns + remarks(batch))


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
