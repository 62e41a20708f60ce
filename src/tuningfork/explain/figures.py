"""The two figures of a galaxy: what its answer rests on, and the feature maps layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tuningfork.explain.features import FeatureMap
from tuningfork.plotting.style import INK, ORANGE, figure, head, styled

PANEL = 2.6  # inches
TILE = 1.05
CHANNELS = 8  # of a stage, the strongest
STAGES = 6  # shown of a network with more
# Over a grey galaxy: nothing where nothing is found, so that the galaxy itself is seen there.
FOR = LinearSegmentedColormap.from_list("for", [(0.84, 0.37, 0.0, 0.0), (0.9, 0.42, 0.0, 0.6), (1.0, 0.75, 0.3, 0.95)])
BOTH = LinearSegmentedColormap.from_list(
    "both",
    [
        (0.55, 0.85, 1.0, 0.95),
        (0.0, 0.5, 0.8, 0.6),
        (0.5, 0.5, 0.5, 0.0),
        (0.9, 0.42, 0.0, 0.6),
        (1.0, 0.75, 0.3, 0.95),
    ],
)


@dataclass(frozen=True)
class Explanation:
    """What an answer for one galaxy rests on; `plot` draws it.

    Parameters
    ----------
    title : str
        What is explained, in words.
    column, value : str, float
        The answer that is explained: its column in a predictions table, and the model's answer.
    image : ndarray
        (size, size, C) in 0 to 1: the image as the network sees it.
    evidence, side : ndarray, int
        Grad-CAM (size, size), and the side of the maps that it comes from.
    drops : ndarray
        Occlusion (size, size): how much the answer falls where a patch is hidden.
    full : float
        The range that the answer can have.
    patch, extremes : int, tuple of float
        The side of a hidden patch in pixels, and how much the answer falls at most, and at least.
    answers, unit : sequence of tuple, str
        The most likely answers: in words, the value as text, as a share of the most it can be, and whether it is the
        one explained; what the values are.
    maps : sequence of FeatureMap
        The feature maps of the encoder, stage by stage.
    record : mapping
        The figures that sum it up, ready for JSON.
    """

    title: str
    column: str
    value: float
    image: np.ndarray
    evidence: np.ndarray
    side: int
    drops: np.ndarray
    full: float
    patch: int
    extremes: tuple[float, float]
    answers: Sequence[tuple[str, str, float, bool]]
    unit: str
    maps: Sequence[FeatureMap] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    def plot(self) -> Figure:
        """The image, Grad-CAM, occlusion, the channels apart and the answers.

        Returns
        -------
        matplotlib.figure.Figure
        """
        with styled():
            return explanation_figure(self)

    def plot_features(self) -> Figure:
        """The feature maps layer by layer: the mean of the channels and the strongest of them.

        Returns
        -------
        matplotlib.figure.Figure
        """
        with styled():
            return features_figure("Layer by layer, the mean and the strongest channels", self.maps)

    def __repr__(self) -> str:
        return f"Explanation: {self.title}"

    def _repr_html_(self) -> str:
        rows = [(words, value) for words, value, *_ in self.answers]
        return f"<p>{escape(repr(self))}</p>{pd.DataFrame(rows, columns=['answer', self.unit]).to_html(index=False)}"


def explanation_figure(shown: Explanation) -> Figure:
    """The image, Grad-CAM, occlusion, the image's channels apart, and the model's answers."""
    channels = shown.image.shape[2] if shown.image.shape[2] > 1 else 0
    across = max(3, channels)
    drawn = figure(shown.title, PANEL * across + 3.4, (PANEL + 0.42) * (2 if channels else 1) + 0.45)
    drawn.get_layout_engine().set(wspace=0.04)  # type: ignore[call-arg, union-attr]
    grid = drawn.add_gridspec(2 if channels else 1, across + 1, width_ratios=[1] * across + [1.3])
    _seen(drawn.add_subplot(grid[0, 0]), shown.image)
    _evidence(drawn.add_subplot(grid[0, 1]), shown)
    _drops(drawn.add_subplot(grid[0, 2]), shown)
    for channel in range(channels):
        axes = _bare(drawn.add_subplot(grid[1, channel]))
        plane = shown.image[:, :, channel]
        axes.imshow(plane, cmap="gray", vmin=0, vmax=max(float(shown.image.max()), 1e-6))
        head(axes, _channel_name(channel, channels), f"{plane.min():.2f} to {plane.max():.2f}")
    _answers(drawn.add_subplot(grid[:, across]), shown)
    return drawn


def features_figure(title: str, maps: Sequence[FeatureMap]) -> Figure:
    """A row for each stage: the mean of its channels and the strongest of them, those that vary most over the map."""
    steps = np.unique(np.linspace(0, len(maps) - 1, min(STAGES, len(maps))).round().astype(int))
    drawn = figure(title, TILE * (CHANNELS + 1) + 0.4, (TILE + 0.3) * len(steps) + 0.5)
    grid = drawn.subplots(len(steps), CHANNELS + 1, squeeze=False)
    for row, stage in zip(grid, (maps[step] for step in steps), strict=True):
        values = stage.values[0]
        order = np.argsort(-values.std(axis=(1, 2)), kind="stable")[:CHANNELS]
        for axes, plane in zip(row, [values.mean(axis=0), *values[order]], strict=False):
            axes.imshow(plane, cmap="magma")
        for axes in row:
            _bare(axes)
        for axes in row[len(order) + 1 :]:
            axes.set_visible(False)
        text = f"{values.shape[1]} × {values.shape[2]} pixels, {len(values)} channels, after {stage.layer}"
        row[0].set_title(" ")  # keeps the room; the words reach over several tiles, which the layout must not know
        row[0].annotate(text, (0, 1), (0, 5), "axes fraction", "offset points", fontweight="bold").set_in_layout(False)
        for axes, channel in zip(row[1:], order, strict=False):
            axes.set_xlabel(str(channel), fontsize=7)
        row[0].set_xlabel("mean", fontsize=7)
    return drawn


def _seen(axes: Axes, image: np.ndarray) -> None:
    size = len(image)
    _bare(axes).imshow(image if image.shape[2] == 3 else image[:, :, 0], cmap="gray", vmin=0, vmax=1)
    head(axes, "What the network sees", f"{size} × {size} pixels")


def _evidence(axes: Axes, shown: Explanation) -> None:
    _over(axes, shown.image)
    axes.imshow(shown.evidence, cmap=FOR, vmin=0, vmax=1)
    head(axes, "Grad-CAM", f"evidence for it, from {shown.side} × {shown.side} maps")


def _drops(axes: Axes, shown: Explanation) -> None:
    _over(axes, shown.image)
    # A tenth is full colour at the least: of an answer that hardly moves, nothing should glow.
    most = max(float(np.abs(shown.drops).max()), 0.1 * shown.full)
    axes.imshow(shown.drops, cmap=BOTH, vmin=-most, vmax=most)
    fall, rise = max(shown.extremes[0], 0), max(-shown.extremes[1], 0)
    title = f"Occlusion, {shown.patch} × {shown.patch} pixels"
    head(axes, title, f"answer −{fall:.2f} (orange), +{rise:.2f} (blue)")


def _over(axes: Axes, image: np.ndarray) -> None:
    """The image in dim grey, for a map to be laid over."""
    _bare(axes).imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=max(1.3 * float(image.mean(axis=2).max()), 1e-6))


def _answers(axes: Axes, shown: Explanation) -> None:
    answers, rows = shown.answers, max(len(shown.answers), 8)
    places = rows - 1 - np.arange(len(answers))
    colours = [ORANGE if explained else "#8fc1de" for *_, explained in answers]
    axes.barh(places - 0.22, [share for _, _, share, _ in answers], height=0.3, color=colours)
    for place, (text, value, _, explained) in zip(places, answers, strict=True):
        weight = "bold" if explained else "normal"
        axes.text(0, place + 0.02, text, va="bottom", color=INK, fontsize=8.5, fontweight=weight)
        axes.text(1, place + 0.02, value, va="bottom", ha="right", color=INK, fontsize=8.5, fontweight=weight)
    axes.set(xlim=(0, 1), ylim=(-0.6, rows - 0.4))
    axes.set_axis_off()
    head(axes, "Answers", shown.unit)


def _bare(axes: Axes) -> Axes:
    axes.grid(False)
    axes.set_anchor("N")  # the headings of a row stand on one line
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _channel_name(channel: int, channels: int) -> str:
    return ("Red", "Green", "Blue")[channel] if channels == 3 else f"Channel {channel + 1}"
