"""The plots of an embedding: its maps, and which classes mix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from tuningfork.embeddings.embedding import Embedding
from tuningfork.embeddings.purity import EVERY
from tuningfork.plotting.style import (
    CYCLE,
    DENSITY,
    DOUBLE,
    GRID,
    INK,
    MARKERS,
    SHADES,
    SINGLE,
    count_bar,
    figure,
    head,
    matrix_size,
)
from tuningfork.schemas import ClassSchema, class_indices

NAMES = {"features": "Features", "pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
# Ten-class lists need more colours than lines do, and points the pale ones last; the marks differ in shape too.
COLOURS = (*CYCLE[:4], INK, "#7e57c2", "#e69f00", "#8d6e4b", "#e7298a", "#56b4e9", "#a3a500")
UNKNOWN = "#cbd2d9"  # galaxies without a class


@dataclass(frozen=True)
class Colours:
    """What colours a map: the class of each galaxy by its place among `names` (-1: not known), or a number of each."""

    title: str
    values: np.ndarray
    names: Sequence[str] = ()


def by_class(embedding: Embedding, schema: ClassSchema) -> Colours:
    """The classes that the catalogue gives."""
    classes = class_indices(embedding.table, schema, str(embedding.path))
    return Colours(f"by class ({schema.name})", classes, [entry.label for entry in schema.classes])


def by_prediction(embedding: Embedding, column: str) -> Colours:
    """What the model answers: a column of `Embedding.predicted`."""
    said, values = embedding.predicted[column], embedding.table[column]
    if said["names"]:
        places = {name: place for place, name in enumerate(said["names"])}
        classes = np.array([places.get(str(value), -1) for value in values])
        return Colours(f"by prediction ({said['title']})", classes, said["names"])
    return Colours(f"by prediction ({said['title']})", values.to_numpy(dtype=np.float64, na_value=np.nan))


def maps_figure(embedding: Embedding, colours: Colours | None = None) -> Figure:
    """A panel for each map and split, the splits of one map on the same axes.

    Galaxies whose class is not known are grey, below the others; without colours it shows how many lie on a spot.
    """
    splits: tuple[str | None, ...] = embedding.splits or (None,)
    legend = _legend(colours) if colours is not None and colours.names else []
    title = "Maps of the features" if colours is None else f"Maps of the features, {colours.title}"
    # Maps below one another, splits side by side; the maps of a single split side by side.
    down, beside = (len(embedding.maps), len(splits)) if len(splits) > 1 else (1, len(embedding.maps))
    width = SINGLE if beside == 1 else DOUBLE
    across = max(1, int(width / (0.3 + 0.062 * max((len(str(mark.get_label())) for mark in legend), default=1))))
    height = (width / max(beside, 2 if width == DOUBLE else 1) + 0.3) * down + 0.4
    drawn = figure(title, width, height + 0.16 * math.ceil(len(legend) / across))
    all_axes = drawn.subplots(down, beside, squeeze=False).reshape(len(embedding.maps), len(splits))
    shown = [
        _panel(axes, embedding, name, split, colours)
        for row, name in zip(all_axes, embedding.maps, strict=True)
        for axes, split in zip(row, splits, strict=True)
    ]
    if legend:
        drawn.legend(handles=legend, loc="outside lower left", ncols=across, handletextpad=0.1)
    elif colours is None:
        count_bar(drawn, shown, all_axes.ravel().tolist())
    else:
        low, high = np.nanmin(colours.values), np.nanmax(colours.values)
        for each in shown:
            each.set_norm(Normalize(low, high))
        drawn.colorbar(shown[0], ax=list(all_axes.ravel()), shrink=0.6, aspect=25, pad=0.02, label="Predicted")
    return drawn


def mixing_figure(group: dict[str, Any], classes: list[str], split: str, space: str = "features") -> Figure:
    """Who lies near whom: for each class (row) the mean share of each class among its nearest neighbours."""
    kept = [index for index, count in enumerate(group["counts"]) if count]
    shares = np.array([[group["spaces"][space]["mixing"][row][column] for column in kept] for row in kept])
    labels = [classes[index] for index in kept]
    title = f"Whose neighbours are whose? {NAMES[space]}" + (f", {split}" if split != EVERY else "")
    width = SINGLE if len(kept) <= 5 else DOUBLE
    named = [f"{label} ({group['counts'][index]:,})" for label, index in zip(labels, kept, strict=True)]
    side, below = matrix_size(named, width - 1)
    drawn = figure(title, width, side + below + 0.7)
    axes = drawn.subplots()
    mesh = axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(kept)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(kept)), named)
    axes.set_xlabel(f"Class of the {group['k']} nearest neighbours")
    axes.set_ylabel("Class of the galaxy (galaxies)")
    for (row, column), share in np.ndenumerate(shares):
        if share:
            text = f"{100 * share:.0f}" if share >= 0.005 else "< 1"
            axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.45 else INK, fontsize=6.5)
    drawn.colorbar(mesh, ax=axes, shrink=0.7, aspect=25, format=PercentFormatter(1), label="share (cells: %)")
    return drawn


def _panel(axes: Axes, embedding: Embedding, name: str, split: str | None, colours: Colours | None) -> Collection:
    """Draw a map of a split; what a colour bar would explain."""
    positions, rows = embedding.positions(name), embedding.readable
    limits = _limits(positions[rows])
    if split is not None:
        rows = rows[(embedding.table["split"].iloc[rows] == split).to_numpy()]
    head(axes, NAMES[name] + (f", {split}" if split else ""), f"{len(rows):,} galaxies")
    axes.set(xlim=limits[0], ylim=limits[1], xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=GRID)
    if name == "pca":
        _axis_names(axes, embedding.manifest["maps"][name]["explained_variance"])
    x, y = positions[rows].T
    if colours is None:
        return axes.hexbin(x, y, gridsize=int(np.clip(np.sqrt(len(x)), 12, 50)), extent=(*limits[0], *limits[1]),
                           cmap=DENSITY, mincnt=1, linewidths=0.1)  # fmt: skip
    if not colours.names:
        return axes.scatter(x, y, s=_size(len(x)), c=colours.values[rows], cmap="viridis", linewidths=0)
    return _points(axes, positions[rows], colours.values[rows])


def _limits(positions: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """What shows every galaxy, with a margin."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    margin = 0.04 * np.maximum(high - low, 1e-6)
    (left, bottom), (right, top) = low - margin, high + margin
    return (float(left), float(right)), (float(bottom), float(top))


