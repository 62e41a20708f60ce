"""What a page is made of. A section fills these; the template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar


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
class Picture:
    """One image and what it shows; a `wide` one of many panels can be scrolled sideways on a small screen."""

    uri: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side where there is room: `charts` of some width, or small thumbnails of galaxies."""

    pictures: Sequence[Picture]
    title: str = ""
    note: str = ""
    thumbnails: bool = False
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


Block = Facts | Table | Bars | Pictures | Text | Note


@dataclass(frozen=True)
class Section:
    """One pack, model, predictions table or evaluation."""

    what: str
    name: str
    summary: str
    blocks: Sequence[Block] = field(default_factory=tuple)
