"""Vote counts as draws from a Dirichlet-multinomial: the head of Zoobot.

Walmsley et al. 2020 (MNRAS 491, 1554, equations 3 to 5) and 2022 (MNRAS 509, 3966, section 4.2): for each question the
network gives concentrations alpha; the votes of the N people asked follow DirMult(N, alpha); questions nobody was
asked add nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tuningfork.errors import RecipeError
from tuningfork.models.heads.base import Head, filled, label_array, masked_sum
from tuningfork.models.heads.spec import HeadSpec
from tuningfork.schemas import TreeSchema

if TYPE_CHECKING:
    import pandas as pd


def dirichlet_multinomial_log_likelihood(counts: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Log probability (N,) of vote counts (N, A) under concentrations (N, A): 0 where nobody voted."""
    total, strength = counts.sum(dim=1), alpha.sum(dim=1)
    ways = torch.lgamma(total + 1) - torch.lgamma(counts + 1).sum(dim=1)
    split = (torch.lgamma(counts + alpha) - torch.lgamma(alpha)).sum(dim=1)
    return ways + split + torch.lgamma(strength) - torch.lgamma(total + strength)


class DirichletHead(Head):
    """Concentrations between 1 and 101 for each answer (1 + 100 sigmoid, as Zoobot bounds them)."""

    losses = ("dirichlet-multinomial",)
    schema_kinds = ("tree",)
    schema: TreeSchema

    def __init__(self, features: int, schema: TreeSchema, spec: HeadSpec) -> None:
        if schema.votes != "counts":
            raise RecipeError(
                f"the dirichlet head needs vote counts; schema {schema.name!r} holds fractions: use the tree head"
            )
        super().__init__(features, len(schema.columns), schema, spec)

    def targets(self, catalog: pd.DataFrame, origin: str) -> np.ndarray:
        """Vote counts (N, K)."""
        return label_array(catalog, self.schema.columns)

    def concentrations(self, raw: torch.Tensor) -> torch.Tensor:
        """Dirichlet concentrations (N, K)."""
        return 1 + 100 * raw.float().sigmoid()

    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Negative log-likelihood of the votes, summed over the questions and counted by galaxies with any vote."""
        alpha = self.concentrations(raw)
        total = torch.zeros((), device=raw.device)
        anyone = torch.zeros(len(raw), dtype=torch.bool, device=raw.device)
        for part in self.schema.slices.values():
            counts = targets[:, part]
            asked = counts.sum(dim=1) > 0  # NaN, where an answer is missing, is not
            each = -dirichlet_multinomial_log_likelihood(filled(counts), alpha[:, part])
            total = total + masked_sum(each, asked)[0]
            anyone |= asked
        return total, anyone.sum()

    def answers(self, raw: torch.Tensor) -> torch.Tensor:
        """The expected fraction of those asked, alpha over its sum within the question, (N, K)."""
        alpha = self.concentrations(raw)
        parts = [alpha[:, part] / alpha[:, part].sum(dim=1, keepdim=True) for part in self.schema.slices.values()]
        return torch.cat(parts, dim=1)

    def score(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared errors of the fractions of those asked, where anybody was."""
        observed = [
            targets[:, part] / targets[:, part].sum(dim=1, keepdim=True) for part in self.schema.slices.values()
        ]
        return super().score(raw, torch.cat(observed, dim=1))
