"""The figures of measured quantities, such as the T type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.evaluation import metrics
from tuningfork.evaluation.bootstrap import Array, Measure
from tuningfork.schemas import Quantity, QuantitySchema


def quantity_measures(labels: pd.DataFrame, predicted: Array, schema: QuantitySchema) -> dict[str, Any]:
    """The figures of each quantity, as measures, on the galaxies whose label is known.

    `bias` is the mean of predicted minus true. `within_limits` is the share of predictions within the label's
    confidence limits, where the schema names them and the table has them.
    """
    return {
        "kind": "quantities",
        "figures": {},
        "quantities": {
            quantity.column: _quantity(labels, predicted[:, index], quantity)
            for index, quantity in enumerate(schema.quantities)
        },
    }


def known_values(labels: pd.DataFrame, column: str | None, missing: float | None) -> Array:
    """The values of a label column, NaN where missing, undetermined, or there is no such column: (N,)."""
    if column is None or column not in labels:
        return np.full(len(labels), np.nan)
    values = labels[column].to_numpy(dtype=np.float64, na_value=np.nan).copy()
    if missing is not None:
        values[values == missing] = np.nan
    return values


def _quantity(labels: pd.DataFrame, predicted: Array, quantity: Quantity) -> dict[str, Measure]:
    truth = known_values(labels, quantity.column, quantity.missing)
    known = np.isfinite(truth)
    x, y = truth[known], predicted[known]
    n = int(known.sum())

    def measure(of: Callable[[Array], Array]) -> Measure:
        return Measure(lambda weights: of(weights[:, known]), n)

    figures = {
        "mae": measure(lambda weights: metrics.mean(np.abs(y - x), weights)),
        "rmse": measure(lambda weights: metrics.rmse(y - x, weights)),
        "median_absolute_error": measure(
            lambda weights: metrics.median(np.abs(y - x), weights) if n else np.full(len(weights), np.nan)
        ),
        "bias": measure(lambda weights: metrics.mean(y - x, weights)),
        "pearson": measure(lambda weights: metrics.pearson(x, y, weights)),
        "spearman": measure(lambda weights: metrics.spearman(x, y, weights) if n else np.full(len(weights), np.nan)),
    }
    low = known_values(labels, quantity.lower_column, quantity.missing)
    high = known_values(labels, quantity.upper_column, quantity.missing)
    limited = known & np.isfinite(low) & np.isfinite(high)
    if limited.any():
        within = np.where(limited, (predicted >= low) & (predicted <= high), np.nan)
        figures["within_limits"] = Measure(lambda weights: metrics.mean(within, weights), int(limited.sum()))
    return figures
