"""The plots of one evaluation: the pictures a referee asks for. Each function draws one figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tuningfork.evaluation.bootstrap import Array
from tuningfork.evaluation.trees import relevant
from tuningfork.evaluation.votes import Votes
from tuningfork.plotting.style import (
    BLUE,
    DENSITY,
    DOUBLE,
    INK,
    MUTED,
    ORANGE,
    SHADES,
    SINGLE,
    count_bar,
    figure,
    head,
    matrix_size,
    panels,
    unit_square,
    words,
)
from tuningfork.schemas import TreeSchema

BESIDE = 12  # classes, at most, whose two confusion matrices lie side by side


def confusion_matrix(counts: list[list[int]], labels: list[str], title: str) -> Figure:
    """True class (row) against predicted class, twice: how many galaxies, and what share of the true class."""
    matrix = np.array(counts, dtype=np.float64)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    beside = len(labels) <= BESIDE
    named = [f"{label} ({row.sum():,.0f})" for label, row in zip(labels, matrix, strict=True)]
    width, below = matrix_size(named, DOUBLE - 0.5)
    drawn = figure(title, DOUBLE, (width / 2 if beside else 2 * width + below) + below + 0.35)
    left, right = drawn.subplots(*((1, 2) if beside else (2, 1)))
    _matrix(left, matrix / max(matrix.max(), 1), [[f"{n:,.0f}" if n else "" for n in row] for row in matrix])
    _matrix(right, shares, [[_percent(share) if share else "" for share in row] for row in shares])
    left.set_title("Galaxies")
    right.set_title("Share of the true class")
    for axes in (left, right):
        axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(labels)), named if axes is left or not beside else [""] * len(labels))
        axes.set_xlabel("Predicted class")
    left.set_ylabel("True class (galaxies)")
    return drawn


def class_reliability(reliability: dict[str, Any], ece: dict[str, Any], title: str) -> Figure:
    """The probability of the most likely class against how often it was right."""
    drawn = figure(title, SINGLE, SINGLE + 0.15)
    axes = drawn.subplots()
    unit_square(axes)
    _curve(axes, reliability, BLUE, "o")
    axes.set_xlabel("Probability given to the most likely class")
    axes.set_ylabel("Share of galaxies where it was right")
    axes.text(0.02, 0.98, f"ECE {_with_interval(ece)}\nn = {ece['n']:,}", va="top")
    axes.text(0.98, 0.02, "below the line: overconfident", ha="right", color=MUTED, fontsize=6.5)
    return drawn


def vote_reliability(questions: dict[str, Any], title: str) -> Figure:
    """Predicted against observed fractions of those asked, a panel for each answer."""
    shown = [
        (question, answer, curve)
        for question, entry in questions.items()
        # The two answers of a yes-no question mirror each other: one panel says it all.
        for answer, curve in list(entry["reliability"].items())[: 1 if len(entry["reliability"]) == 2 else None]
    ]
    drawn, all_axes = panels(title, len(shown), across=6, extra=0.28)
    for axes, (question, answer, curve) in zip(all_axes, shown, strict=True):
        unit_square(axes)
        _curve(axes, curve, BLUE, "o")
        head(axes, words(answer), words(question))
        axes.text(0.98, 0.02, f"n = {sum(curve['observed']['n']):,}", ha="right", color=MUTED, fontsize=6)
        axes.label_outer()
    drawn.supxlabel("Predicted fraction of those asked", fontsize=7.5)
    drawn.supylabel("Observed fraction of those asked; bars: 95 % intervals", fontsize=7.5)
    return drawn


def fractions(truth: Votes, predicted: Votes, schema: TreeSchema, title: str) -> Figure:
    """Every galaxy's predicted and observed fractions where at least half the volunteers were asked, by question."""
    rows = [(question, relevant(truth, schema, question)) for question in schema.questions]
    rows = [(question, counts) for question, counts in rows if counts.any()]
    drawn, all_axes = panels(title, max(len(rows), 1), extra=0.28)
    if not rows:
        all_axes[0].set_axis_off()
        return drawn
    densities = []
    for axes, (question, counts) in zip(all_axes, rows, strict=True):
        answers = schema.slices[question.name]
        # A yes-no question is drawn once, as its first answer.
        answers = slice(answers.start, answers.start + 1) if len(question.answers) == 2 else answers
        x, y = predicted.conditional[counts, answers].ravel(), truth.conditional[counts, answers].ravel()
        known = np.isfinite(x) & np.isfinite(y)
        unit_square(axes)
        densities.append(
            axes.hexbin(x[known], y[known], gridsize=24, extent=(0, 1, 0, 1), cmap=DENSITY, mincnt=1,
                        linewidths=0.1, zorder=2)
        )  # fmt: skip
        axes.plot([0, 1], [0, 1], color=ORANGE, linewidth=0.8, linestyle="--", zorder=3)
        what = f"“{question.answers[0].name}”" if len(question.answers) == 2 else f"{len(question.answers)} answers"
        head(axes, words(question.name), f"{what}, n = {int(counts.sum()):,}")
        axes.label_outer()
    count_bar(drawn, densities, all_axes)
    drawn.supxlabel("Predicted fraction of those asked", fontsize=7.5)
    drawn.supylabel("Observed fraction of those asked", fontsize=7.5)
    return drawn


