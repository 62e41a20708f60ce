"""Parquet files, one after another, as one table whose columns are read when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs.inflated import refuse_bombs
from tuningfork.catalogs.parquet import BUFFER, class_names, named, read_coded
from tuningfork.errors import CatalogError, one_line
from tuningfork.sources.files import file_stamp
from tuningfork.sources.parquet import is_image_type

KEY = b"tuningfork"  # of the metadata of a Parquet file: what made it
BATCH = 1 << 14  # rows of which all columns are held at once
REPEATED = 4  # bytes of a text, on the average
HIDDEN = "__index_level_0__"  # what pandas calls an index without a name


@dataclass(frozen=True)
class Span:
    """The least and the largest value of a column, and how many are missing, as a file says it of itself."""

    low: float
    high: float
    nulls: int


@dataclass(frozen=True)
class ParquetTable:
    """One or several Parquet files of the same columns, one after another."""

    paths: tuple[Path, ...]
    metadata: tuple[pq.FileMetaData, ...]
    stamps: tuple[str, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """The plain columns: those of lists, bytes and pixels are left out."""
        kept = [entry for entry in self._stored if is_plain(entry.type) and entry.name != HIDDEN]
        return pa.schema([entry.with_type(pa.string()) if entry.name in self._classes else entry for entry in kept])

    @cached_property
    def _coded(self) -> list[list[str]]:
        """The columns of each file whose text is read in codes, as it may be far longer than the file."""
        names = self.schema.names
        return [
            _reading(path, partial(refuse_bombs, metadata=metadata, names=names, path=path))
            for path, metadata in zip(self.paths, self.metadata, strict=True)
        ]

    def refuse_bombs(self) -> None:
        """Raise a `CatalogError` where a file unpacks to far more than it is."""
        _ = self._coded

    @cached_property
    def _classes(self) -> dict[str, list[str]]:
        """The names of the classes of each column of codes."""
        kept = class_names(self._stored)
        return {name: names for name, names in kept.items() if pa.types.is_integer(self._stored.field(name).type)}

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
        """The values of a column, of all files; text that repeats itself by the codes that the files have for it."""
        self.check()
        kind = self._stored.field(name).type
        repeats = pa.types.is_string(kind) and self._repeats(name)
        parts = []
        for path, metadata, coded in zip(self.paths, self.metadata, self._coded, strict=True):
            chosen = [name] if repeats or name in coded else []
            reading = partial(read_coded, metadata=metadata, names=[name], coded=chosen, path=path)
            part = _reading(path, reading)[name]
            parts.append(part.dictionary_encode() if repeats else part.cast(kind))
        return self._named(pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type), name)

    def _named(self, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        """A column, by the names of its classes where it holds codes of them."""
        return named(column, name, self._classes[name]) if name in self._classes else column

    def _repeats(self, name: str) -> bool:
        """Whether the values of a column take so little room in the files that many must be the same."""
        size = 0
        for metadata in self.metadata:
            for group in map(metadata.row_group, range(metadata.num_row_groups)):
                columns = map(group.column, range(group.num_columns))
                size += sum(each.total_uncompressed_size for each in columns if each.path_in_schema == name)
        return size < REPEATED * self.rows

    def row(self, index: int) -> dict[str, Any]:
        """The values of a row: its group of rows is read as far as that."""
        self.check()
        number, group, place = self._place(index)
        path, metadata = self.paths[number], self.metadata[number]
        names = self.schema.names

        def find(source: BinaryIO) -> dict[str, Any]:
            coded = self._coded[number]
            file = pq.ParquetFile(source, metadata=metadata, buffer_size=BUFFER, read_dictionary=coded)
            # In batches: a group may be all of a million rows.
            for start, batch in zip(count(0, BATCH), file.iter_batches(BATCH, [group], names), strict=False):
                if place < start + len(batch):
                    table = pa.Table.from_batches([batch.slice(place - start, 1)])
                    return {name: self._named(table[name], name)[0].as_py() for name in names}
            raise CatalogError(f"{path} has fewer rows than it says; get it again")

        found: dict[str, Any] = _reading(path, find)
        return found

    def _place(self, index: int) -> tuple[int, int, int]:
        """The number of the file of a row, its group of rows in it, and the place in that group."""
        for number, metadata in enumerate(self.metadata):
            for group in range(metadata.num_row_groups):
                n = metadata.row_group(group).num_rows
                if index < n:
                    return number, group, index
                index -= n
        raise CatalogError(f"{self.paths[0]} has no such row")

    def span(self, name: str) -> Span | None:
        """From what the files say of each group of rows; None where one says nothing."""
        return None if name in self._classes else self._spans.get(name)

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


def open_parquet(paths: Sequence[Path]) -> ParquetTable:
    """Open Parquet files of the same columns.

    Raises
    ------
    CatalogError
        If one can't be read, has other columns or unpacks to far more than its size allows, or there is no row.
    """
    stamps = tuple(map(file_stamp, paths))
    metadata = tuple(_reading(path, pq.read_metadata) for path in paths)
    first = metadata[0].schema.to_arrow_schema()
    if len(set(first.names)) != len(first.names):
        raise CatalogError(f"{paths[0]} has two columns of the same name; give each its own")
    for path, each in zip(paths, metadata, strict=True):
        if each.schema.to_arrow_schema().remove_metadata() != first.remove_metadata():
            raise CatalogError(f"{path} has other columns than {paths[0].name}; name one of them")
    table = ParquetTable(tuple(paths), metadata, stamps)
    table.refuse_bombs()
    if table.rows == 0:
        raise CatalogError(f"{paths[0] if len(paths) == 1 else paths[0].parent} has no rows")
    return table


def _reading(path: Path, what: Callable[[BinaryIO], Any]) -> Any:
    """Something of a Parquet file; whatever goes wrong is a `CatalogError` that names it."""
    try:
        with path.open("rb") as source:
            return what(source)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CatalogError(f"{path} can't be read as Parquet ({one_line(error)}); get it again") from error


def is_plain(kind: pa.DataType) -> bool:
    """Whether values of a type can be shown in a cell."""
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type)
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )
