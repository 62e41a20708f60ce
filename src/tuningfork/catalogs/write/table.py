"""Writing tables by the ending of their name: CSV, Parquet, FITS table, VOTable.

A table is written part after part, and its columns are of the types that its Arrow schema says, whatever is in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tuningfork.catalogs.write.columns import NOTHING, Origin
from tuningfork.catalogs.write.fits import write_fits
from tuningfork.catalogs.write.types import arrow_table, flat, flat_part
from tuningfork.catalogs.write.votable import write_votable
from tuningfork.errors import CatalogError
from tuningfork.files import whole_file

KEY = b"tuningfork"  # of the metadata of a Parquet file: where it comes from
ROWS_A_GROUP = 16_384


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table, whole or not at all; what is said of `write_parts` holds.

    Raises
    ------
    CatalogError
        If the ending is no table's.
    OutputError
        If it can't be written.
    """
    arrow = arrow_table(table)
    write_parts(arrow.schema, [arrow], Path(path))


def write_parts(schema: pa.Schema, parts: Iterable[pa.Table], path: Path, origin: Origin = NOTHING) -> None:
    """Write the parts of a table as one, whole or not at all.

    Types and what the columns mean come from the schema, never from what is in them. Parquet keeps every type; the
    others leave out columns of lists and bytes, which is said, and have times and decimals as text. Text in FITS is
    UTF-8. FITS and VOTable know no missing text: it becomes empty text.

    Parameters
    ----------
    schema
        Of plain columns (see `types.arrow_table`), each described as `columns.column` does.
    parts
        Tables of these columns. They may be gone through twice.
    path
        Its ending says the format.
    origin
        What made the table; CSV can't hold it.

    Raises
    ------
    CatalogError
        If the ending is no table's, or the format can't hold such a table.
    OutputError
        If it can't be written.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise CatalogError(f"{path}: the ending {path.suffix!r} is no table's; use {', '.join(_WRITERS)}")
    with whole_file(path) as temporary:
        write(schema, parts, temporary, origin)


def _write_parquet(schema: pa.Schema, parts: Iterable[pa.Table], path: Path, origin: Origin) -> None:
    with pq.ParquetWriter(path, schema.with_metadata(_metadata(schema, origin))) as writer:
        held: list[pa.Table] = []  # a reader holds what is written about every group of a file: let there be few
        for part in parts:
            held.append(part)
            if sum(map(len, held)) >= ROWS_A_GROUP:
                writer.write_table(pa.concat_tables(held).cast(schema))
                held = []
        if held:
            writer.write_table(pa.concat_tables(held).cast(schema))


def _metadata(schema: pa.Schema, origin: Origin) -> dict[bytes, bytes]:
    """Where the table comes from, and what pandas needs to give whole numbers and truth values back as they are.

    Without it, pandas would make floats of whole numbers where one is missing.
    """
    nullable = {kind: getattr(pd, f"{str(kind).title().replace('Ui', 'UI')}Dtype")() for kind in _WHOLE}
    frame = schema.empty_table().to_pandas(types_mapper=(nullable | {pa.bool_(): pd.BooleanDtype()}).get)
    metadata: dict[bytes, bytes] = {b"pandas": pa.Schema.from_pandas(frame, preserve_index=False).metadata[b"pandas"]}
    if origin.manifest:
        metadata[KEY] = json.dumps(origin.manifest, ensure_ascii=False).encode()
    return metadata


def _write_csv(schema: pa.Schema, parts: Iterable[pa.Table], path: Path, _: Origin) -> None:
    schema = flat(schema, "CSV")
    with pyarrow.csv.CSVWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(flat_part(part, schema))


_WHOLE = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
_WRITERS: dict[str, Callable[[pa.Schema, Iterable[pa.Table], Path, Origin], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".fits": write_fits,
    ".vot": write_votable,
    ".xml": write_votable,
}
