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
    CYCLE,
    DENSITY,
    INK,
    MARKERS,
    MUTED,
    ORANGE,
    SHADES,
    figure,
    head,
    panels,
    unit_square,
    words,
)
from tuningfork.schemas import TreeSchema


def confusion_matrix(counts: list[list[int]], labels: list[str], title: str) -> Figure:
    """True class (row) against predicted class: each cell's count and its share of the row, which shades it."""
    matrix = np.array(counts, dtype=np.float64)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 0.8 * len(labels) + 2.4
    drawn = figure(title, max(size, 5.2), max(size - 1.0, 3.6))
    axes = drawn.subplots()
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=35 if len(labels) > 3 else 0, ha="right" if len(labels) > 3 else "center")
    axes.set_yticks(ticks, [f"{label}\nn = {row.sum():,.0f}" for label, row in zip(labels, matrix, strict=True)])
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    for (row, column), share in np.ndenumerate(shares):
        if matrix[row, column]:
            text = f"{matrix[row, column]:,.0f}\n{_percent(share)}"
            ink = "white" if share > 0.45 else INK
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8, linespacing=1.3)
    return drawn


def class_reliability(reliability: dict[str, Any], ece: dict[str, Any], title: str) -> Figure:
    """The probability of the most likely class against how often it was right."""
    drawn = figure(title, 5.2, 4.9)
    axes = drawn.subplots()
    unit_square(axes)
    _curve(axes, reliability, BLUE, "o", "")
    axes.set_xlabel("Probability given to the most likely class")
    axes.set_ylabel("Share of galaxies where it was right")
    axes.text(0.02, 0.97, f"ECE {_with_interval(ece)}", va="top", color=INK)
    axes.text(
        0.98, 0.02, "below the line: too sure of itself; above: not sure enough", ha="right", color=MUTED, fontsize=8
    )
    return drawn


def vote_reliability(questions: dict[str, Any], title: str) -> Figure:
    """Predicted against observed fractions of those asked, a panel for each question, a line for each answer."""
    shown = {name: question for name, question in questions.items() if question["reliability"]}
    drawn, all_axes = panels(title, len(shown), extra=0.15)
    for axes, (name, question) in zip(all_axes, shown.items(), strict=True):
        unit_square(axes)
        answers = question["reliability"]
        # The two answers of a yes-no question mirror each other: one line says it all.
        for index, answer in enumerate(list(answers)[:1] if len(answers) == 2 else answers):
            place = index % len(CYCLE)
            _curve(axes, answers[answer], CYCLE[place], MARKERS[place], words(answer))
        head(axes, words(name), f"n = {question['ece']['n']:,}, ECE {question['ece']['value']:.3f}")
        axes.legend(loc="upper left", handlelength=1.2, borderaxespad=0.1, labelspacing=0.15, fontsize=7)
    drawn.supxlabel("Predicted fraction of those asked", fontsize=9, color=MUTED)
    drawn.supylabel("Observed fraction of those asked", fontsize=9, color=MUTED)
    return drawn


def fractions(truth: Votes, predicted: Votes, schema: TreeSchema, title: str) -> Figure:
    """Every galaxy's predicted and observed fractions where at least half the volunteers were asked, by question."""
    rows = [(question, relevant(truth, schema, question)) for question in schema.questions]
    rows = [(question, counts) for question, counts in rows if counts.any()]
    drawn, all_axes = panels(title, max(len(rows), 1), extra=0.15)
    if not rows:
        all_axes[0].set_axis_off()
    for axes, (question, counts) in zip(all_axes, rows, strict=False):
        answers = schema.slices[question.name]
        # A yes-no question is drawn once, as its first answer.
        answers = slice(answers.start, answers.start + 1) if len(question.answers) == 2 else answers
        x, y = predicted.conditional[counts, answers].ravel(), truth.conditional[counts, answers].ravel()
        known = np.isfinite(x) & np.isfinite(y)
        unit_square(axes)
        axes.hexbin(x[known], y[known], gridsize=24, extent=(0, 1, 0, 1), bins="log", cmap=DENSITY, mincnt=1,
                    linewidths=0.1, zorder=2)  # fmt: skip
        axes.plot([0, 1], [0, 1], color=ORANGE, linewidth=0.9, zorder=3)
        what = f"“{question.answers[0].name}”" if len(question.answers) == 2 else f"{len(question.answers)} answers"
        head(axes, words(question.name), f"{what}, n = {int(counts.sum()):,}")
    drawn.supxlabel("Predicted fraction of those asked", fontsize=9, color=MUTED)
    drawn.supylabel("Observed fraction of those asked", fontsize=9, color=MUTED)
    return drawn


