"""What every head does."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn

from tuningfork.models.heads.spec import HeadSpec
from tuningfork.schemas import Schema

if TYPE_CHECKING:
    import pandas as pd


class Head(nn.Module, ABC):
    """Features (N, F) to raw outputs (N, K), and raw outputs to the numbers a schema asks for."""

    losses: ClassVar[tuple[str, ...]] = ()
    schema_kinds: ClassVar[tuple[str, ...]] = ()
    metric: ClassVar[str] = "rmse"
    taught: ClassVar[bool] = False  # whether its answers are what its targets are, so that a teacher's can be targets

    def __init__(self, features: int, outputs: int, schema: Schema, spec: HeadSpec) -> None:
        super().__init__()
        self.schema = schema
        self.spec = spec
        self.loss_name = spec.loss or self.losses[0]
        drops = spec.dropout if isinstance(spec.dropout, tuple) else (spec.dropout,) * (len(spec.hidden) + 1)
        layers: list[nn.Module] = []
        for width, drop in zip(spec.hidden, drops[:-1], strict=True):
            layers += [nn.Dropout(drop), nn.Linear(features, width), nn.ReLU(inplace=True)]
            features = width
        self.layers = nn.Sequential(*layers, nn.Dropout(drops[-1]), nn.Linear(features, outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Raw outputs (N, K)."""
        raw: torch.Tensor = self.layers(features)
        return raw

    @abstractmethod
    def targets(self, catalog: pd.DataFrame, origin: str) -> np.ndarray:
        """The labels of a catalog as float32 (N, T), NaN where missing: what `loss` wants."""

    @abstractmethod
    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The summed loss and the number of labels it was summed over, each a scalar tensor.

        Sum and number apart, so that the mean over an epoch is right whatever the batches.
        """

    @abstractmethod
    def answers(self, raw: torch.Tensor) -> torch.Tensor:
        """Fractions, probabilities or quantities, within their constraint: (N, len(prediction_columns)) float32."""

    def joint_answers(self, raw: torch.Tensor) -> torch.Tensor:
        """What several looks at the same galaxies say together, from raw outputs (S, N, K): the mean answer (N, T)."""
        return of_views(self.answers, raw).mean(dim=0)

    def expected_answers(self, raw: torch.Tensor) -> torch.Tensor:
        """The answers, or where these go in steps what they are steps of: a small change of an image changes it."""
        return self.answers(raw)

    def score(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What `metric` is made of, as a sum and a number: squared errors unless a head says otherwise."""
        return masked_sum((self.answers(raw) - filled(targets)) ** 2, ~torch.isnan(targets))

    @staticmethod
    def finish(total: float, count: float) -> float:
        """The metric from `score` summed over a whole split."""
        return math.sqrt(total / count) if count else math.nan


def of_views(answer: Callable[[torch.Tensor], torch.Tensor], raw: torch.Tensor) -> torch.Tensor:
    """What `answer` makes of the raw outputs of each of several looks, (S, N, K): (S, N, T)."""
    answers: torch.Tensor = answer(raw.flatten(0, 1)).unflatten(0, raw.shape[:2])
    return answers


def label_array(catalog: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Label columns as float32 (N, len(columns)); a column that the catalog lacks is all NaN."""
    values = np.full((len(catalog), len(columns)), np.nan, dtype=np.float32)
    for index, column in enumerate(columns):
        if column in catalog:
            values[:, index] = catalog[column].to_numpy(dtype=np.float32, na_value=np.nan)
    return values


def filled(targets: torch.Tensor) -> torch.Tensor:
    """Targets with 0 in place of NaN."""
    return torch.where(torch.isnan(targets), torch.zeros_like(targets), targets)


def masked_sum(losses: torch.Tensor, known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of `losses` where `known`, and how many are known.

    Losses must be computed from `filled` targets: NaN would come back through the gradient even where it is masked.
    """
    return torch.where(known, losses, torch.zeros_like(losses)).sum(), known.sum()
