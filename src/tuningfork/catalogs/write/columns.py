"""What the columns of a table mean, and what made it. Arrow carries the first, in the metadata of a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

# Keys of `DataFrame.attrs` under which a reader keeps, by the names of columns, what a frame has no place for. Both are
# ready for JSON, as pandas stores them beside a table.
ABOUT = "about"  # what the file says of a column: description, unit, UCD
STORED = "stored"  # the type, as Arrow names it, of ids that were read as text


@dataclass(frozen=True)
class About:
    """What a column means.

    `unit` is written as FITS and the VO write units (``arcsec``, ``deg``), empty for plain numbers and text; `ucd` is a
    Unified Content Descriptor (IVOA UCD1+), empty where none is known.
    """

    description: str = ""
    unit: str = ""
    ucd: str = ""


def column(name: str, kind: pa.DataType, about: About) -> pa.Field:
    """A column of a table to be written."""
    return pa.field(name, kind, metadata=asdict(about))


def about(entry: pa.Field) -> About:
    """What a column says of itself."""
    said = {key.decode(): value.decode() for key, value in (entry.metadata or {}).items()}
    return About(*(said.get(name, "") for name in ("description", "unit", "ucd")))


@dataclass(frozen=True)
class Fact:
    """One thing to know of how a table was made: its name in a VOTable, its keyword in a FITS header."""

    name: str
    keyword: str
    value: str
    description: str


@dataclass(frozen=True)
class Origin:
    """What made a table: all of it, ready for JSON, as Parquet keeps it; and the facts that FITS and VOTable keep."""

    manifest: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()


NOTHING = Origin()