def question_errors(questions: dict[str, Any], title: str) -> Figure:
    """The RMSE of each question with its interval, beside that of predicting the mean."""
    shown = {name: question for name, question in questions.items() if question["rmse"]["value"] is not None}
    drawn = figure(title, 7.4, 0.36 * len(shown) + 1.5)
    axes = drawn.subplots()
    places = np.arange(len(shown))[::-1]
    values = np.array([question["rmse"]["value"] for question in shown.values()])
    baselines = [question["baseline_rmse"]["value"] for question in shown.values()]
    axes.barh(places, values, height=0.58, color="#8fc1de")
    for place, question in zip(places, shown.values(), strict=True):
        if question["rmse"]["interval"]:
            axes.plot(
                question["rmse"]["interval"], [place, place], color="#06304d", linewidth=2.2, solid_capstyle="butt"
            )
    axes.plot(baselines, places, linestyle="none", marker="|", markersize=13, markeredgewidth=2, color=ORANGE)
    right = max([*values, *baselines]) * 1.04
    for place, question in zip(places, shown.values(), strict=True):
        axes.text(right, place, f"{question['rmse']['value']:.3f}", va="center", ha="left", color=INK)
        axes.text(
            right * 1.11, place, f"n = {question['rmse']['n']:,}", va="center", ha="left", color=MUTED, fontsize=8
        )
    axes.set_yticks(places, [words(name) for name in shown], color=INK)
    axes.set(xlim=(0, right * 1.26), ylim=(-0.6, len(shown) - 0.4))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= right])
    axes.grid(axis="y", visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlabel("RMSE of the vote fractions (bar, with its 95 % interval); tick: predicting the mean", loc="left")
    return drawn


def quantity_scatter(truth: Array, predicted: Array, names: list[str], title: str) -> Figure:
    """Predicted against true values, (N, K) with NaN where unknown: a panel for each quantity, with running medians."""
    columns = [index for index in range(len(names)) if np.isfinite(truth[:, index]).any()]
    drawn, all_axes = panels(title, max(len(columns), 1), size=4.8 if len(columns) == 1 else 2.6, extra=0.2)
    if not columns:
        all_axes[0].set_axis_off()
    for axes, index in zip(all_axes, columns, strict=False):
        known = np.isfinite(truth[:, index])
        _scatter(axes, truth[known, index], predicted[known, index])
        head(axes, words(names[index]), f"n = {int(known.sum()):,}")
    drawn.supxlabel("True value", fontsize=9, color=MUTED)
    drawn.supylabel("Predicted value; bars: median and central 68 %", fontsize=9, color=MUTED)
    return drawn


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], texts: Sequence[tuple[str, ...]], title: str) -> Figure:
    """Pictures (H, W, C), four a row, each with its lines of text below: the first says what it is."""
    across, side, gap, leading, top = 4, 1.85, 0.15, 0.155, 0.55  # inches, but for the first
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
            drawn.text(left / width, y, short, va="top", fontsize=8, color=ink, fontweight=weight)
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


def _curve(axes: Axes, reliability: dict[str, Any], colour: str, marker: str, label: str) -> None:
    x = np.array(reliability["predicted"])
    observed = reliability["observed"]
    y = np.array(observed["value"], dtype=np.float64)
    bars = np.array([interval or [np.nan, np.nan] for interval in observed["interval"]])
    axes.vlines(x, bars[:, 0], bars[:, 1], color=colour, linewidth=1, alpha=0.6, zorder=2)
    axes.plot(x, y, color=colour, marker=marker, markersize=3.8, linewidth=1.2, markeredgecolor="white",
              markeredgewidth=0.4, label=label, zorder=3)  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "< 1 %"


def _with_interval(figure: dict[str, Any]) -> str:
    text = f"{figure['value']:.3f}"
    return text + (f" [{figure['interval'][0]:.3f}, {figure['interval'][1]:.3f}]" if figure["interval"] else "")
