"""Independent sigmoids with mean squared error: what the seed reports do. Nothing makes the answers obey the tree."""

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


class SigmoidHead(Head):
    """One sigmoid a vote fraction, each on its own."""

    losses = ("mse",)
    schema_kinds = ("tree",)
    taught = True
    schema: TreeSchema

    def __init__(self, features: int, schema: TreeSchema, spec: HeadSpec) -> None:
        if schema.votes != "fractions":
            raise RecipeError(
                f"the sigmoid head needs vote fractions; schema {schema.name!r} holds counts: use dirichlet"
            )
        super().__init__(features, len(schema.columns), schema, spec)

    def targets(self, catalog: pd.DataFrame, origin: str) -> np.ndarray:
        """Vote fractions (N, K)."""
        return label_array(catalog, self.schema.columns)

    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error summed over the known fractions."""
        return masked_sum((self.answers(raw) - filled(targets)) ** 2, ~torch.isnan(targets))

    def answers(self, raw: torch.Tensor) -> torch.Tensor:
        """Vote fractions (N, K), each within 0 to 1."""
        return raw.float().sigmoid()
