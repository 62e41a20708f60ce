"""A model before and after it was adapted, on labelled galaxies that neither was fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import pandas as pd
import torch

from tuningfork.evaluation.evaluate import evaluate_predictions, main_figures
from tuningfork.evaluation.votes import label_votes
from tuningfork.manifests.evaluations import FigureEntry
from tuningfork.manifests.models import BiasEntry, ComparedEntry, CurveEntry
from tuningfork.models.heads import Head
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema

N_BOOTSTRAP = 1000
FURTHER = (2, 5, 10)  # times as many labels, for which the figure is reckoned


@dataclass(frozen=True)
class Answered:
    """The answers (N, K) to labelled galaxies, and the ends of their intervals, (N, K), where there are any."""

    answers: np.ndarray
    ends: tuple[np.ndarray, np.ndarray] | None

    def table(self, labels: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """A predictions table."""
        frame = pd.DataFrame(self.answers, columns=list(schema.prediction_columns))
        for which, values in zip(("low", "high"), self.ends or (), strict=False):
            frame[[f"{column}_{which}" for column in schema.prediction_columns]] = values
        return frame.assign(id_str=labels["id_str"].to_numpy())


def answers_of(head: Head, raw: torch.Tensor) -> np.ndarray:
    """The answers (N, K) to raw outputs (S, N, K), in double precision."""
    with torch.inference_mode():
        return head.joint_answers(raw.float()).numpy().astype(np.float64)


@singledispatch
def observed(schema: Schema, labels: pd.DataFrame, targets: np.ndarray) -> np.ndarray:
    """What the answers (N, K) of a model are to be, NaN where it is not known; `targets` are those of its head."""
    raise NotImplementedError(schema.kind)


@observed.register(TreeSchema)
def _(schema: TreeSchema, labels: pd.DataFrame, targets: np.ndarray) -> np.ndarray:
    return label_votes(labels, schema).fractions


@observed.register(QuantitySchema)
def _(schema: QuantitySchema, labels: pd.DataFrame, targets: np.ndarray) -> np.ndarray:
    return targets.astype(np.float64)


@observed.register(ClassSchema)
def _(schema: ClassSchema, labels: pd.DataFrame, targets: np.ndarray) -> np.ndarray:
    return np.asarray(targets[:, :1] == np.arange(len(schema.classes)), dtype=np.float64)


def compare(
    schema: Schema, labels: pd.DataFrame, known: np.ndarray, before: Answered, after: Answered
) -> tuple[list[ComparedEntry], list[BiasEntry]]:
    """The main figures, and how far each answer is from what is known of it on average."""
    was, now = (_figures(schema, labels, answered) for answered in (before, after))
    figures = [
        ComparedEntry(figure=name, before=was.get(name), after=entry)
        for name, entry in now.items()
        if not name.startswith(("baseline", "tree_violation"))
    ]
    bias = [
        BiasEntry(
            answer=column,
            n=int(np.isfinite(known[:, k]).sum()),
            before=_mean(before.answers[:, k] - known[:, k]),
            after=_mean(after.answers[:, k] - known[:, k]),
        )
        for k, column in enumerate(schema.prediction_columns)
    ]
    return figures, bias


def curve(
    schema: Schema, labels: pd.DataFrame, by_labels: Mapping[int, np.ndarray]
) -> tuple[list[CurveEntry], list[CurveEntry]]:
    """The main figure by the number n of labels: as it was found, and for more of them, if a + b / n goes on.

    Nothing is said of more labels where these brought nothing.
    """
    found = []
    for n, answers in by_labels.items():
        figures = _figures(schema, labels, Answered(answers, None), n_bootstrap=1)
        name, entry = next(iter(figures.items()))
        if entry.value is not None:
            found.append(CurveEntry(labels=n, figure=name, value=entry.value))
    if len(found) < 3:
        return found, []
    most = found[-1]
    slope = float(np.polyfit([1 / point.labels for point in found], [point.value for point in found], 1)[0])
    if slope <= 0 if most.figure != "accuracy" else slope >= 0:
        return found, []
    return found, [_further(most, slope, times) for times in FURTHER]


def _further(most: CurveEntry, slope: float, times: int) -> CurveEntry:
    """The figure by so many `times` as many labels; an accuracy ends at 1, an error at 0."""
    value = most.value - slope * (1 - 1 / times) / most.labels
    return CurveEntry(labels=times * most.labels, figure=most.figure, value=min(max(value, 0.0), max(most.value, 1.0)))


def _figures(
    schema: Schema, labels: pd.DataFrame, answered: Answered, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, FigureEntry]:
    table = answered.table(labels, schema)
    content = evaluate_predictions(table, labels, [schema], origin="adapted galaxies", n_bootstrap=n_bootstrap)
    return {name: FigureEntry.model_validate(entry) for _, name, entry in main_figures(content)}


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
