"""How far the answers of one engine lie from another's."""

from __future__ import annotations

import numpy as np
import torch

from tuningfork.models import Inference, Model

TOLERANCE = 1e-4  # of an answer in float32; rounding in another order makes a tenth of it
FEATURES = 10  # times as far may a feature lie, of which the root mean square is 1
TOLERANCE_BF16 = 5e-2  # in bfloat16; its root mean square is a hundredth of it


def tolerance(device: torch.device) -> float:
    """How far the largest answer may lie from that of PyTorch in float32 where engines run on a device."""
    return TOLERANCE_BF16 if device.type == "cuda" else TOLERANCE


def differences(model: Model, ours: Inference, theirs: Inference) -> dict[str, np.ndarray]:
    """By schema name (N, K): ours less theirs, fractions as they are, quantities in units of their range.

    Answers that go in steps are compared before they do, where a rounding is no step.
    """
    found = {}
    for schema in model.schemas:
        low, high = schema.limits.T
        change = ours.expected[schema.name].cpu().double() - theirs.expected[schema.name].cpu().double()
        found[schema.name] = change.numpy() / (high - low)
    return found


def distance(model: Model, ours: Inference, theirs: Inference) -> float:
    """The largest difference of an answer, or a tenth of that of a feature, of which the root mean square is 1.

    Where theirs is no number there is no difference; where only ours is none, the distance is none either.
    """
    answers = differences(model, ours, theirs)
    missing = {name: theirs.expected[name].isnan().cpu().numpy() for name in answers}
    features, expected = ours.features.cpu().double(), theirs.features.cpu().double()
    known = ~expected.isnan()
    scale = expected[known].square().mean().sqrt().clamp(min=1e-12)
    change = ((features - expected)[known] / scale / FEATURES).numpy()
    return largest({name: np.where(missing[name], 0, answers[name]) for name in answers} | {"features": change})


def largest(changes: dict[str, np.ndarray]) -> float:
    """The largest difference of any answer."""
    return float(np.max([np.abs(change).max(initial=0) for change in changes.values()]))
