"""FITS tables, written part after part.

Whole numbers and truth values that are missing are so in the file: TNULL, and a zero byte in a logical column. The
standard knows ASCII alone: text of other alphabets is UTF-8, as astropy's tables read it, and names are escaped
(``\\xe9``); the card TFTEXT says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.catalogs.write.columns import Fact, Origin, about
from tuningfork.catalogs.write.types import flat, flat_part
from tuningfork.errors import CatalogError

# At run time only where a table is written: importing it takes a third of a second.
if TYPE_CHECKING:
    from astropy.io.fits import Header

BLOCK = 2880  # bytes: every part of a FITS file is padded to a multiple of it
MOST = 999  # columns of a FITS table
WINDOW = 1 << 16  # how many whole numbers, from the least on, are tried as the one that means missing
# How a type is stored: with room for a number that means missing, which bytes alone would not have.
_NUMBERS = {
    pa.int8(): "I",
    pa.uint8(): "I",
    pa.int16(): "I",
    pa.uint16(): "J",
    pa.int32(): "J",
    pa.uint32(): "K",
    pa.int64(): "K",
    pa.float32(): "E",
    pa.float64(): "D",
    pa.bool_(): "L",
}
_STORED = {"I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "L": "i1"}
_TRUE, _FALSE, _UNKNOWN = ord("T"), ord("F"), 0


@dataclass
class _Column:
    """How a column is stored: its letter, bytes of text at most, and which numbers are taken among the least."""

    entry: pa.Field
    letter: str
    width: int = 1

    def __post_init__(self) -> None:
        self.taken: set[int] = set()

    @property
    def stored(self) -> np.dtype:
        return np.dtype(f"S{self.width}" if self.letter == "A" else _STORED[self.letter])

    @property
    def missing(self) -> int:
        """The whole number that means missing: the least that is no value of the column."""
        least = int(np.iinfo(self.stored).min)
        free = next((number for number in range(least, least + WINDOW) if number not in self.taken), None)
        if free is None:
            raise CatalogError(f"the column {self.entry.name} leaves no number for missing ones; write .parquet")
        return free

    def look(self, values: pa.ChunkedArray) -> None:
        """Note what is needed of the values of a part."""
        if self.letter == "A":
            self.width = max(self.width, pc.max(pc.binary_length(_bytes(values))).as_py() or 0)
        elif self.letter in "IJK":
            low = pc.less(values.cast(pa.int64()), int(np.iinfo(self.stored).min) + WINDOW)
            self.taken.update(pc.unique(values.filter(low)).to_pylist())

    def store(self, values: pa.ChunkedArray) -> np.ndarray:
        """The values of a part as they lie in the file."""
        if self.letter == "A":
            return np.asarray(_bytes(values)).astype(self.stored)
        if self.letter == "L":
            truth = pc.if_else(values, _TRUE, _FALSE).fill_null(_UNKNOWN)
            return np.asarray(truth).astype(self.stored)
        filled = values.fill_null(np.nan) if self.letter in "ED" else values.cast(pa.int64()).fill_null(self.missing)
        return np.asarray(filled).astype(self.stored)


def write_fits(schema: pa.Schema, parts: Iterable[pa.Table], path: Path, origin: Origin) -> None:
    """Write the parts of a table as a FITS table; they are gone through twice, for texts have the width of the longest.

    Raises
    ------
    CatalogError
        If there are too many columns.
    """
    schema = flat(schema, "FITS", unsigned=False)
    if len(schema) > MOST:
        raise CatalogError(f"FITS holds {MOST} columns, this table has {len(schema)}; write .parquet")
    columns = [_Column(entry, _NUMBERS.get(entry.type, "A")) for entry in schema]
    rows = 0
    for part in parts:
        rows += len(part)
        for column, values in zip(columns, flat_part(part, schema).columns, strict=True):
            column.look(values)
    layout = np.dtype([(str(place), column.stored) for place, column in enumerate(columns)])
    with path.open("wb") as file:
        for header in _headers(columns, rows, layout.itemsize, origin.facts):
            file.write(header.tostring().encode("ascii"))
        for part in parts:
            block = np.zeros(len(part), layout)
            for place, (column, values) in enumerate(zip(columns, flat_part(part, schema).columns, strict=True)):
                block[str(place)] = column.store(values)
            file.write(block.tobytes())
        file.write(b"\0" * (-file.tell() % BLOCK))


def _bytes(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as UTF-8; a NUL would end it."""
    return pc.replace_substring(values.fill_null(""), "\0", r"\x00").cast(pa.binary())


def _headers(columns: list[_Column], rows: int, width: int, facts: Iterable[Fact]) -> tuple[Header, Header]:
    from astropy.io.fits import Header

    primary = Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    table = Header([("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", rows)])
    for card in (("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", len(columns)), ("TFTEXT", "UTF-8", "names are escaped")):
        table.append(card)
    for fact in facts:
        table.append((fact.keyword, _escaped(fact.value)))
        table.comments[fact.keyword] = fact.description if len(fact.value) + len(fact.description) < 60 else ""
    for place, column in enumerate(columns, start=1):
        said = about(column.entry)
        table.append((f"TTYPE{place}", _escaped(column.entry.name)))
        table.append((f"TFORM{place}", f"{column.width}A" if column.letter == "A" else column.letter))
        if column.letter in "IJK":
            table.append((f"TNULL{place}", column.missing))
        for keyword, value in (("TUNIT", said.unit), ("TUCD", said.ucd), ("TCOMM", said.description)):
            if value:
                table.append((f"{keyword}{place}", _escaped(value)))
    return primary, table


def _escaped(text: str) -> str:
    """Text in the printable ASCII of a header; ``unicode_escape`` brings it back."""
    return text.encode("unicode_escape").decode("ascii")
