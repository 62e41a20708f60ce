"""Parquet and Arrow tables as frames: whole numbers stay whole, codes of named classes become names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuningfork.catalogs.bounds import refuse_cells, refuse_inflated
from tuningfork.catalogs.ids import are_ids
from tuningfork.catalogs.pages import pages
from tuningfork.catalogs.write.columns import ABOUT, about
from tuningfork.errors import CatalogError, TuningforkError, first_line

PIXELS = "image"
UNNAMED = "__index_level_0__"  # what pandas calls an index without a name
WHOLE = {  # pandas' integers that may be missing
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}


def read_parquet(source: BinaryIO, ids: Sequence[str], path: Path) -> pd.DataFrame:
    """Every column but the pixels, and what pandas had as an index; `path` is the file's, for errors."""
    names = [name for name in pq.ParquetFile(source).schema_arrow.names if name != PIXELS]
    return to_frame(read_columns(source, names, path), ids)


def read_stored(path: Path, error: type[TuningforkError], again: str) -> pa.Table:
    """All of a Parquet file that this software wrote, or that says so; what is wrong with it becomes an `error`.

    `again` is what to do then.
    """
    try:
        with path.open("rb") as source:
            return read_columns(source, pq.ParquetFile(source).schema_arrow.names, path)
    except CatalogError as problem:
        raise error(str(problem)) from problem
    except (OSError, ValueError, TypeError, pa.ArrowException) as problem:
        raise error(f"{path} can't be read as Parquet ({first_line(problem)}); {again}") from problem


def read_columns(source: BinaryIO, names: Sequence[str], path: Path) -> pa.Table:
    """Columns of a Parquet file; a name such as ``image.path`` is of a part of one.

    Raises
    ------
    CatalogError
        If they would take far more memory than the file has bytes.
    """
    plain = pq.ParquetFile(source)
    chunks = [chunk for chunk in _chunks(plain.metadata) if _is_of(chunk.path_in_schema, names)]
    _refuse_bombs(source, plain.metadata, chunks, path)
    texts = (chunk for chunk in chunks if chunk.physical_type == "BYTE_ARRAY" and chunk.has_dictionary_page)
    repeated = list(dict.fromkeys(chunk.path_in_schema for chunk in texts))  # read as numbers of texts, at first
    if not repeated:
        return plain.read(columns=list(names))
    file, parts, length = pq.ParquetFile(source, read_dictionary=repeated), [], 0
    for group in range(file.num_row_groups):  # each has a dictionary of its own, and Arrow joins none inside lists
        parts.append(file.read_row_group(group, columns=list(names)))
        length += sum(map(_text, parts[-1].columns))
        refuse_inflated(path, length, "its text")
    table = pa.concat_tables(parts)
    wanted = plain.read_row_groups([], columns=list(names)).schema
    return table.cast(wanted)


def largest_page(source: BinaryIO, name: str, path: Path) -> int:
    """The bytes of the largest page of a part of a column, such as ``image.bytes``; all of it is within bounds.

    Raises
    ------
    CatalogError
        If it would unpack to far more than the file is.
    """
    unpacked, largest = 0, 0
    for chunk in _chunks(pq.ParquetFile(source).metadata):
        if chunk.path_in_schema == name:
            for page in pages(source, chunk):
                unpacked, largest = unpacked + page.unpacked, max(largest, page.unpacked)
            refuse_inflated(path, unpacked, f"its column {name.partition('.')[0]}")
    return largest


