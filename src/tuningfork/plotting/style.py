"""One look for every plot: colours that the colour-blind and a printer keep apart, a light grid, words people use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tuningfork.files import whole_file

INK = "#1f2933"
MUTED = "#52606d"
GRID = "#e4e7eb"
BLUE = "#0072b2"
ORANGE = "#d55e00"
# Okabe & Ito 2008, "Color Universal Design", without its yellow, which is too pale for lines on white.
CYCLE = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# White to the blue of the lines: lightness alone orders it, so it survives a grey printer.
SHADES = LinearSegmentedColormap.from_list("tuningfork", ["#f4f8fb", "#9ecae1", BLUE, "#06304d"])
# For points on white, where even one must be seen.
DENSITY = LinearSegmentedColormap.from_list("tuningfork-density", ["#b5d3e7", BLUE, "#06304d"])
DPI = 160

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#9aa5b1",
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.facecolor": "white",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house style; the caller's own settings come back afterwards."""
    with mpl.rc_context(_SETTINGS):
        yield


class Drawing(Figure):
    """A figure that a notebook shows, whether or not pyplot has been imported there."""

    def _repr_png_(self) -> bytes:
        return png(self)


def png(drawn: Figure) -> bytes:
    """A figure as a notebook shows it."""
    buffer = BytesIO()
    drawn.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def figure(title: str, width: float, height: float) -> Figure:
    """An empty figure with its title, `width` x `height` inches."""
    drawn = Drawing(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    drawn.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return drawn


def panels(title: str, count: int, *, size: float = 2.6, extra: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Small multiples: `count` panels, at most four a row, each `size` inches wide and `size` + `extra` high."""
    across = min(count, 4 if count > 6 else 3)
    down = math.ceil(count / across)
    drawn = figure(title, max(size * across, 5.2), (size + extra) * down + 0.5)
    drawn.get_layout_engine().set(hspace=0.05, wspace=0.03)  # type: ignore[call-arg, union-attr]
    axes = drawn.subplots(down, across, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return drawn, axes[:count]


def head(axes: Axes, title: str, note: str) -> None:
    """A panel's title with a quieter line below it."""
    axes.set_title(title, pad=17)
    axes.annotate(note, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8, color=MUTED)


def unit_square(axes: Axes) -> None:
    """Both axes from 0 to 1 with the diagonal where prediction and truth agree."""
    axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
    axes.set_xticklabels(["0", "0.5", "1"])
    axes.set_yticklabels(["0", "0.5", "1"])


def save(drawn: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all; the same figure gives the same bytes."""
    with whole_file(path) as temporary:
        drawn.savefig(temporary, dpi=DPI, metadata={"Software": None})


def words(name: str) -> str:
    """A name for people: ``spiral-arms`` becomes ``Spiral arms``."""
    text = name.replace("-", " ").replace("_", " ").strip()
    return text[:1].upper() + text[1:]
