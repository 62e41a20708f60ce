"""Softmax over a list of classes, with cross-entropy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from tuningfork.errors import RecipeError
from tuningfork.models.heads.base import Head, filled, masked_sum
from tuningfork.models.heads.spec import HeadSpec
from tuningfork.schemas import ClassSchema, class_indices

if TYPE_CHECKING:
    import pandas as pd


class ClassesHead(Head):
    """Class probabilities by softmax; cross-entropy with class weights and label smoothing (Szegedy et al. 2016)."""

    losses = ("cross-entropy",)
    schema_kinds = ("classes",)
    metric = "accuracy"
    schema: ClassSchema
    class_weights: torch.Tensor

    def __init__(self, features: int, schema: ClassSchema, spec: HeadSpec) -> None:
        super().__init__(features, len(schema.classes), schema, spec)
        weights = spec.class_weights
        if isinstance(weights, tuple) and len(weights) != len(schema.classes):
            raise RecipeError(
                f"class_weights has {len(weights)} numbers; {schema.name!r} has {len(schema.classes)} classes"
            )
        given = torch.tensor(weights) if isinstance(weights, tuple) else torch.ones(len(schema.classes))
        self.register_buffer("class_weights", given.float(), persistent=False)

    def balance(self, targets: np.ndarray) -> None:
        """Set the weights of classes from the training labels (N, 1): inverse to their frequency, 1 on average."""
        if self.spec.class_weights == "balanced":
            counts = np.bincount(targets[~np.isnan(targets)].astype(int), minlength=len(self.schema.classes))
            weights = np.where(counts > 0, counts.sum() / (np.maximum(counts, 1) * np.count_nonzero(counts)), 0.0)
            self.class_weights = torch.tensor(weights, dtype=torch.float32)

    def targets(self, catalog: pd.DataFrame, origin: str) -> np.ndarray:
        """Class indices as float32 (N, 1), NaN where there is none."""
        if self.schema.label_column not in catalog:
            return np.full((len(catalog), 1), np.nan, dtype=np.float32)
        indices = class_indices(catalog, self.schema, origin).astype(np.float32)
        indices[indices < 0] = np.nan
        return indices[:, None]

    def loss(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy, summed over the galaxies with a class; weighted classes count by their weight."""
        known = ~torch.isnan(targets[:, 0])
        indices = filled(targets[:, 0]).long()
        each = functional.cross_entropy(
            raw, indices, weight=self.class_weights, label_smoothing=self.spec.label_smoothing, reduction="none"
        )
        total, _ = masked_sum(each, known)
        count, _ = masked_sum(self.class_weights[indices], known)
        return total, count

    def answers(self, raw: torch.Tensor) -> torch.Tensor:
        """Class probabilities (N, classes), each row summing to 1."""
        return raw.float().softmax(dim=1)

    def score(self, raw: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How many classes are right, and of how many."""
        return masked_sum((raw.argmax(dim=1) == targets[:, 0]).float(), ~torch.isnan(targets[:, 0]))

    @staticmethod
    def finish(total: float, count: float) -> float:
        """The accuracy."""
        return total / count if count else math.nan