def question_errors(questions: dict[str, Any], title: str) -> Figure:
    """The RMSE of each question with its interval, beside that of predicting the mean."""
    shown = {name: question for name, question in questions.items() if question["rmse"]["value"] is not None}
    drawn = figure(title, DOUBLE, 0.24 * len(shown) + 0.95)
    axes = drawn.subplots()
    places = np.arange(len(shown))[::-1]
    values = np.array([question["rmse"]["value"] for question in shown.values()])
    baselines = [question["baseline_rmse"]["value"] for question in shown.values()]
    for place, question in zip(places, shown.values(), strict=True):
        if question["rmse"]["interval"]:
            axes.plot(question["rmse"]["interval"], [place, place], color=BLUE, linewidth=1.6, solid_capstyle="butt")
    axes.plot(values, places, linestyle="none", marker="o", markersize=4.5, color=BLUE, label="the model")
    axes.plot(baselines, places, linestyle="none", marker="|", markersize=9, markeredgewidth=1.6, color=ORANGE,
              label="predicting the mean")  # fmt: skip
    right = max([*values, *baselines]) * 1.04
    for place, question in zip(places, shown.values(), strict=True):
        axes.text(right, place, f"{question['rmse']['value']:.3f}", va="center", ha="left")
        axes.text(right * 1.09, place, f"n = {question['rmse']['n']:,}", va="center", ha="left", color=MUTED)
    axes.set_yticks(places, [words(name) for name in shown], color=INK)
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.set(xlim=(0, right * 1.24), ylim=(-0.6, len(shown) - 0.4))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= right])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlabel("RMSE of the vote fractions, with its 95 % interval", loc="left")
    drawn.legend(loc="outside upper right", ncols=2)
    return drawn


