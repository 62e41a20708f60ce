"""All runs of a study on one scale: a dot each, with its interval, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tuningfork.evaluation.text import in_words, lower_is_better
from tuningfork.plotting.style import BLUE, DOUBLE, MUTED, ORANGE, figure, save, styled


def draw_runs(
    rows: Sequence[dict[str, Any]], summary: Sequence[dict[str, Any]], folder: Path, plots: str = "png"
) -> tuple[list[str], list[str]]:
    """Write a plot of the first figure of each schema: the PNGs, and all files."""
    names, files = [], []
    mains: dict[str, str] = {}
    for entry in summary:
        mains.setdefault(entry["schema"], entry["figure"])
    for schema, name in mains.items():
        runs = [entry for entry in summary if (entry["schema"], entry["figure"]) == (schema, name)]
        names.append(f"runs-{schema}_{name.replace(' ', '-')}.png")
        with styled():
            files += save(_chart(runs, _intervals(rows, schema, name)), folder / names[-1], plots)
    return names, files


def _intervals(rows: Sequence[dict[str, Any]], schema: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """The figure of each training of a run, by label."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        for entry in row.get("figures", ()):
            if (entry["schema"], entry["figure"]) == (schema, name) and entry["value"] is not None:
                found.setdefault(row["label"], []).append(entry)
    return found


def _chart(runs: Sequence[dict[str, Any]], trained: dict[str, list[dict[str, Any]]]) -> Figure:
    """Best first; each training a dot with the interval over galaxies, the mean over seeds a diamond."""
    name, n = runs[0]["figure"], trained[runs[0]["label"]][0]["n"]
    ordered = sorted(runs, key=lambda run: run["mean"] if lower_is_better(name) else -run["mean"])
    drawn = figure(f"{runs[0]['schema']}: {in_words(name)}, {n:,} galaxies", DOUBLE, 0.28 * len(ordered) + 0.9)
    axes = drawn.subplots()
    several = any(len(run["values"]) > 1 for run in ordered)
    for place, run in enumerate(reversed(ordered)):
        each = trained[run["label"]]
        for offset, entry in zip(np.linspace(0.2, -0.2, len(each)) if len(each) > 1 else [0.0], each, strict=True):
            if entry["interval"]:
                axes.plot(entry["interval"], [place + offset] * 2, color=BLUE, linewidth=1.2, alpha=0.6)
            axes.plot(entry["value"], place + offset, marker="o", color=BLUE, markersize=3)
        if len(each) > 1:
            axes.plot(run["mean"], place, marker="D", color=ORANGE, markersize=4.5, zorder=3)
    axes.set_yticks(range(len(ordered)), [run["label"] for run in reversed(ordered)])
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    better = "lower" if lower_is_better(name) else "higher"
    said = "dot: a seed, with its 95 % interval over galaxies; diamond: their mean"
    axes.set_xlabel(
        f"{in_words(name)} ({better} is better); {said if several else 'with its 95 % interval over galaxies'}"
    )
    axes.xaxis.label.set_color(MUTED)
    return drawn
