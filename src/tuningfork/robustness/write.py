"""The curves of a robustness measurement, drawn and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tuningfork.evaluation.place import Place
from tuningfork.evaluation.text import in_words
from tuningfork.manifests import RobustnessManifest
from tuningfork.plotting.style import BLUE, ORANGE, head, panels, save, styled

CHANGE = "change of the answers, root mean square"


def write_robustness(place: Place, content: dict[str, Any]) -> None:
    """Write a plot for each schema, then `robustness.json`, to a place.

    Raises
    ------
    OutputError
        If the folder can't be written.
    """

    def make(making: Path) -> None:
        plots = {}
        with styled():
            for schema, curves in content["curves"].items():
                name = f"robustness-{schema}.png"
                save(_figure(schema, curves), making / name)
                plots[name] = (
                    f"{schema}: the figure on disturbed galaxies with its 95 % interval, and in orange how far the "
                )
                plots[name] += "answers move (root mean square)."
        RobustnessManifest.write(making, content | {"plots": plots}, plots)

    place.write(make)


def _figure(schema: str, curves: dict[str, Any]) -> Figure:
    figure = next(iter(curves.values()))["points"][0]["figure"]
    label = f"{in_words(figure)}, 95 % interval"
    drawn, grid = panels(f"{schema}: {in_words(figure)} of disturbed galaxies", len(curves), size=2.9)
    for axes, curve in zip(grid, curves.values(), strict=True):
        points = [point for point in curve["points"] if point["value"] is not None]
        places = range(len(points)) if _uneven(points) else [point["level"] for point in points]
        axes.plot(places, [point["value"] for point in points], color=BLUE, marker="o", markersize=3, label=label)
        ends = np.array([point["interval"] or (np.nan, np.nan) for point in points])
        axes.fill_between(list(places), ends[:, 0], ends[:, 1], color=BLUE, alpha=0.15, linewidth=0)
        axes.plot(
            places, [point["change"] for point in points], color=ORANGE, linestyle="--", linewidth=1.2, label=CHANGE
        )
        if _uneven(points):
            axes.set_xticks(list(places), [f"{point['level']:g}" for point in points])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(curve["amount"])
        head(axes, curve["title"], f"answers move by {max(point['change'] for point in points):.3f} at most")
    drawn.legend(*grid[0].get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=9)
    return drawn


def _uneven(points: list[dict[str, Any]]) -> bool:
    """Whether the amounts go down, as JPEG quality does: they are then set one after the other."""
    return bool(points[0]["level"] > points[-1]["level"])
