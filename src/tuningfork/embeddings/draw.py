"""The plots of an embedding: its maps, and which classes mix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuningfork.embeddings.embedding import Embedding
from tuningfork.embeddings.purity import EVERY
from tuningfork.plotting.style import CYCLE, DENSITY, GRID, INK, MARKERS, SHADES, figure, head
from tuningfork.schemas import ClassSchema, class_indices

NAMES = {"features": "Features", "pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
PANEL = 3.1  # inches a side
# Ten-class lists need more colours than lines do, and points the pale ones last; the marks differ in shape too.
COLOURS = (*CYCLE[:4], INK, "#7e57c2", "#e69f00", "#8d6e4b", "#e7298a", "#56b4e9", "#a3a500")
UNKNOWN = "#cbd2d9"  # galaxies without a class


def maps_figure(embedding: Embedding, schema: ClassSchema | None) -> Figure:
    """A panel for each map and split, the splits of one map on the same axes.

    Coloured by class, galaxies without one in grey below; without a schema by how many galaxies lie on a spot.
    """
    splits: tuple[str | None, ...] = embedding.splits or (None,)
    classes = None if schema is None else class_indices(embedding.table, schema, str(embedding.path))
    legend = [] if schema is None or classes is None else _legend(schema, classes)
    title = "Maps of the features" if schema is None else f"Maps of the features, by class ({schema.name})"
    # Maps below one another, splits side by side; the maps of a single split side by side.
    down, beside = (len(embedding.maps), len(splits)) if len(splits) > 1 else (1, len(embedding.maps))
    width = max(PANEL * beside, 5.2)
    across = max(1, int(width / (0.45 + 0.075 * max((len(str(mark.get_label())) for mark in legend), default=1))))
    drawn = figure(title, width, (PANEL + 0.3) * down + 0.7 + 0.2 * math.ceil(len(legend) / across))
    all_axes = drawn.subplots(down, beside, squeeze=False).reshape(len(embedding.maps), len(splits))
    for row, name in enumerate(embedding.maps):
        for axes, split in zip(all_axes[row], splits, strict=True):
            _panel(axes, embedding, name, split, classes)
    if legend:
        drawn.legend(handles=legend, loc="outside lower left", ncols=across, fontsize=8, handletextpad=0.1)
    return drawn


def mixing_figure(group: dict[str, Any], classes: list[str], split: str, space: str = "features") -> Figure:
    """Who lies near whom: for each class (row) the mean share of each class among its nearest neighbours."""
    kept = [index for index, count in enumerate(group["counts"]) if count]
    shares = np.array([[group["spaces"][space]["mixing"][row][column] for column in kept] for row in kept])
    labels = [classes[index] for index in kept]
    size = 0.72 * len(kept) + 2.4
    title = f"Whose neighbours are whose? {NAMES[space]}" + (f", {split}" if split != EVERY else "")
    drawn = figure(title, max(size, 5.6), max(size - 0.9, 3.6))
    axes = drawn.subplots()
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    tilted = len(kept) > 3
    axes.set_xticks(range(len(kept)), labels, rotation=35 if tilted else 0, ha="right" if tilted else "center")
    axes.set_yticks(
        range(len(kept)),
        [f"{label}\nn = {group['counts'][index]:,}" for label, index in zip(labels, kept, strict=True)],
    )
    axes.set_xlabel(f"Class of the {group['k']} nearest neighbours")
    axes.set_ylabel("Class of the galaxy")
    for (row, column), share in np.ndenumerate(shares):
        if share:
            text = f"{100 * share:.0f} %" if share >= 0.005 else "< 1 %"
            axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.45 else INK, fontsize=8)
    return drawn


def _panel(axes: Axes, embedding: Embedding, name: str, split: str | None, classes: np.ndarray | None) -> None:
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
    if classes is None:
        _density(axes, positions[rows], limits)
    else:
        _points(axes, positions[rows], classes[rows])


def _limits(positions: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """What shows every galaxy, with a margin."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    margin = 0.04 * np.maximum(high - low, 1e-6)
    (left, bottom), (right, top) = low - margin, high + margin
    return (float(left), float(right)), (float(bottom), float(top))


def _axis_names(axes: Axes, explained: list[float]) -> None:
    """Of PCA's axes, how much of the variance each holds; those of the other maps have no meaning."""
    first, second = (f"{100 * share:.0f} % of the variance" for share in explained)
    axes.set_xlabel(first, fontsize=8)
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        axes.set_ylabel(second, fontsize=8)


def _legend(schema: ClassSchema, classes: np.ndarray) -> list[Line2D]:
    """The mark of each class that a galaxy has, and of those that have none."""
    marks = [
        Line2D([], [], linestyle="none", markersize=5, label=schema.classes[index].label, **_mark(int(index)))
        for index in np.unique(classes[classes >= 0])
    ]
    unknown = Line2D([], [], linestyle="none", marker="o", markersize=4, color=UNKNOWN, label="class not known")
    return [*marks, unknown] if (classes < 0).any() else marks


def _mark(index: int) -> dict[str, Any]:
    """The colour and shape of a class; shapes differ too, for more classes than colours and for grey printers."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "markeredgewidth": 0,
    }


def _size(n: int) -> float:
    """Smaller points where there are many."""
    return float(np.clip(6000 / max(n, 1), 2, 14))


def _points(axes: Axes, positions: np.ndarray, classes: np.ndarray) -> None:
    size = _size(len(classes))
    x, y = positions.T
    without = classes < 0
    axes.scatter(x[without], y[without], s=size, color=UNKNOWN, linewidths=0, zorder=1)
    for index in np.unique(classes[~without]):
        mark, of_it = _mark(int(index)), classes == index
        axes.scatter(x[of_it], y[of_it], s=size, color=mark["color"], marker=mark["marker"], alpha=0.7,
                     linewidths=0, zorder=2)  # fmt: skip


def _density(axes: Axes, positions: np.ndarray, limits: tuple[tuple[float, float], tuple[float, float]]) -> None:
    x, y = positions.T
    if len(x) < 500:
        axes.scatter(x, y, s=_size(len(x)), color=CYCLE[0], alpha=0.7, linewidths=0)
        return
    axes.hexbin(x, y, gridsize=50, extent=(*limits[0], *limits[1]), bins="log", cmap=DENSITY, mincnt=1,
                linewidths=0.1)  # fmt: skip
