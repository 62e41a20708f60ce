"""The columns of a catalogue, read when they are asked for: Parquet from its files, any other table from memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from tuningfork.catalogs import ABOUT, About, arrow_table, column, read_table
from tuningfork.errors import CatalogError
from tuningfork.explore.parquet_table import Span, is_plain, open_parquet
from tuningfork.sources.files import file_stamp
from tuningfork.sources.names import natural


class Table(Protocol):
    """Rows of plain columns: numbers, text, truth values, times."""

    @property
    def schema(self) -> pa.Schema:
        """The columns that can be read."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def holds_images(self) -> bool:
        """Whether the images are in the table itself."""

    @property
    def manifest(self) -> dict[str, Any]:
        """What made the table; empty where it does not say so."""

    def check(self) -> None:
        """Raise a `CatalogError` where the files are no longer those that were opened."""

    def read(self, name: str) -> pa.ChunkedArray:
        """All the values of a column."""

    def row(self, index: int) -> dict[str, Any]:
        """All the values of a row."""

    def span(self, name: str) -> Span | None:
        """What is known of a column of numbers without reading it."""


@dataclass(frozen=True)
class MemoryTable:
    """A table that is in memory."""

    table: pa.Table
    path: Path
    stamp: str

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self.table.schema

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self.table.num_rows)

    @property
    def holds_images(self) -> bool:
        """None: other formats can't."""
        return False

    @property
    def manifest(self) -> dict[str, Any]:
        """Nothing: other formats say less of what made them."""
        return {}

    def check(self) -> None:
        """Nothing changes what is in memory."""

    def read(self, name: str) -> pa.ChunkedArray:
        """The values of a column."""
        return self.table[name]

    def row(self, index: int) -> dict[str, Any]:
        """The values of a row."""
        return dict(self.table.slice(index, 1).to_pylist()[0])

    def span(self, name: str) -> Span | None:
        """Not known before it is looked at."""
        return None


def open_table(path: str | Path) -> Table:
    """Open a catalogue: a Parquet file, a folder of them, or any table that `catalogs.read_table` reads.

    Raises
    ------
    CatalogError
        If it is missing, no table, or has no rows.
    """
    place = Path(path)
    if place.is_dir():
        files = [place / name for name in natural(file.name for file in place.glob("*.parquet"))]
        files = [file for file in files if not file.name.startswith(".")]
        if not files:
            raise CatalogError(f"{place} holds no Parquet file; name a predictions table, or a folder of Parquet")
        return open_parquet(files)
    if not place.is_file():
        raise CatalogError(f"no such file: {place}")
    with place.open("rb") as file:
        start = file.read(4)
    return open_parquet([place]) if start == b"PAR1" else _in_memory(place)


def _in_memory(path: Path) -> MemoryTable:
    stamp = file_stamp(path)
    frame = read_table(path)
    said = frame.attrs.get(ABOUT, {})
    table = arrow_table(frame)
    fields = [column(entry.name, entry.type, About(*said.get(entry.name, ()))) for entry in table.schema]
    kept = [entry.name for entry in fields if is_plain(entry.type)]
    return MemoryTable(table.cast(pa.schema(fields)).select(kept), path, stamp)
