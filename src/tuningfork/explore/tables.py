"""The columns of a catalogue, read when they are asked for: Parquet from its files, any other table from memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import ABOUT, About, arrow_table, column, read_table
from tuningfork.catalogs.bounds import refuse_cells
from tuningfork.errors import CatalogError, one_line
from tuningfork.sources.files import file_stamp
from tuningfork.sources.names import natural
from tuningfork.sources.parquet import is_image_type

KEY = b"tuningfork"  # of the metadata of a Parquet file: what made it
BATCH = 1 << 14  # rows of which all columns are held at once
HIDDEN = "__index_level_0__"  # what pandas calls an index without a name


@dataclass(frozen=True)
class Span:
    """The least and the largest value of a column, and how many are missing, as a file says it of itself."""

    low: float
    high: float
    nulls: int


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


@dataclass(frozen=True)
class ParquetTable:
    """One or several Parquet files of the same columns, one after another."""

    paths: tuple[Path, ...]
    metadata: tuple[pq.FileMetaData, ...]
    stamps: tuple[str, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """The plain columns: those of lists, bytes and pixels are left out."""
        return pa.schema([entry for entry in self._stored if _is_plain(entry.type) and entry.name != HIDDEN])

    @cached_property
    def _stored(self) -> pa.Schema:
        return self.metadata[0].schema.to_arrow_schema()

    @property
    def holds_images(self) -> bool:
        """Whether pictures are stored in it, as Hugging Face has them."""
        return "image" in self._stored.names and is_image_type(self._stored.field("image").type)

    @cached_property
    def rows(self) -> int:
        """How many rows there are in all files."""
        return sum(int(each.num_rows) for each in self.metadata)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the first file says made it."""
        try:
            said = json.loads((self._stored.metadata or {}).get(KEY, b"{}"))
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def check(self) -> None:
        """Raise a `CatalogError` where a file has changed or is gone."""
        for path, stamp in zip(self.paths, self.stamps, strict=True):
            if file_stamp(path) != stamp:
                gone = "is gone" if not path.exists() else "has changed"
                raise CatalogError(f"{path} {gone} since it was opened; end `tuningfork explore` and start it again")

    def read(self, name: str) -> pa.ChunkedArray:
        """The values of a column, of all files."""
        self.check()
        parts = [
            _reading(path, lambda file: file.read(columns=[name]), metadata)[name]
            for path, metadata in zip(self.paths, self.metadata, strict=True)
        ]
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)

    def row(self, index: int) -> dict[str, Any]:
        """The values of a row: its group of rows is read as far as that."""
        self.check()
        path, metadata, group, place = self._place(index)
        names = self.schema.names

        def find(file: pq.ParquetFile) -> dict[str, Any]:
            # In batches: a group may be all of a million rows.
            for start, batch in zip(count(0, BATCH), file.iter_batches(BATCH, [group], names), strict=False):
                if place < start + len(batch):
                    return dict(batch.slice(place - start, 1).select(names).to_pylist()[0])
            raise CatalogError(f"{path} has fewer rows than it says; get it again")

        found: dict[str, Any] = _reading(path, find, metadata)
        return found

    def _place(self, index: int) -> tuple[Path, pq.FileMetaData, int, int]:
        """The file of a row, its group of rows in it, and the place in that group."""
        for path, metadata in zip(self.paths, self.metadata, strict=True):
            for group in range(metadata.num_row_groups):
                n = metadata.row_group(group).num_rows
                if index < n:
                    return path, metadata, group, index
                index -= n
        raise CatalogError(f"{self.paths[0]} has no such row")

    def span(self, name: str) -> Span | None:
        """From what the files say of each group of rows; None where one says nothing."""
        return self._spans.get(name)

    @cached_property
    def _spans(self) -> dict[str, Span]:
        """Of every column of plain numbers whose groups all say it."""
        known: dict[str, list[Any]] = {}
        for metadata in self.metadata:
            for group in map(metadata.row_group, range(metadata.num_row_groups)):
                for each in map(group.column, range(group.num_columns)):
                    known.setdefault(each.path_in_schema, []).append(each.statistics)
        return {name: span for name, said in known.items() if (span := _span(said)) is not None}


def _span(said: Sequence[Any]) -> Span | None:
    """The statistics of a column's groups together."""
    if not said or any(each is None or not each.has_null_count for each in said):
        return None
    ranged = [each for each in said if each.has_min_max]
    if not ranged or any(not each.has_min_max and each.num_values for each in said):
        return None
    low, high = min(each.min for each in ranged), max(each.max for each in ranged)
    if isinstance(low, bool) or not isinstance(low, int | float):
        return None
    return Span(low, high, sum(each.null_count for each in said))


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
        return _parquet(files)
    if not place.is_file():
        raise CatalogError(f"no such file: {place}")
    with place.open("rb") as file:
        start = file.read(4)
    return _parquet([place]) if start == b"PAR1" else _in_memory(place)


def _in_memory(path: Path) -> MemoryTable:
    stamp = file_stamp(path)
    frame = read_table(path)
    said = frame.attrs.get(ABOUT, {})
    table = arrow_table(frame)
    fields = [column(entry.name, entry.type, About(*said.get(entry.name, ()))) for entry in table.schema]
    kept = [entry.name for entry in fields if _is_plain(entry.type)]
    return MemoryTable(table.cast(pa.schema(fields)).select(kept), path, stamp)


def _parquet(paths: Sequence[Path]) -> ParquetTable:
    stamps = tuple(map(file_stamp, paths))
    metadata = tuple(_reading(path, lambda file: file.metadata) for path in paths)
    first = metadata[0].schema.to_arrow_schema()
    if len(set(first.names)) != len(first.names):
        raise CatalogError(f"{paths[0]} has two columns of the same name; give each its own")
    for path, each in zip(paths, metadata, strict=True):
        if each.schema.to_arrow_schema().remove_metadata() != first.remove_metadata():
            raise CatalogError(f"{path} has other columns than {paths[0].name}; name one of them")
        refuse_cells(path, each.num_rows, each.num_columns)
    table = ParquetTable(tuple(paths), metadata, stamps)
    if table.rows == 0:
        raise CatalogError(f"{paths[0] if len(paths) == 1 else paths[0].parent} has no rows")
    return table


def _reading(path: Path, what: Any, metadata: pq.FileMetaData | None = None) -> Any:
    """Something of a Parquet file; whatever goes wrong is a `CatalogError` that names it."""
    try:
        with pq.ParquetFile(path, metadata=metadata, buffer_size=1 << 20) as file:
            return what(file)
    except (OSError, pa.ArrowException) as error:
        raise CatalogError(f"{path} can't be read as Parquet ({one_line(error)}); get it again") from error


def _is_plain(kind: pa.DataType) -> bool:
    """Whether values of a type can be shown in a cell."""
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )
