"""How sure each answer is, as columns of a predictions table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuningfork.models import Look
from tuningfork.schemas import Schema
from tuningfork.uncertainty import Uncertainty


@dataclass(frozen=True)
class Sureness:
    """How sure a model is of N readable images.

    By schema name `low` and `high`, (N, K), are the ends of the 90 % interval, and `spread`, (N, K), is how far the
    answers of members and views differ (absent where one network looked once); `ood_score`, (N,), is above 1 where an
    image is unlike what the model has seen. `class_weights`, (C,), are those of `Uncertainty`.
    """

    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]
    spread: Mapping[str, np.ndarray]
    ood_score: np.ndarray
    class_weights: Mapping[str, np.ndarray]


def sureness(look: Look, pixels: np.ndarray, uncertainty: Uncertainty, schemas: Mapping[str, Schema]) -> Sureness:
    """What the uncertainty of a model says of what it saw of pack pixels (N, H, W, C)."""
    ends = {
        name: table.of(look.answers[name].cpu().numpy().astype(np.float64), schemas[name].limits)
        for name, table in uncertainty.intervals.items()
    }
    return Sureness(
        low={name: low for name, (low, _) in ends.items()},
        high={name: high for name, (_, high) in ends.items()},
        spread={name: values.cpu().numpy() for name, values in look.spread.items()},
        ood_score=uncertainty.ood_score(look.features.cpu().numpy(), pixels),
        class_weights=uncertainty.class_weights,
    )
