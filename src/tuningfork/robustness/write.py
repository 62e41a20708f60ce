"""A robustness measurement, drawn and written."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tuningfork.evaluation.place import Place
from tuningfork.evaluation.text import in_words
from tuningfork.manifests import RobustnessManifest
from tuningfork.plotting.style import BLUE, DOUBLE, ORANGE, figure, save, styled

EXAMPLE = "disturbed.png"
LETTERS = 15  # of a line below a panel


def write_robustness(place: Place, content: dict[str, Any], example: Figure, plots: str = "png") -> None:
    """Write an example of what was measured, curves for each schema, then `robustness.json`, to a place.

    Plots are PNG; `plots` may ask for ``pdf`` or ``svg`` beside it.

    Raises
    ------
    OutputError
        If the folder can't be written.
    """

    def make(making: Path) -> None:
        captions = {
            EXAMPLE: "One of the galaxies, from as it is down to the most that each disturbance was measured at."
        }
        with styled():
            files = save(example, making / EXAMPLE, plots)
            for schema, curves in content["curves"].items():
                name = f"robustness-{schema}.png"
                files += save(_figure(schema, curves, content["n"]), making / name, plots)
                captions[name] = (
                    f"{schema}: above, the figure on disturbed galaxies with its 95 % interval; below, how far the "
                    "answers move from those to the undisturbed images (root mean square)."
                )
        RobustnessManifest.write(making, content | {"plots": captions}, files)

    place.write(make)


def _figure(schema: str, curves: dict[str, Any], n: int) -> Figure:
    """A column for each disturbance: the figure above, the change of the answers below, each on one scale."""
    measured = in_words(next(iter(curves.values()))["points"][0]["figure"])
    drawn = figure(f"{schema}, {n:,} galaxies disturbed", DOUBLE, 3.4)
    grid = drawn.subplots(2, len(curves), sharex="col", sharey="row", squeeze=False)
    above, below = grid.tolist()
    for top, bottom, curve in zip(above, below, curves.values(), strict=True):
        points = [point for point in curve["points"] if point["value"] is not None]
        places = list(range(len(points))) if _uneven(points) else [point["level"] for point in points]
        ends = np.array([point["interval"] or (np.nan, np.nan) for point in points])
        top.fill_between(places, ends[:, 0], ends[:, 1], color=BLUE, alpha=0.15, linewidth=0)
        top.plot(places, [point["value"] for point in points], color=BLUE, marker="o", markersize=2.5)
        bottom.plot(places, [point["change"] for point in points], color=ORANGE, marker="s", markersize=2.5,
                    linestyle="--")  # fmt: skip
        top.set_title("\n".join(wrap(curve["title"], LETTERS)))
        bottom.set_xlabel("\n".join(wrap(curve["amount"], LETTERS)), fontsize=6.5)
        if _uneven(points):
            bottom.set_xticks(places[::2], [f"{point['level']:g}" for point in points[::2]])
    below[0].set_ylim(bottom=0)  # of all of them, now that all are drawn
    above[0].set_ylabel(f"{measured}\nwith 95 % interval")
    below[0].set_ylabel("Change of\nthe answers (RMS)")
    drawn.align_ylabels()
    return drawn


def _uneven(points: list[dict[str, Any]]) -> bool:
    """Whether the amounts go down, as JPEG quality does: they are then set one after the other."""
    return bool(points[0]["level"] > points[-1]["level"])
