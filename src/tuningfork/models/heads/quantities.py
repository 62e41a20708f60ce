"""Measured quantities, ordinal or continuous, such as the T type of EFIGI."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from tuningfork.errors import RecipeError
from tuningfork.models.heads.base import Head, filled, label_array, masked_sum
from tuningfork.models.heads.spec import HeadSpec
from tuningfork.schemas import QuantitySchema

if TYPE_CHECKING:
    import pandas as pd


class QuantitiesHead(Head):
    """Losses: ``mse`` of one sigmoid a quantity, scaled to its range; or ``ordinal``, a softmax over its steps.

    The ordinal loss is the squared distance of the cumulative distributions (Hou, Yu & Samaras 2017,
    arXiv:1611.05916), so that a miss by two steps costs more than a miss by one; the answer is the median, which has
    the least mean absolute error. Errors are in units of the quantity's range, so that quantities weigh alike unless
    the recipe gives them `quantity_weights`.
    """

    losses = ("mse", "ordinal")
    schema_kinds = ("quantities",)
    taught = True
    metric = "mae"
    schema: QuantitySchema
    low: torch.Tensor
    range: torch.Tensor
    weights: torch.Tensor

    def __init__(self, features: int, schema: QuantitySchema, spec: HeadSpec) -> None:
        quantities = schema.quantities
        if spec.loss == "ordinal":
            continuous = [q.column for q in quantities if q.step is None]
            if continuous:
                raise RecipeError(
                    f"the ordinal loss needs a step for {continuous[0]!r} in schema {schema.name!r}; use mse"
                )
        strange = next((name for name in spec.quantity_weights if name not in schema.columns), None)
        if strange is not None:
            near = get_close_matches(strange, schema.columns, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(schema.columns)}"
            raise RecipeError(f"quantity_weights: schema {schema.name!r} has no quantity {strange!r}; {hint}")
        levels = [round((q.high - q.low) / q.step) + 1 if spec.loss == "ordinal" and q.step else 1 for q in quantities]
        super().__init__(features, sum(levels), schema, spec)
        self.levels = levels
        self.register_buffer("low", torch.tensor([q.low for q in quantities]), persistent=False)
        self.register_buffer("range", torch.tensor([q.high - q.low for q in quantities]), persistent=False)
        weights = [spec.quantity_weights.get(q.column, 1.0) for q in quantities]
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def targets(self, catalog: pd.DataFrame, origin: str) -> np.ndarray:
        """The quantities (N, K), NaN where missing or undetermined."""
        values = label_array(catalog, self.schema.columns)
        for index, quantity in enumerate(self.schema.quantities):
            if quantity.missing is not None:
                values[values[:, index] == np.float32(quantity.missing), index] = np.nan
        return values

    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed over the known quantities, each times its weight."""
        unit = (filled(targets) - self.low) / self.range
        known = ~torch.isnan(targets)
        if self.loss_name == "mse":
            return self._weighted((raw.float().sigmoid() - unit) ** 2, known)
        each = []
        for index, part in enumerate(self._distributions(raw)):
            levels = self.levels[index]
            step = (unit[:, index] * (levels - 1)).round().clamp(0, levels - 1).long()
            truth = functional.one_hot(step, levels).to(part.dtype)
            each.append(((part - truth).cumsum(dim=1) ** 2).sum(dim=1) / (levels - 1))
        return self._weighted(torch.stack(each, dim=1), known)

    def _weighted(self, errors: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        total, _ = masked_sum(errors * self.weights, known)
        return total, (known * self.weights).sum()

    def answers(self, raw: torch.Tensor) -> torch.Tensor:
        """The quantities (N, K), each within its range."""
        if self.loss_name == "mse":
            return self.expected_answers(raw)
        return self._medians(self._distributions(raw))

    def joint_answers(self, raw: torch.Tensor) -> torch.Tensor:
        """The medians of the mean distributions of several looks, of raw outputs (S, N, K); of ``mse`` the mean."""
        if self.loss_name == "mse":
            return super().joint_answers(raw)
        looks = zip(*(self._distributions(look) for look in raw), strict=True)
        return self._medians([torch.stack(parts).mean(dim=0) for parts in looks])

    def expected_answers(self, raw: torch.Tensor) -> torch.Tensor:
        """The expectations of distributions over steps, (N, K)."""
        if self.loss_name == "mse":
            return self.low + self.range * raw.float().sigmoid()
        parts = self._distributions(raw)
        means = [part @ torch.linspace(0, 1, part.shape[1], device=part.device) for part in parts]
        return self.low + self.range * torch.stack(means, dim=1)

    def _medians(self, distributions: list[torch.Tensor]) -> torch.Tensor:
        # What is no number stays none: no comparison says so.
        below = [(p.cumsum(dim=1) < 0.5).sum(dim=1) / (p.shape[1] - 1) + 0 * p.sum(dim=1) for p in distributions]
        return self.low + self.range * torch.stack(below, dim=1)

    def _distributions(self, raw: torch.Tensor) -> list[torch.Tensor]:
        """The probabilities of the steps of each quantity, (N, steps)."""
        return [part.softmax(dim=1) for part in raw.float().split(self.levels, dim=1)]

    def score(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Absolute errors, in the quantities' own units."""
        return masked_sum((self.answers(raw) - filled(targets)).abs(), ~torch.isnan(targets))

    @staticmethod
    def finish(total: float, count: float) -> float:
        """The mean absolute error."""
        return total / count if count else math.nan
