"""One look for every plot: colours that the colour-blind and a printer keep apart, a light grid, words people use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from tuningfork.errors import OutputError
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
SINGLE, DOUBLE = 3.5, 7.1  # inches: a journal's column, and its page
LETTER = 0.062  # inches, of a label
TITLE = 0.97  # of the width, for a line of a title
FORMATS = ("png", "pdf", "svg")
STYLE = Path(__file__).with_name("tuningfork.mplstyle")
# No date and no version, so that the same figure gives the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house style; the caller's own settings come back afterwards."""
    with mpl.rc_context(fname=STYLE):
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
    """An empty figure with its title, in as many lines as it needs; `width` x `height` inches."""
    drawn = Drawing(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    text = drawn.suptitle(title, x=0.01, ha="left", parse_math=False)
    letters = len(title)
    while letters > 1 and text.get_window_extent().width > TITLE * drawn.bbox.width:
        letters = int(0.95 * letters)
        text.set_text("\n".join(wrap(title, letters)))
    return drawn


def panels(title: str, count: int, *, across: int = 4, extra: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Small multiples: `count` panels, `across` of them a row of the page, each `extra` inches higher than wide.

    One alone takes a column.
    """
    across = min(count, across)
    width = SINGLE if across == 1 else DOUBLE
    down = math.ceil(count / across)
    drawn = figure(title, width, (min(width / across, SINGLE) + extra) * down + 0.35)
    drawn.get_layout_engine().set(hspace=0.04, wspace=0.03)  # type: ignore[call-arg, union-attr]
    axes = drawn.subplots(down, across, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return drawn, axes[:count]


def head(axes: Axes, title: str, note: str) -> None:
    """A panel's title with a quieter line below it."""
    axes.set_title(title, pad=13)
    axes.annotate(note, (0, 1), (0, 4), "axes fraction", "offset points", fontsize=6.5, color=MUTED)


def unit_square(axes: Axes) -> None:
    """Both axes from 0 to 1 with the diagonal where prediction and truth agree."""
    axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
    axes.set_xticklabels(["0", "0.5", "1"])
    axes.set_yticklabels(["0", "0.5", "1"])


def check_format(plots: str) -> None:
    """Refuse, before any work, a format that plots can't be had in.

    Raises
    ------
    OutputError
        If it is none of `FORMATS`.
    """
    if plots not in FORMATS:
        raise OutputError(f"--plots {plots}: use {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")


def matrix_size(labels: Sequence[str], room: float) -> tuple[float, float]:
    """The width of a matrix whose rows are named on its left within `room` inches, and the height below it: inches."""
    longest = LETTER * max(map(len, labels))
    return room - longest, 0.7 * longest


def count_bar(drawn: Figure, shown: Sequence[Collection], axes: Sequence[Axes]) -> None:
    """One colour bar for densities of several panels, all on one logarithmic scale."""
    counts = [np.asarray(each.get_array()) for each in shown]
    most = max((float(count.max()) for count in counts if count.size), default=1.0)
    for each in shown:
        each.set_norm(LogNorm(1, max(most, 2)))
    bar = drawn.colorbar(shown[0], ax=list(axes), shrink=0.6, aspect=25, pad=0.02, label="Galaxies a cell")
    bar.set_ticks([tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000, 100000) if tick <= max(most, 2)])
    bar.formatter = StrMethodFormatter("{x:,.0f}")
    bar.minorticks_off()


def plot_files(path: Path, plots: str) -> list[Path]:
    """The files of a plot: `path`, the PNG that pages show, and with it the one for a paper if it is asked for."""
    return [path.with_name(f"{path.name.removesuffix('.png')}.{ending}") for ending in dict.fromkeys(("png", plots))]


def save(drawn: Figure, path: Path, plots: str = "png") -> list[str]:
    """Write a figure as PNG and in the format `plots`; the names of the files."""
    for file in plot_files(path, plots):
        write(drawn, file)
    return [file.name for file in plot_files(path, plots)]


def write(drawn: Figure, path: Path) -> None:
    """Write a figure by the ending of the path, whole or not at all; the same figure gives the same bytes."""
    ending = path.suffix[1:]
    with styled(), whole_file(path) as temporary:
        drawn.savefig(temporary, format=ending, metadata=METADATA[ending])


def words(name: str) -> str:
    """A name for people: ``spiral-arms`` becomes ``Spiral arms``."""
    text = name.replace("-", " ").replace("_", " ").strip()
    return text[:1].upper() + text[1:]