def _chunks(metadata: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        if group.num_rows:  # of none nothing is read, and older writers say of it where no page is
            yield from map(group.column, range(group.num_columns))


def _is_of(column: str, names: Sequence[str]) -> bool:
    return any(column == name or column.startswith(f"{name}.") for name in names)


def _refuse_bombs(
    source: BinaryIO, metadata: pq.FileMetaData, chunks: Sequence[pq.ColumnChunkMetaData], path: Path
) -> None:
    """Refuse more rows, values or bytes than a file of its size may hold, whatever its metadata say."""
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    refuse_cells(path, max(metadata.num_rows, sum(groups)), len({chunk.path_in_schema for chunk in chunks}))
    unpacked, values = 0, 0
    for chunk in chunks:
        for page in pages(source, chunk):
            unpacked += page.unpacked
            values += page.values
        refuse_inflated(path, unpacked)
        refuse_cells(path, 0, 0, max(values, chunk.num_values))


def _text(column: pa.ChunkedArray | pa.Array) -> int:
    """How many bytes the text takes that a column names by numbers, once it stands in every row."""
    if isinstance(column, pa.ChunkedArray):
        return sum(map(_text, column.chunks))
    if pa.types.is_dictionary(column.type) and not pa.types.is_nested(column.type.value_type):
        lengths = pc.binary_length(column.dictionary)
        return pc.sum(pc.cast(lengths, pa.int64()).take(column.indices)).as_py() or 0
    if pa.types.is_struct(column.type):
        return sum(map(_text, column.flatten()))
    return _text(column.flatten()) if pa.types.is_nested(column.type) and hasattr(column, "flatten") else 0


def read_feather(source: Path | BinaryIO, ids: Sequence[str]) -> pd.DataFrame:
    """As `read_parquet`, of a file of Arrow's own."""
    from pyarrow import feather

    table = feather.read_table(source)
    return to_frame(table.select([name for name in table.column_names if name != PIXELS]), ids)


def to_frame(table: pa.Table, ids: Sequence[str] = ()) -> pd.DataFrame:
    """An Arrow table as a frame.

    Integers with missing values stay integers. A pandas index with a name is a column, the first.

    Raises
    ------
    CatalogError
        If a code has no name in Hugging Face's list of classes.
    """
    classes = class_names(table.schema)
    index, counted = _index(table)
    columns = dict.fromkeys([*index, *table.column_names])
    series: dict[str, pd.Series] = {}
    for name in columns:
        column = named(table[name], name, classes[name]) if name in classes else table[name]
        if name != UNNAMED:
            series[name] = _series(column, exact=are_ids(name, ids))
        elif not pa.types.is_integer(column.type):  # else the numbers of the rows in a longer table
            series["index"] = _series(column, exact=True)
    frame = pd.DataFrame({**counted, **series}, index=pd.RangeIndex(table.num_rows))
    said = {entry.name: list(astuple(about(entry))) for entry in table.schema}
    frame.attrs[ABOUT] = {name: texts for name, texts in said.items() if any(texts)}
    return frame


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """The names of the classes of each column of codes, as Hugging Face's `datasets` keeps them beside a table."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            column: list(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _index(table: pa.Table) -> tuple[list[str], dict[str, pd.Series]]:
    """The columns that were pandas' index, and an index of mere numbers with a name, which is not stored."""
    try:
        levels = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        levels = []
    stored = [level for level in levels if isinstance(level, str) and level in table.column_names]
    ranges = [level for level in levels if isinstance(level, dict) and level.get("name") is not None]
    counted = {str(r["name"]): pd.Series(range(r["start"], r["stop"], r["step"])) for r in ranges}
    return stored, {name: numbers for name, numbers in counted.items() if len(numbers) == table.num_rows}


def named(codes: pa.ChunkedArray, column: str, names: list[str]) -> pa.ChunkedArray:
    """The names of class codes; -1, as Hugging Face has it, is missing.

    Raises
    ------
    CatalogError
        If a code has no name.
    """
    if not pa.types.is_integer(codes.type):
        return codes
    codes = codes.cast(pa.int64())
    known = pc.if_else(pc.equal(codes, -1), None, codes)
    if len(known) > known.null_count:
        low, high = pc.min_max(known).as_py().values()
        if low < 0 or high >= len(names):
            raise CatalogError(
                f"column {column!r} holds the code {low if low < 0 else high}, but names {len(names)} classes"
            )
    return pa.chunked_array([pa.array(names, pa.string()).take(chunk) for chunk in known.chunks], pa.string())


def _series(column: pa.ChunkedArray, *, exact: bool) -> pd.Series:
    """A column as pandas has it; with `exact`, decimals keep all their digits, as text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        with suppress(pa.ArrowInvalid):  # text whose writer did not say so
            column = column.cast(pa.string())
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string() if exact else pa.float64())
    whole = pa.types.is_integer(column.type) and column.null_count
    series: pd.Series = column.to_pandas(types_mapper=WHOLE.get if whole else None)
    return series
