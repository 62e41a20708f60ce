"""Which plots an evaluation gets, under which names, with which words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tuningfork.evaluation import plots
from tuningfork.evaluation.quantities import known_values
from tuningfork.evaluation.tables import answers
from tuningfork.evaluation.votes import label_votes, votes_of
from tuningfork.plotting.style import words
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema

Pixels = Callable[[str], np.ndarray]  # the picture of a galaxy by its id, (H, W, C) uint8


@dataclass(frozen=True)
class Plot:
    """A drawn figure, the file it goes to, and what it shows for those who can't see it."""

    name: str
    caption: str
    figure: Figure


def draw(
    evaluation: dict[str, Any],
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    schemas: Sequence[Schema],
    pixels: Pixels | None,
) -> Iterator[Plot]:
    """Draw the plots of each schema, one at a time. `predictions` and `labels` are joined, row for row."""
    for schema in schemas:
        result = evaluation["schemas"][schema.name]
        yield from _plots(schema, result, predictions, labels)
        if pixels is not None and result.get("top_losses"):
            yield _top_losses(schema, result["top_losses"], pixels)


@singledispatch
def _plots(schema: Schema, result: dict[str, Any], predictions: pd.DataFrame, labels: pd.DataFrame) -> Iterator[Plot]:
    """The plots of one schema."""
    raise NotImplementedError(schema.kind)


@_plots.register(ClassSchema)
def _classes(schema: ClassSchema, result: dict[str, Any], *_: pd.DataFrame) -> Iterator[Plot]:
    n = result["figures"]["accuracy"]["n"]
    labels = [entry.label for entry in schema.classes]
    title = f"Confusion of {len(labels)} classes, n = {n:,}"
    caption = "Confusion matrix: true class by predicted class, with counts and the share of each true class."
    yield Plot(
        f"{schema.name}-confusion.png", caption, plots.confusion_matrix(result["confusion"]["counts"], labels, title)
    )
    if "reliability" in result:
        title = f"Can the probabilities be trusted? n = {n:,}"
        caption = (
            "Reliability: probability of the most likely class against how often it was right, in bins of equal count."
        )
        drawn = plots.class_reliability(result["reliability"], result["figures"]["ece"], title)
        yield Plot(f"{schema.name}-reliability.png", caption, drawn)


@_plots.register(TreeSchema)
def _tree(
    schema: TreeSchema, result: dict[str, Any], predictions: pd.DataFrame, labels: pd.DataFrame
) -> Iterator[Plot]:
    n = result["figures"]["rmse"]["n"]
    title = f"Error of the vote fractions by question, {n:,} galaxies"
    caption = "RMSE of each question with its 95 % interval, beside the RMSE of predicting the mean."
    yield Plot(f"{schema.name}-questions.png", caption, plots.question_errors(result["questions"], title))
    if any(question["reliability"] for question in result["questions"].values()):
        title = f"Can the vote fractions be trusted? {n:,} galaxies"
        caption = (
            "Reliability of each question: predicted against observed fraction of those asked, in bins of equal volume."
        )
        yield Plot(f"{schema.name}-reliability.png", caption, plots.vote_reliability(result["questions"], title))
    title = f"Predicted and observed fractions, {n:,} galaxies"
    caption = "Predicted against observed fraction of each answer, where at least half the volunteers were asked."
    drawn = plots.fractions(label_votes(labels, schema), votes_of(answers(predictions, schema), schema), schema, title)
    yield Plot(f"{schema.name}-fractions.png", caption, drawn)


@_plots.register(QuantitySchema)
def _quantities(
    schema: QuantitySchema, result: dict[str, Any], predictions: pd.DataFrame, labels: pd.DataFrame
) -> Iterator[Plot]:
    truth = np.stack([known_values(labels, entry.column, entry.missing) for entry in schema.quantities], axis=1)
    predicted = answers(predictions, schema)
    n = int(np.isfinite(truth).any(axis=1).sum())
    names = [entry.column for entry in schema.quantities]
    drawn = plots.quantity_scatter(truth, predicted, names, f"Predicted and true values, n = {n:,}")
    yield Plot(
        f"{schema.name}-scatter.png", "Predicted against true value of each quantity, with running medians.", drawn
    )


def _top_losses(schema: Schema, losses: list[dict[str, Any]], pixels: Pixels) -> Plot:
    texts: list[tuple[str, ...]]
    if isinstance(schema, ClassSchema):
        caption = (
            "The galaxies of largest loss: true class, predicted class with its probability, -ln of the true one's."
        )
        texts = [
            (
                words(entry["true"]),
                f"called {words(entry['predicted'])}",
                f"probability {entry['probability']:.2f}, loss {entry['loss']:.2f}",
                entry["id_str"],
            )
            for entry in losses
        ]
    else:
        caption = "The galaxies of largest RMS error over the vote fractions: most wrong question, and answer in it."
        texts = [
            (
                words(entry["question"]),
                words(entry["answer"]),
                f"votes {entry['true']:.2f}, predicted {entry['predicted']:.2f}",
                f"RMSE {entry['loss']:.3f}",
                entry["id_str"],
            )
            for entry in losses
        ]
    drawn = plots.contact_sheet(
        [pixels(entry["id_str"]) for entry in losses], texts, f"The {len(losses)} highest losses"
    )
    return Plot(f"top-losses-{schema.name}.png", caption, drawn)
