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
from tuningfork.plotting.style import DOUBLE, INK, ORANGE, figure, head, styled

CHANNELS = 7  # of a stage, the strongest
STAGES = 6  # shown of a network with more
LEVELS = (0.25, 0.5, 0.75)  # of the Grad-CAM contours, as shares of the strongest evidence
LOOKS = ("dotted", "dashed", "solid")
# Over a grey galaxy: nothing where nothing is found, so that the galaxy itself is seen there. FOR is the explorer's.
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
            return features_figure("Layer by layer, the mean and the strongest channels", self)

    def __repr__(self) -> str:
        return f"Explanation: {self.title}"

    def _repr_html_(self) -> str:
        rows = [(words, value) for words, value, *_ in self.answers]
        return f"<p>{escape(repr(self))}</p>{pd.DataFrame(rows, columns=['answer', self.unit]).to_html(index=False)}"


def explanation_figure(shown: Explanation) -> Figure:
    """The image, Grad-CAM, occlusion, the image's channels apart, and the model's answers."""
    channels = shown.image.shape[2] if shown.image.shape[2] > 1 else 0
    across = max(3, channels)
    panel = DOUBLE / (across + 1.35)
    drawn = figure(shown.title, DOUBLE, (panel + 0.42) * (2 if channels else 1) + 0.3)
    drawn.get_layout_engine().set(wspace=0.03)  # type: ignore[call-arg, union-attr]
    grid = drawn.add_gridspec(2 if channels else 1, across + 1, width_ratios=[1] * across + [1.35])
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


def features_figure(title: str, shown: Explanation) -> Figure:
    """A row for each stage: the image, the mean of its channels, and those that vary most; dead ones are left out."""
    maps = shown.maps
    steps = np.unique(np.linspace(0, len(maps) - 1, min(STAGES, len(maps))).round().astype(int))
    tile = DOUBLE / (CHANNELS + 2)
    drawn = figure(title, DOUBLE, (tile + 0.32) * len(steps) + 0.3)
    grid = drawn.subplots(len(steps), CHANNELS + 2, squeeze=False)
    for row, stage in zip(grid, (maps[step] for step in steps), strict=True):
        values = stage.values[0]
        variation = values.std(axis=(1, 2))
        alive = int((variation > 0).sum())
        order = np.argsort(-variation, kind="stable")[: min(CHANNELS, alive)]
        for axes in row:
            _bare(axes).set_visible(False)
        _picture(row[0], shown.image)
        for axes, plane, name in zip(
            row[1:], [values.mean(axis=0), *values[order]], ["mean", *map(str, order)], strict=False
        ):
            axes.set_visible(True)
            axes.imshow(plane, cmap="viridis")
            axes.set_xlabel(name, fontsize=6, labelpad=1)
        row[0].set_visible(True)
        row[0].set_xlabel("image", fontsize=6, labelpad=1)
        text = f"After {stage.layer}: {len(values)} channels of {values.shape[1]} × {values.shape[2]} pixels"
        text += f"; {len(values) - alive} dead ones left out" if alive < len(values) else ""
        row[0].set_title(" ")  # keeps the room; the words reach over several tiles, which the layout must not know
        row[0].annotate(text, (0, 1), (0, 4), "axes fraction", "offset points", fontweight="bold").set_in_layout(False)
    return drawn


def _seen(axes: Axes, image: np.ndarray) -> None:
    size = len(image)
    _picture(_bare(axes), image)
    head(axes, "What the network sees", f"{size} × {size} pixels")


def _picture(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image if image.shape[2] == 3 else image[:, :, 0], cmap="gray", vmin=0, vmax=1)


def _evidence(axes: Axes, shown: Explanation) -> None:
    """Contours on the galaxy, so that all of it is seen; none where there is no evidence."""
    _picture(_bare(axes), shown.image)
    if shown.evidence.max() > LEVELS[0]:
        axes.contour(shown.evidence, levels=LEVELS, colors=["#f0e442"], linewidths=(0.7, 0.9, 1.2), linestyles=LOOKS)
    head(axes, "Grad-CAM", f"{shown.side} × {shown.side} maps at ¼, ½, ¾")


def _drops(axes: Axes, shown: Explanation) -> None:
    _over(axes, shown.image)
    # A tenth is full colour at the least: of an answer that hardly moves, nothing should glow.
    most = max(float(np.abs(shown.drops).max()), 0.1 * shown.full)
    axes.imshow(shown.drops, cmap=BOTH, vmin=-most, vmax=most)
    fall, rise = max(shown.extremes[0], 0), max(-shown.extremes[1], 0)
    title = f"Occlusion, {shown.patch} × {shown.patch} pixels"
    head(axes, title, f"−{fall:.2f} (orange), +{rise:.2f} (blue)")


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
        axes.text(0, place + 0.02, text, va="bottom", color=INK, fontsize=6.5, fontweight=weight)
        axes.text(1, place + 0.02, value, va="bottom", ha="right", color=INK, fontsize=6.5, fontweight=weight)
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
