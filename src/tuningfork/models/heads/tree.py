"""Vote fractions that obey their decision tree exactly, by construction.

A softmax over each question's answers gives the fraction of those asked; times the fraction that was asked, which is
the sum of the parents' fractions, it gives the fraction of everyone (the constraint of Dieleman, Willett & Dambre
2015, MNRAS 450, 1441, section 6.3, made exact and for any number of parents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from tuningfork.models.heads.base import Head, filled, label_array, masked_sum
from tuningfork.models.heads.spec import HeadSpec
from tuningfork.schemas import TreeSchema

if TYPE_CHECKING:
    import pandas as pd


class Tree:
    """The products down a schema's tree, on tensors."""

    def __init__(self, schema: TreeSchema) -> None:
        self.slices = schema.slices
        self.steps = [(schema.slices[q.name], schema.parent_positions(q)) for q in schema.walk]

    def log_conditional(self, raw: torch.Tensor) -> torch.Tensor:
        """Log of each answer's fraction of those asked: log-softmax within each question, (N, K)."""
        parts = [functional.log_softmax(raw[:, part].float(), dim=1) for part in self.slices.values()]
        return torch.cat(parts, dim=1)

    def reach(self, conditional: torch.Tensor) -> torch.Tensor:
        """The fraction of everyone that is asked the question of each answer, (N, K)."""
        of_everyone: dict[int, torch.Tensor] = {}
        reached: dict[int, torch.Tensor] = {}
        for part, parents in self.steps:
            asked = (
                torch.stack([of_everyone[position] for position in parents]).sum(dim=0)
                if parents
                else torch.ones_like(conditional[:, 0])
            )
            for position in range(part.start, part.stop):
                reached[position] = asked
                of_everyone[position] = conditional[:, position] * asked
        return torch.stack([reached[position] for position in range(conditional.shape[1])], dim=1)


class TreeHead(Head):
    """Conditional softmax times the parents' probability.

    Losses: ``mse`` on the fractions (the challenge's figure), or ``cross-entropy`` of the observed votes. Where they
    are of everyone, a question weighs by the fraction that reached it, and the cross-entropy is the multinomial
    likelihood of the votes down the tree; where they are of those asked, every question with a vote weighs alike.
    """

    losses = ("mse", "cross-entropy")
    schema_kinds = ("tree",)
    taught = True
    schema: TreeSchema

    def __init__(self, features: int, schema: TreeSchema, spec: HeadSpec) -> None:
        super().__init__(features, len(schema.columns), schema, spec)
        self.tree = Tree(schema)

    def targets(self, catalog: pd.DataFrame, origin: str) -> np.ndarray:
        """Vote fractions (N, K) in the schema's own convention; vote counts become fractions of those asked."""
        values = label_array(catalog, self.schema.columns)
        if self.schema.votes == "counts":
            for part in self.schema.slices.values():
                total = values[:, part].sum(axis=1, keepdims=True)
                values[:, part] = np.divide(
                    values[:, part], total, out=np.full_like(values[:, part], np.nan), where=total > 0
                )
        return values

    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed over the known fractions; missing questions (NaN) are masked."""
        known = ~torch.isnan(targets)
        if self.loss_name == "mse":
            return masked_sum((self.answers(raw) - filled(targets)) ** 2, known)
        return masked_sum(-filled(targets) * self.tree.log_conditional(raw), known)

    def answers(self, raw: torch.Tensor) -> torch.Tensor:
        """Vote fractions (N, K): of everyone or of those asked, as the schema's `relative_to` says."""
        conditional = self.tree.log_conditional(raw).exp()
        if self.schema.relative_to == "asked":
            return conditional
        return conditional * self.tree.reach(conditional)