def _axis_names(axes: Axes, explained: list[float]) -> None:
    """Of PCA's axes, how much of the variance each holds; those of the other maps have no meaning."""
    first, second = (f"{100 * share:.0f} % of the variance" for share in explained)
    axes.set_xlabel(first, fontsize=6.5)
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        axes.set_ylabel(second, fontsize=6.5)


def _legend(colours: Colours) -> list[Line2D]:
    """The mark of each class that a galaxy has, and of those that have none."""
    marks = [
        Line2D([], [], linestyle="none", markersize=4, label=colours.names[index], **_mark(int(index)))
        for index in np.unique(colours.values[colours.values >= 0])
    ]
    unknown = Line2D([], [], linestyle="none", marker="o", markersize=3, color=UNKNOWN, label="class not known")
    return [*marks, unknown] if (colours.values < 0).any() else marks


def _mark(index: int) -> dict[str, Any]:
    """The colour and shape of a class; shapes differ too, for more classes than colours and for grey printers."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "markeredgewidth": 0,
    }


def _size(n: int) -> float:
    """Smaller points where there are many."""
    return float(np.clip(4000 / max(n, 1), 1, 9))


def _points(axes: Axes, positions: np.ndarray, classes: np.ndarray) -> Collection:
    """A mark for each galaxy; those without a class are grey, below the others."""
    size = _size(len(classes))
    x, y = positions.T
    without = classes < 0
    drawn = axes.scatter(x[without], y[without], s=size, color=UNKNOWN, linewidths=0, zorder=1)
    for index in np.unique(classes[~without]):
        mark, of_it = _mark(int(index)), classes == index
        axes.scatter(x[of_it], y[of_it], s=size, color=mark["color"], marker=mark["marker"], alpha=0.7,
                     linewidths=0, zorder=2)  # fmt: skip
    return drawn
