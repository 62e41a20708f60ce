"""One of the galaxies that were measured, as it was disturbed."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure

from tuningfork.images import Geometry
from tuningfork.plotting.style import DOUBLE, figure
from tuningfork.robustness.disturbances import DISTURBANCES

SHOWN = 4  # amounts of each disturbance, from none to the most
LETTERS = 15  # of a line above a column


def example_figure(pixels: np.ndarray, geometry: Geometry, id_str: str) -> Figure:
    """A galaxy (H, W, C) uint8 in a column for each disturbance, by rising amount."""
    drawn = figure(f"{id_str}, disturbed", DOUBLE, 5.2)
    columns = drawn.subplots(SHOWN, len(DISTURBANCES), squeeze=False).T
    for column, way in zip(columns, DISTURBANCES.values(), strict=True):
        column[0].set_title("\n".join(wrap(way.title, LETTERS)))
        places = np.linspace(0, len(way.levels) - 1, SHOWN).round().astype(int)
        for axes, place in zip(column, places, strict=True):
            image = way.apply(pixels[None], geometry, way.levels[place])[0]
            if image.shape[2] == 3:
                axes.imshow(image)
            else:
                axes.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[], xlabel=f"{way.levels[place]:g}")
        column[-1].set_xlabel("\n".join([column[-1].get_xlabel(), *wrap(way.amount, LETTERS)]))
    return drawn
