"""How sure each answer is, as columns of a predictions table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuningfork.models import Inference
from tuningfork.schemas import Schema
from tuningfork.uncertainty import Uncertainty


@dataclass(frozen=True)
class Confidence:
    """How sure a model is of N readable images.

    By schema name `low` and `high`, (N, K), are the ends of the 90 % interval, and `spread`, (N, K), is how far the
    answers of members and views differ (absent where there is one network and one view); `ood_score`, (N,), is above 1
    where an image is out of distribution.
    """

    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]
    spread: Mapping[str, np.ndarray]
    ood_score: np.ndarray


def confidence(
    found: Inference, pixels: np.ndarray, uncertainty: Uncertainty, schemas: Mapping[str, Schema]
) -> Confidence:
    """What the uncertainty of a model says of its answers for pack pixels (N, H, W, C)."""
    ends = {
        name: table.of(found.answers[name].cpu().numpy().astype(np.float64), schemas[name].limits)
        for name, table in uncertainty.intervals.items()
    }
    return Confidence(
        low={name: low for name, (low, _) in ends.items()},
        high={name: high for name, (_, high) in ends.items()},
        spread={name: values.cpu().numpy() for name, values in found.spread.items()},
        ood_score=uncertainty.ood_score(found.features.cpu().numpy(), pixels),
    )
