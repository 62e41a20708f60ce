"""Do intervals hold what they promise: the share of labels within the 90 % intervals of a predictions table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tuningfork.evaluation.bootstrap import Array, Measure
from tuningfork.evaluation.metrics import mean
from tuningfork.schemas import Schema

ROUNDING = 1e-6  # ends are stored as float32


def with_coverage(
    measures: dict[str, Any], predictions: pd.DataFrame, observed: Array, schema: Schema
) -> dict[str, Any]:
    """The figures of a tree or of quantities with `coverage`, where the predictions have intervals.

    Parameters
    ----------
    measures
        As `tree_measures` or `quantity_measures` gives them. Overall, and in each question, `coverage` is over all
        answers and galaxies alike; `interval_width` is the mean width.
    predictions
        N galaxies; the intervals are ``<column>_low`` and ``<column>_high`` of the schema's prediction columns.
    observed
        (N, K) labels in the same order, NaN where missing.
    """
    ends = [[f"{column}_{end}" for column in schema.prediction_columns] for end in ("low", "high")]
    if not {name for names in ends for name in names} <= set(predictions.columns):
        return measures
    low, high = (predictions[names].to_numpy(dtype=np.float64, na_value=np.nan) for names in ends)
    known = np.isfinite(observed) & np.isfinite(low)
    held = np.where(known, (observed >= low - ROUNDING) & (observed <= high + ROUNDING), np.nan)
    width = np.where(known, high - low, np.nan)
    if schema.kind == "quantities":
        for index, quantity in enumerate(schema.quantities):
            measures["quantities"][quantity.column]["coverage"] = _mean(held[:, [index]])
        return measures
    measures["figures"] |= {"coverage": _mean(held), "interval_width": _mean(width)}
    for name, answers in schema.slices.items():
        measures["questions"][name]["coverage"] = _mean(held[:, answers])
    for index, column in enumerate(schema.prediction_columns):
        measures["columns"][column]["coverage"] = _mean(held[:, [index]])
    return measures


def _mean(values: Array) -> Measure:
    return Measure(lambda weights: mean(values, weights), int(np.isfinite(values).any(axis=1).sum()))
