"""Do intervals hold what they promise: the share of labels within the 90 % intervals of a predictions table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tuningfork.evaluation.bootstrap import Array, Measure
from tuningfork.evaluation.metrics import mean, rmse
from tuningfork.schemas import QuantitySchema, Schema, TreeSchema

ROUNDING = 1e-6  # ends are stored as float32


def with_vote_coverage(
    measures: dict[str, Any], predictions: pd.DataFrame, observed: Array, schema: TreeSchema
) -> dict[str, Any]:
    """The figures of a tree with `coverage` and `expected_rmse`, where the predictions have intervals.

    Parameters
    ----------
    measures
        As `tree_measures` gives them. Overall, and in each question, `coverage` is over all answers and galaxies alike;
        `interval_width` is the mean width. `expected_rmse` is the root mean square of that column over labelled
        galaxies: to be compared with `rmse`.
    predictions
        N galaxies; the intervals are ``<column>_low`` and ``<column>_high`` of the schema's prediction columns.
    observed
        (N, K) labels in the same order, NaN where missing.
    """
    ends = _ends(predictions, schema)
    if ends is None:
        return measures
    held = _held(observed, *ends)
    width = np.where(np.isnan(held), np.nan, ends[1] - ends[0])
    measures["figures"] |= {"coverage": _mean(held), "interval_width": _mean(width)}
    if schema.expected_rmse_column in predictions:
        expected = predictions[[schema.expected_rmse_column]].to_numpy(dtype=np.float64, na_value=np.nan)
        expected = np.where(np.isfinite(observed).any(axis=1, keepdims=True), expected, np.nan)
        if np.isfinite(expected).any():
            measures["figures"]["expected_rmse"] = Measure(
                lambda weights: rmse(expected, weights), int(np.isfinite(expected).sum())
            )
    for name, answers in schema.slices.items():
        measures["questions"][name]["coverage"] = _mean(held[:, answers])
    for index, column in enumerate(schema.prediction_columns):
        measures["columns"][column]["coverage"] = _mean(held[:, [index]])
    return measures


def with_quantity_coverage(
    measures: dict[str, Any], predictions: pd.DataFrame, observed: Array, schema: QuantitySchema
) -> dict[str, Any]:
    """The figures of each quantity, of `quantity_measures`, with `coverage`; the rest as `with_vote_coverage`."""
    ends = _ends(predictions, schema)
    if ends is None:
        return measures
    held = _held(observed, *ends)
    for index, quantity in enumerate(schema.quantities):
        measures["quantities"][quantity.column]["coverage"] = _mean(held[:, [index]])
    return measures


def _ends(predictions: pd.DataFrame, schema: Schema) -> tuple[Array, Array] | None:
    """The ends of the intervals, (N, K) each; none where the predictions have no intervals."""
    names = [[f"{column}_{end}" for column in schema.prediction_columns] for end in ("low", "high")]
    if not {name for of_end in names for name in of_end} <= set(predictions.columns):
        return None
    low, high = (predictions[of_end].to_numpy(dtype=np.float64, na_value=np.nan) for of_end in names)
    return (low, high) if np.isfinite(low).any() else None


def _held(observed: Array, low: Array, high: Array) -> Array:
    """Whether each label lies in its interval, 1 or 0; NaN where either is not known."""
    known = np.isfinite(observed) & np.isfinite(low)
    return np.where(known, (observed >= low - ROUNDING) & (observed <= high + ROUNDING), np.nan)


def _mean(values: Array) -> Measure:
    return Measure(lambda weights: mean(values, weights), int(np.isfinite(values).any(axis=1).sum()))
