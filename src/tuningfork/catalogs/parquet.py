"""Parquet and Arrow tables as frames: whole numbers stay whole, codes of named classes become names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuningfork.catalogs.bounds import refuse_cells
from tuningfork.catalogs.ids import are_ids
from tuningfork.catalogs.write.columns import ABOUT, about
from tuningfork.errors import CatalogError

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
    with pq.ParquetFile(source) as file:
        names = [name for name in file.schema_arrow.names if name != PIXELS]
        refuse_cells(path, file.metadata.num_rows, len(names))
        return to_frame(file.read(columns=names), ids)


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
        column = _named(table[name], name, classes[name]) if name in classes else table[name]
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


def _named(codes: pa.ChunkedArray, column: str, names: list[str]) -> pa.ChunkedArray:
    """The names of class codes; -1, as Hugging Face has it, is missing."""
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
