"""Rows of a predictions table from the answers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch

from tuningfork.images import Decoded
from tuningfork.inference.confidence import Confidence
from tuningfork.inference.described import (
    OOD,
    OOD_SCORE,
    PLACE_X,
    PLACE_Y,
    WIDTH,
    answer_columns,
    confidence_columns,
    expected_rmse_column,
    names,
    numbers,
    probability_column,
    remarks,
    summary_column,
    table_of,
)
from tuningfork.inference.naming import named_probability, summaries
from tuningfork.models.locator import Places
from tuningfork.schemas import ClassSchema, Schema, TreeSchema


def prediction_rows(
    batch: Sequence[Decoded],
    answers: Mapping[str, np.ndarray],
    schemas: Sequence[Schema],
    sure: Confidence | None,
    places: Places | None = None,
) -> pa.Table:
    """One row for each of N images; the types of its columns are the same whatever the images are.

    First come `id_str`, the position of the image's middle (`ra`, `dec` in degrees, where its file says it) and
    `file_loc`. Where the model is calibrated, after the answers of each schema come ``<column>_low`` and
    ``<column>_high``, the 90 % interval, ``<column>_spread``, how far the answers to several views differ, and, of a
    tree, ``<schema>_expected_rmse``, how wrong its fractions are likely to be; after all schemas `ood_score` and the
    flag `ood`. What is not known is null.

    `answers[schema.name]` is (number of readable images, K): the unreadable ones of the `batch` get nulls in their
    place. Of a model that looks for the galaxy come `frame_width`, `galaxy_x` and `galaxy_y`, its `places`. Then come
    `pixel_scale` and `field_arcsec`, the side of the square that the model looks at, where they are known,
    `note`, what a user should know of an image that was read, and `error`.
    """
    readable = np.array([entry.error is None for entry in batch], dtype=bool)
    columns, named = names(batch), summaries(answers, schemas)
    for schema in schemas:
        columns += numbers(answers[schema.name], answer_columns(schema), readable)
        if schema.summary_column:
            texts = np.full(len(batch), None, dtype=object)
            texts[readable] = named[schema.name]
            columns.append((summary_column(schema), pa.array(texts, pa.string())))
        if isinstance(schema, ClassSchema):
            probability = named_probability(answers[schema.name], named[schema.name])
            columns += numbers(probability[:, None], [probability_column(schema)], readable)
        for which, values in (("low", sure.low), ("high", sure.high), ("spread", sure.spread)) if sure else ():
            if schema.name in values:
                columns += numbers(values[schema.name], confidence_columns(schema, which), readable)
        if sure is not None and isinstance(schema, TreeSchema):
            columns += numbers(sure.expected_rmse[schema.name][:, None], [expected_rmse_column(schema)], readable)
    if sure is not None:
        columns += numbers(sure.ood_score[:, None], [OOD_SCORE], readable)
        scores = np.full(len(batch), np.nan)
        scores[readable] = sure.ood_score
        columns.append((OOD, pa.array(scores > 1, mask=np.isnan(scores))))
    if places is not None:
        found = torch.stack([places.width, places.x, places.y], dim=1).numpy()
        columns += numbers(found, [WIDTH, PLACE_X, PLACE_Y], readable)
    return table_of(columns + remarks(batch))
