"""What every head does."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import nn

from tuningfork.schemas import Schema

if TYPE_CHECKING:
    import pandas as pd


HEADS: dict[str, type[Head]] = {}  # by kind; `register_head` adds to it
Fraction = Annotated[float, Field(ge=0, lt=1)]


class TeacherSpec(BaseModel):
    """Predictions that a head learns from beside the labels, or in their place.

    `answers` is a table that `tuningfork predict` wrote of the training galaxies. A known label becomes a blend of
    which `weight` is the teacher's; an unknown one is the teacher's answer (in a tree scaled to the target of what
    leads to it). An epoch takes `share` of the galaxies that this head has no label of, drawn anew each time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: str
    weight: float = Field(0.5, ge=0, le=1)
    share: float = Field(1.0, gt=0, le=1)


class HeadSpec(BaseModel):
    """One head of a recipe.

    `kind` is a name in `HEADS`; `loss` one of that head's losses (its first by default); `weight` multiplies its loss;
    `hidden` is the widths of dense layers with ReLU before the output, `dropout` the fraction dropped before each
    dense layer, the output's among them: one number for all, or one for each. `class_weights` (``"balanced"`` or one
    number a class) and `label_smoothing` go with classes; `quantity_weights` says of quantities, by column, how many
    times the loss of each counts where that is not once. `share` is the part of the galaxies from which only this head
    can learn that an epoch takes, drawn anew each time (from which several can, the largest of their shares): many easy
    labels need not crowd out few good ones. `where`
    narrows the training galaxies it learns from to those that match every ``column=value`` (``column=one|other``);
    `teacher` gives it answers to learn from besides.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: str = Field(alias="schema")
    kind: str
    loss: str = ""
    weight: float = Field(1.0, gt=0)
    share: float = Field(1.0, gt=0, le=1)
    where: tuple[str, ...] = ()
    teacher: TeacherSpec | None = None
    hidden: tuple[int, ...] = ()
    dropout: Fraction | tuple[Fraction, ...] = 0.0
    class_weights: Literal["balanced"] | tuple[float, ...] | None = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    quantity_weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in HEADS:
            raise ValueError(f"one of {', '.join(HEADS)} is needed")
        return kind

    @model_validator(mode="after")
    def _one_dropout_a_layer(self) -> HeadSpec:
        if isinstance(self.dropout, tuple) and len(self.dropout) != len(self.hidden) + 1:
            raise ValueError(f"dropout has {len(self.dropout)} numbers for {len(self.hidden) + 1} dense layers")
        return self


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
        for width, drop in zip(spec.hidden, drops, strict=False):
            layers += [nn.Dropout(drop), nn.Linear(features, width), nn.ReLU(inplace=True)]
            features = width
        self.layers = nn.Sequential(*layers, nn.Dropout(drops[-1]), nn.Linear(features, outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Raw outputs (N, K)."""
        return self.layers(features)

    @abstractmethod
    def targets(self, catalog: pd.DataFrame, where: str) -> np.ndarray:
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
    return answer(raw.flatten(0, 1)).unflatten(0, raw.shape[:2])


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
