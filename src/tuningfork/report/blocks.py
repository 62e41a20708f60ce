"""What a page is made of. A section fills these; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

LARGEST = 1e300  # of what is drawn: the scale is a number still


@dataclass(frozen=True)
class Facts:
    """Names and values; `folded` hides them under their title until asked for."""

    rows: Sequence[tuple[str, str]]
    title: str = ""
    folded: bool = False
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Table:
    """A table of texts. The first `texts` columns are words, set left; the others are figures, set right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1
    note: str = ""
    folded: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Bars:
    """Counts as bars, one group or several side by side, each a title and its rows.

    A row is (name, text, length of the bar as a share of the longest there can be, 0 to 1).
    """

    groups: Sequence[tuple[str, Sequence[tuple[str, str, float]]]]
    title: str = ""
    kind: ClassVar[str] = "bars"


@dataclass(frozen=True)
class Card:
    """One of the questions that a summary answers: the question, the answer, and what a referee wants to know of it."""

    question: str
    answer: str
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Summary:
    """What was asked, how good it is, how sure, and where it breaks."""

    cards: Sequence[Card]
    kind: ClassVar[str] = "summary"


@dataclass(frozen=True)
class Dot:
    """A value on a scale with its interval, what it is of, and its figures in words.

    `faint` are further values, such as those of single seeds; `tick` is one to compare with.
    """

    name: str
    value: float
    text: str
    interval: Sequence[float] | None = None
    faint: Sequence[float] = ()
    tick: float | None = None


@dataclass(frozen=True)
class Dots:
    """Values as dots with their intervals, a row each, all on one scale."""

    title: str
    dots: Sequence[Dot]
    note: str = ""
    kind: ClassVar[str] = "dots"

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest of what is drawn, with some room."""
        drawn = [
            value
            for dot in self.dots
            for value in (dot.value, *(dot.interval or ()), *dot.faint, *([] if dot.tick is None else [dot.tick]))
        ]
        low, high = (min(max(value, -LARGEST), LARGEST) for value in (min(drawn), max(drawn)))
        apart = high - low > 1e-9 * abs(high)
        room = (0.04 * (high - low) if apart else 0.1 * max(abs(high), abs(low))) or 1.0
        return low - room, high + room

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the scale."""
        low, high = self.ends
        return (value - low) / (high - low) * 100

    @property
    def ticks(self) -> Sequence[tuple[float, str]]:
        """Round values of the scale, and how they are written."""
        return round_ticks(*self.ends)


@dataclass(frozen=True)
class Histogram:
    """How many galaxies have each value, and below it how wide the intervals are there.

    `path` draws the bars and `band` the intervals, in a box 200 wide and 100 high: SVG's own language.
    """

    name: str
    note: str
    path: str
    band: str = ""


@dataclass(frozen=True)
class Histograms:
    """Histograms side by side."""

    title: str
    histograms: Sequence[Histogram]
    note: str = ""
    ends: tuple[str, str] = ("0", "1")
    kind: ClassVar[str] = "histograms"


@dataclass(frozen=True)
class Picture:
    """One image and what it shows.

    A `wide` one of many panels can be scrolled sideways on a small screen; a `photo` keeps its colours in the dark.
    """

    uri: str
    caption: str
    wide: bool = False
    photo: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side where there is room: `charts` of some width, or small thumbnails of galaxies."""

    pictures: Sequence[Picture]
    title: str = ""
    note: str = ""
    thumbnails: bool = False
    folded: bool = False
    kind: ClassVar[str] = "pictures"


@dataclass(frozen=True)
class Text:
    """A file's text as it is, folded under its title."""

    title: str
    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Note:
    """A sentence the reader should see; a `warning` stands out."""

    text: str
    warning: bool = False
    kind: ClassVar[str] = "note"


Block = Summary | Facts | Table | Bars | Dots | Histograms | Pictures | Text | Note


@dataclass(frozen=True)
class Section:
    """One pack, model, predictions table or evaluation; one `folded` is seen when it is opened."""

    what: str
    name: str
    summary: str
    blocks: Sequence[Block] = field(default_factory=tuple)
    folded: bool = False


def round_ticks(low: float, high: float) -> Sequence[tuple[float, str]]:
    """Some round values between two, and how they are written."""
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    first = math.ceil(low / step)
    places = max(0, -math.floor(math.log10(step)))
    return [(number * step, f"{number * step:.{places}f}") for number in range(first, math.floor(high / step) + 1)]
