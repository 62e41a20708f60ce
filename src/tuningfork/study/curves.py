"""The training curves of every run of a study on one chart a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuningfork.evaluation.text import in_words
from tuningfork.plotting.style import CYCLE, figure, save, styled

DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)))  # a second and a third round of the colours


def draw_curves(histories: Mapping[str, pd.DataFrame], folder: Path) -> list[str]:
    """Write a PNG for each figure that every run has, by label; the names of the files, the losses first."""
    common = set.intersection(*(set(history.columns) for history in histories.values()))
    first = next(iter(histories.values()))
    figures = [name.removeprefix("val_") for name in first.columns if name.startswith("val_") and name in common]
    if len([name for name in figures if name.endswith("_loss")]) == 1:
        figures.remove("loss")  # one head: its loss is the whole
    names = []
    with styled():
        for name in figures:
            names.append(f"curves-{name}.png")
            save(_chart(name, histories), folder / names[-1])
    return names


def _chart(name: str, histories: Mapping[str, pd.DataFrame]) -> Figure:
    schema, _, metric = name.rpartition("_")
    drawn = figure(f"{schema}: {in_words(metric)}" if schema else in_words(metric).capitalize(), 9.0, 3.9)
    left, right = drawn.subplots(1, 2, sharey=True)
    for axes, split, title in ((left, "train", "training"), (right, "val", "validation")):
        for index, (label, history) in enumerate(histories.items()):
            values = history.get(f"{split}_{name}")
            if values is not None:
                axes.plot(
                    history["epoch"],
                    values,
                    color=CYCLE[index % len(CYCLE)],
                    linestyle=DASHES[index // len(CYCLE) % len(DASHES)],
                    linewidth=1.5,
                    marker="o" if len(history) < 3 else None,
                    label=label,
                )
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    drawn.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return drawn