def quantity_scatter(truth: Array, predicted: Array, names: list[str], title: str) -> Figure:
    """Predicted against true values, (N, K) with NaN where unknown: a panel for each quantity, with running medians."""
    columns = [index for index in range(len(names)) if np.isfinite(truth[:, index]).any()]
    drawn, all_axes = panels(title, max(len(columns), 1), extra=0.28)
    if not columns:
        all_axes[0].set_axis_off()
    for axes, index in zip(all_axes, columns, strict=False):
        known = np.isfinite(truth[:, index])
        _scatter(axes, truth[known, index], predicted[known, index])
        head(axes, words(names[index]), f"n = {int(known.sum()):,}")
    drawn.supxlabel("True value", fontsize=7.5)
    drawn.supylabel("Predicted value; bars: median and central 68 %", fontsize=7.5)
    return drawn


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], texts: Sequence[tuple[str, ...]], title: str) -> Figure:
    """Pictures (H, W, C), four a row, each with its lines of text below: the first says what it is."""
    across, side, gap, leading, top = 4, 1.655, 0.12, 0.13, 0.4  # inches, but for the first
    below = leading * max(map(len, texts)) + 0.2
    down = math.ceil(len(pictures) / across)
    width, height = across * (side + gap), down * (side + below) + top
    drawn = figure(title, width, height)
    drawn.set_layout_engine("none")  # long words would make it shrink the pictures
    for place, (picture, lines) in enumerate(zip(pictures, texts, strict=True)):
        left = gap / 2 + (place % across) * (side + gap)
        bottom = height - top - (place // across) * (side + below) - side
        axes = drawn.add_axes((left / width, bottom / height, side / width, side / height))
        axes.set_axis_off()
        shown = picture if picture.shape[2] == 3 else picture[:, :, 0]
        axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="lanczos", aspect="auto")
        for number, line in enumerate(lines):
            ink, weight = (MUTED, "normal") if number else (INK, "bold")
            short = line if len(line) <= 28 else f"{line[:27]}…"
            y = (bottom - 0.06 - leading * number) / height
            drawn.text(left / width, y, short, va="top", fontsize=7, color=ink, fontweight=weight)
    return drawn


def _scatter(axes: Axes, x: Array, y: Array) -> None:
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.04 * (high - low) or 0.5
    axes.plot([low, high], [low, high], color="#9aa5b1", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    steps, group = np.unique(x, return_inverse=True)
    if len(steps) > 30:  # measured on a continuous scale: running medians in bins of equal count
        group = np.searchsorted(np.quantile(x, np.linspace(0, 1, 13)[1:-1]), x, side="right")
        steps = np.array([np.median(x[group == place]) for place in np.unique(group)])
        group = np.unique(group, return_inverse=True)[1]
        spread = np.zeros_like(x)
    else:  # on steps: points of one step are spread sideways, by golden-ratio steps so that they look even
        gap = np.diff(steps).min() if len(steps) > 1 else 1.0
        spread = ((np.arange(len(x)) * 0.618034) % 1 - 0.5) * 0.55 * gap
    axes.scatter(x + spread, y, s=5, color=BLUE, alpha=float(np.clip(400 / len(x), 0.12, 0.5)), linewidths=0, zorder=2)
    middle = np.array([np.percentile(y[group == place], [50, 16, 84]) for place in range(len(steps))])
    axes.vlines(steps, middle[:, 1], middle[:, 2], color=ORANGE, linewidth=1.6, zorder=3)
    axes.plot(steps, middle[:, 0], linestyle="none", marker="o", markersize=4, color=ORANGE, markeredgecolor="white",
              markeredgewidth=0.6, zorder=4)  # fmt: skip
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _curve(axes: Axes, reliability: dict[str, Any], colour: str, marker: str) -> None:
    x = np.array(reliability["predicted"])
    observed = reliability["observed"]
    y = np.array(observed["value"], dtype=np.float64)
    bars = np.array([interval or [np.nan, np.nan] for interval in observed["interval"]])
    axes.vlines(x, bars[:, 0], bars[:, 1], color=colour, linewidth=0.9, alpha=0.6, zorder=2)
    axes.plot(x, y, color=colour, marker=marker, linewidth=1, markeredgecolor="white", markeredgewidth=0.4, zorder=3)


def _matrix(axes: Axes, shades: Array, texts: list[list[str]]) -> None:
    """A square of cells, each with its text."""
    axes.imshow(shades, cmap=SHADES, vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for (row, column), shade in np.ndenumerate(shades):
        axes.text(column, row, texts[row][column], ha="center", va="center", color="white" if shade > 0.45 else INK,
                  fontsize=7 if len(texts) <= 8 else 5.5)  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "< 1 %"


def _with_interval(figure: dict[str, Any]) -> str:
    text = f"{figure['value']:.3f}"
    return text + (f" [{figure['interval'][0]:.3f}, {figure['interval'][1]:.3f}]" if figure["interval"] else "")
