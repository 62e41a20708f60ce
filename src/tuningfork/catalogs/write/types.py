"""The types of columns: those of any table made plain, and these made flat for formats that know fewer."""

from __future__ import annotations

import logging

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.errors import CatalogError, first_line

log = logging.getLogger(__name__)


def arrow_table(frame: pd.DataFrame) -> pa.Table:
    """A frame as a table of plain columns: text, numbers and truth values each of their one type.

    Text of any kind is `string`, and so is a column without any value; categories are what they stand for; half floats
    are floats. A column of mixed values is their text. What is missing is null.
    """
    return pa.table({str(name): _plain_array(values) for name, values in frame.items()})


def _plain_array(values: pd.Series) -> pa.ChunkedArray:
    try:
        found = pa.Table.from_pandas(values.to_frame(), preserve_index=False).column(0)
    except pa.ArrowException:  # of more than one type
        return _plain_array(values.map(str).where(values.notna(), None).astype("str"))
    return found.cast(_plain(found.type))


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.float32() if pa.types.is_float16(kind) else kind


def flat(schema: pa.Schema, what: str, *, unsigned: bool = True) -> pa.Schema:
    """The columns that a format, called `what`, can hold, as numbers, truth values and text.

    Times and decimals become text, and where there are no `unsigned` whole numbers of 64 bits, these too. Lists,
    structs and bytes are left out, which is said.
    """
    kept = [(entry, _flat(entry.type, unsigned=unsigned)) for entry in schema]
    if left := [entry.name for entry, kind in kept if kind is None]:
        log.warning("%s can't hold columns of lists or bytes: left out %s", what, ", ".join(left))
    return pa.schema([entry.with_type(kind) for entry, kind in kept if kind is not None])


def _flat(kind: pa.DataType, *, unsigned: bool) -> pa.DataType | None:
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind):
        return kind
    if pa.types.is_integer(kind):
        return kind if unsigned or kind != pa.uint64() else pa.string()
    return pa.string() if pa.types.is_temporal(kind) or pa.types.is_decimal(kind) else None


def flat_part(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """A part of a table with the columns of `schema`, which `flat` made; times as ISO 8601 writes them."""
    chosen = part.select(schema.names)
    cast = _cast(chosen, schema)
    for place, entry in enumerate(chosen.schema):
        if pa.types.is_timestamp(entry.type):
            cast = cast.set_column(place, schema.field(place), pc.replace_substring(cast[place], " ", "T"))
    return cast


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for values, entry in zip(table.columns, schema, strict=True):
        try:
            columns.append(values.cast(entry.type))
        except pa.ArrowException as error:
            raise CatalogError(f"the column {entry.name} can't be written: {first_line(error)}") from error
    return pa.Table.from_arrays(columns, schema=schema)
