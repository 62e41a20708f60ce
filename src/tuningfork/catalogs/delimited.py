"""Tables of text: whatever stands between their columns, and in whatever encoding."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Sequence
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow

from tuningfork.catalogs.astro import text_reader
from tuningfork.catalogs.ids import are_ids
from tuningfork.catalogs.layout import (
    BLANKS,
    COMMENT,
    SAMPLE,
    WESTERN,
    Layout,
    encoding_of,
    fields_of,
    layout_of,
    split_lines,
)
from tuningfork.catalogs.parquet import to_frame
from tuningfork.catalogs.values import typed
from tuningfork.catalogs.write.columns import STORED
from tuningfork.errors import CatalogError

log = logging.getLogger(__name__)

BLOCK = 16 << 20  # bytes that are parsed at once; no line may be longer

# Formats of text that astropy reads, by how they begin.
FORMATS = {
    "ascii.ecsv": re.compile(r"# %ECSV "),
    "ascii.mrt": re.compile(r"(?s).*^Byte-by-byte Description", re.MULTILINE),
    "ascii.ipac": re.compile(r"(\\.*\n|\s*\n)*\|.*\|\s*\n(\|.*\|\s*\n)*[^|]"),
    "ascii.sextractor": re.compile(r"#\s+1\s+\w+.*\n(#\s+\d+\s+\w+.*\n)*"),
}


def read_delimited(source: BinaryIO, origin: str, ids: Sequence[str]) -> pd.DataFrame:
    """A table of text. Ids and columns that hold anything but numbers stay text; only empty cells are missing there.

    Raises
    ------
    CatalogError
        If it has no header, or a line has more or fewer values than there are columns.
    """
    first = encoding_of(source.read(SAMPLE), origin)
    *attempts, last = WESTERN if first in WESTERN else (first, *WESTERN) if first == "utf-8" else (first,)
    for encoding in attempts:
        try:
            return _read(source, encoding, origin, ids)
        except UnicodeError:
            continue
    return _read(source, last, origin, ids)


def _read(source: BinaryIO, encoding: str, origin: str, ids: Sequence[str]) -> pd.DataFrame:
    source.seek(0)
    begin = source.read(SAMPLE)
    whole = len(begin) < SAMPLE
    text = begin.decode(encoding, "strict" if whole else "ignore")
    if encoding in WESTERN:
        log.warning("%s is not UTF-8: its letters are read as Western European (%s)", origin, encoding)
    kind = next((kind for kind, beginning in FORMATS.items() if beginning.match(text)), None)
    source.seek(0)
    if kind is not None:
        return text_reader(kind)(source.read().decode(encoding))
    layout = layout_of(text if whole else text[: max(text.rfind("\n"), text.rfind("\r"))], origin)
    table = _parse(*_body(source, encoding, layout), layout, origin)
    log.debug("%s: %s", origin, layout)
    return _frame(table, layout, origin, ids)


def _body(source: BinaryIO, encoding: str, layout: Layout) -> tuple[BinaryIO, str, int]:
    """The rows as Arrow can read them: the text, its encoding, and the lines to pass over at its beginning.

    Columns that stand apart by blanks are set apart by tabs; lines of remarks are left out.
    """
    if layout.separator != BLANKS and not layout.comments:
        return source, encoding, layout.skip
    lines = split_lines(source.read().decode(encoding))[layout.skip :]
    rows = [line for line in lines if line.strip() and not (layout.comments and line.startswith(COMMENT))]
    if layout.separator != BLANKS:
        return io.BytesIO("\n".join(rows).encode()), "utf-8", 0
    tabbed = io.StringIO()
    csv.writer(tabbed, delimiter="\t", lineterminator="\n").writerows(fields_of(row, BLANKS) for row in rows)
    return io.BytesIO(tabbed.getvalue().encode()), "utf-8", 0


def _parse(source: BinaryIO, encoding: str, skip: int, layout: Layout, origin: str) -> pa.Table:
    """All cells as text, null where empty, in columns named by their number."""
    names = [str(number) for number in range(len(layout.names))]
    separator = "\t" if layout.separator == BLANKS else layout.separator
    try:
        return arrow.read_csv(
            source,
            arrow.ReadOptions(column_names=names, skip_rows=skip, encoding=encoding, block_size=BLOCK),
            arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise UnicodeError from error
        if "Empty CSV" in str(error):
            raise CatalogError(f"{origin} has no rows") from error
        ragged = re.search(r"Expected (\d+) columns, got (\d+): (.*)", str(error))
        if ragged is None:
            raise
        expected, got, text = ragged.groups()
        raise CatalogError(
            f"{origin}: a row has {got} values where {expected} columns are ({layout}): {text[:80]!r}; "
            "correct it, or put text with separators in quotes"
        ) from error


def _frame(table: pa.Table, layout: Layout, origin: str, ids: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, pa.ChunkedArray] = {}
    missing: dict[str, list[str]] = {}
    for number, name in enumerate(layout.names):
        cells = pc.utf8_trim_whitespace(table[number])
        cells = pc.if_else(pc.equal(cells, ""), None, cells)
        if not name and cells.null_count == len(cells):
            continue  # what a separator at the end of each line makes
        named = name or f"column{number + 1}"
        columns[named], words = (cells, []) if are_ids(named, ids) else typed(cells, layout.separator == ";")
        missing |= {named: words} if words else {}
    if missing:
        words = sorted({word for found in missing.values() for word in found})
        log.info("%s: %s among numbers is a missing value (in %s)", origin, ", ".join(words), ", ".join([*missing][:5]))
    frame = to_frame(pa.table(columns), ids)
    frame.attrs[STORED] = {name: "int64" for name, cells in columns.items() if are_ids(name, ids) and _are_whole(cells)}
    return frame


def _are_whole(cells: pa.ChunkedArray) -> bool:
    """Whether ids are whole numbers, and written as such: no leading zeros."""
    try:
        return bool(cells.cast(pa.int64()).cast(pa.string()).equals(cells))
    except pa.ArrowInvalid:
        return False
