"""Parquet and Arrow tables as frames: whole numbers stay whole, codes of named classes become names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuningfork.catalogs import arrow_file
from tuningfork.catalogs.bounds import refuse_cells, refuse_inflated
from tuningfork.catalogs.ids import are_ids
from tuningfork.catalogs.inflated import refuse_bombs
from tuningfork.catalogs.write.columns import ABOUT, about
from tuningfork.errors import CatalogError, TuningforkError, first_line

PIXELS = "image"
LONGEST_NAME = 1000  # characters of a class
BUFFER = 1 << 20  # bytes of a file that are read at once
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
    metadata = pq.read_metadata(source)
    coded = refuse_bombs(source, metadata, names, path)
    table = read_coded(source, metadata, names, coded, path)
    if not coded:  # a cast of a table without columns would forget its rows
        return table
    return table.cast(pq.ParquetFile(source, metadata=metadata).read_row_groups([], columns=list(names)).schema)


def read_coded(
    source: BinaryIO, metadata: pq.FileMetaData, names: Sequence[str], coded: Sequence[str], path: Path
) -> pa.Table:
    """Columns that `refuse_bombs` let pass; the text of those that are `coded` stays in codes.

    Raises
    ------
    CatalogError
        If that text would take far more memory than the file has bytes.
    """
    file = pq.ParquetFile(source, metadata=metadata, buffer_size=BUFFER, read_dictionary=list(coded))
    if not coded:
        return file.read(columns=list(names))
    parts, length = [], 0
    for group in range(file.num_row_groups):  # each has a dictionary of its own, and Arrow joins none inside lists
        parts.append(file.read_row_group(group, columns=list(names)))
        length += sum(map(_text, parts[-1].columns))
        refuse_inflated(path, length, "its text")
    return pa.concat_tables(parts)


def _text(column: pa.ChunkedArray | pa.Array) -> int:
    """How many bytes the text takes that a column names by numbers, or shows parts of, once it stands in every row."""
    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        return sum(map(_text, column.chunks))
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return 0
        lengths = pc.binary_length(column.dictionary)
        return pc.sum(pc.cast(lengths, pa.int64()).take(column.indices)).as_py() or 0
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        views = np.frombuffer(column.buffers()[1], np.int32).reshape(-1, 4)  # a length, then where it is
        return int(views[column.offset : column.offset + len(column), 0].astype(np.int64).sum())
    return sum(map(_text, _parts(column)))


def _parts(column: pa.Array) -> list[pa.Array]:
    """The columns that a column of structures, maps or lists is made of."""
    if pa.types.is_map(column.type):
        return [column.keys, column.items]
    if pa.types.is_struct(column.type):
        return list(column.flatten())
    return [column.flatten()] if pa.types.is_nested(column.type) and hasattr(column, "flatten") else []


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def read_feather(source: BinaryIO, ids: Sequence[str], path: Path) -> pd.DataFrame:
    """As `read_parquet`, of a file of Arrow's own.

    Raises
    ------
    CatalogError
        If it would take far more memory than the file has bytes.
    """
    from pyarrow import feather

    arrow_file.refuse_bombs(source, path)
    _refuse_hollow(pa.ipc.open_file(source).schema, path)
    source.seek(0)
    table = feather.read_table(source)
    table = table.select([name for name in table.column_names if name != PIXELS])
    refuse_cells(path, table.num_rows, table.num_columns)
    refuse_inflated(path, sum(map(_text, table.columns)), "its text")
    return to_frame(table, ids)


def _refuse_hollow(schema: pa.Schema, path: Path) -> None:
    """Refuse columns of types of which a few bytes may stand for any number of values."""
    for entry in schema:
        if not _is_solid(entry.type) and not pa.types.is_null(entry.type):
            raise CatalogError(
                f"{path}: the column {entry.name!r} is of type {entry.type}, which is not read; write it as Parquet"
            )


def _is_solid(kind: pa.DataType, *, inside: bool = False) -> bool:
    """Whether each value takes bytes of its own, or is text that `_text` counts."""
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type) or pa.types.is_primitive(kind.value_type)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return not inside
    if pa.types.is_struct(kind):
        return all(_is_solid(kind.field(place).type, inside=True) for place in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _is_solid(kind.key_type, inside=True) and _is_solid(kind.item_type, inside=True)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_solid(kind.value_type, inside=True)
    plain = (_is_text, pa.types.is_primitive, pa.types.is_decimal)
    return any(test(kind) for test in plain)


def to_frame(table: pa.Table, ids: Sequence[str] = ()) -> pd.DataFrame:
    """An Arrow table as a frame.

    Integers with missing values stay integers. A pandas index with a name is a column, the first.

    Raises
    ------
    CatalogError
        If a code has no name in Hugging Face's list of classes.
    pyarrow.ArrowInvalid
        If what it holds is damaged, such as text that is no UTF-8.
    """
    table.validate(full=True)
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
        If a code has no name, or a name is very long.
    """
    if not pa.types.is_integer(codes.type):
        return codes
    longest = max(map(len, names), default=0)
    if longest > LONGEST_NAME:
        raise CatalogError(f"column {column!r} names a class in {longest:,} characters; {LONGEST_NAME:,} are enough")
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
