"""How sure each answer is, as columns of a predictions table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuningfork.models import Inference
from tuningfork.schemas import Schema, TreeSchema
from tuningfork.uncertainty import Uncertainty


@dataclass(frozen=True)
class Confidence:
    """How sure a model is of N readable images.

    By schema name `low` and `high`, (N, K), are the ends of the 90 % interval, and `spread`, (N, K), is how far the
    answers of members and views differ; `expected_rmse`, (N,), is how wrong the fractions of a tree are likely to be.
    `ood_score`, (N,), is above 1 where an image is out of distribution. What is not known is NaN.
    """

    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]
    spread: Mapping[str, np.ndarray]
    expected_rmse: Mapping[str, np.ndarray]
    ood_score: np.ndarray


def confidence(
    found: Inference, looked_at: np.ndarray, uncertainty: Uncertainty, schemas: Mapping[str, Schema]
) -> Confidence:
    """What the uncertainty of a model says of its answers, from its number of views.

    `looked_at` (N, H, W, C) uint8 is the part of the pixels that the model could see, as `Model.seen` gives it.
    """
    seen = uncertainty.measurements(found.features.cpu().numpy(), looked_at)
    answers = {name: found.answers[name].cpu().numpy().astype(np.float64) for name in uncertainty.intervals}
    ends = {name: table.of(answers[name], schemas[name].limits) for name, table in uncertainty.intervals.items()}
    spread = _spread(found)
    expected = _unknown_errors(len(seen.features), schemas)
    for name, each in uncertainty.expected.items():
        apart = spread[name] if name in found.spread else None
        expected[name] = np.sqrt(each.squared(uncertainty.traits(seen, answers[name], apart, ends[name])))
    return Confidence(
        low={name: low for name, (low, _) in ends.items()},
        high={name: high for name, (_, high) in ends.items()},
        spread=spread,
        expected_rmse=expected,
        ood_score=uncertainty.ood_score(seen),
    )


def confidence_of_other_views(found: Inference, uncertainty: Uncertainty, schemas: Mapping[str, Schema]) -> Confidence:
    """As `confidence`, from a number of views that the uncertainty does not hold for: the spread alone is known."""
    n = len(found.features)
    unknown = {name: np.full(found.answers[name].shape, np.nan) for name in uncertainty.intervals}
    return Confidence(unknown, unknown, _spread(found), _unknown_errors(n, schemas), np.full(n, np.nan))


def _unknown_errors(n: int, schemas: Mapping[str, Schema]) -> dict[str, np.ndarray]:
    """Of the trees, (n,) each."""
    return {name: np.full(n, np.nan) for name, schema in schemas.items() if isinstance(schema, TreeSchema)}


def _spread(found: Inference) -> dict[str, np.ndarray]:
    """By schema name (N, K); one network from one view knows none."""
    unknown = {name: np.full(values.shape, np.nan) for name, values in found.answers.items()}
    return unknown | {name: values.cpu().numpy() for name, values in found.spread.items()}
