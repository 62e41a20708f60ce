"""The training curves of every run of a study on one chart a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuningfork.evaluation.text import in_words
from tuningfork.plotting.style import CYCLE, DOUBLE, MARKERS, figure, save, styled

DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (3, 1)))
MARKED = 6  # marks a line


def draw_curves(histories: Mapping[str, pd.DataFrame], folder: Path, plots: str = "png") -> tuple[list[str], list[str]]:
    """Write a plot of each figure that every run has, by label, the losses first: the PNGs, and all files."""
    common = set.intersection(*(set(history.columns) for history in histories.values()))
    first = next(iter(histories.values()))
    figures = [name.removeprefix("val_") for name in first.columns if name.startswith("val_") and name in common]
    if len([name for name in figures if name.endswith("_loss")]) == 1:
        figures.remove("loss")  # one head: its loss is the whole
    names, files = [], []
    with styled():
        for name in figures:
            names.append(f"curves-{name}.png")
            files += save(_chart(name, histories), folder / names[-1], plots)
    return names, files


def _chart(name: str, histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Training and validation side by side; a run differs in colour, dashes and mark."""
    schema, _, metric = name.rpartition("_")
    height = max(2.7, 0.17 * len(histories) + 0.8)
    drawn = figure(f"{schema}: {in_words(metric)}" if schema else in_words(metric).capitalize(), DOUBLE, height)
    left, right = drawn.subplots(1, 2, sharey=True)
    for axes, split, title in ((left, "train", "Training"), (right, "val", "Validation")):
        for index, (label, history) in enumerate(histories.items()):
            values = history.get(f"{split}_{name}")
            if values is not None:
                axes.plot(
                    history["epoch"],
                    values,
                    color=CYCLE[index % len(CYCLE)],
                    linestyle=DASHES[index % len(DASHES)],
                    marker=MARKERS[index % len(MARKERS)],
                    markevery=max(1, len(history) // MARKED),
                    label=label,
                )
        axes.set_title(title)
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    drawn.legend(*right.get_legend_handles_labels(), loc="outside right center", handlelength=3)
    return drawn
