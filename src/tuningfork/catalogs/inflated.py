"""Parquet files that unpack to far more than they are, refused before memory is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import delta
from tuningfork.catalogs.bounds import most_bytes, most_pages, refuse_cells, refuse_inflated
from tuningfork.catalogs.pages import Page, pages
from tuningfork.errors import CatalogError

LENGTH = 4  # bytes before each text of a dictionary: its length
MOST_TEXTS = 1 << 18  # of a dictionary, whose lengths are looked at
Chunk: TypeAlias = pq.ColumnChunkMetaData


def refuse_bombs(source: BinaryIO, metadata: pq.FileMetaData, names: Sequence[str], path: Path) -> list[str]:
    """Refuse columns of more rows, values or bytes than a file of its size may hold, whatever its metadata say.

    Returns
    -------
    list of str
        The parts of columns whose text is to be read in codes first: all rows together may be far longer than the file.

    Raises
    ------
    CatalogError
        If they hold more; where a page can't be read a `ValueError`.
    """
    chunks = list(_chunks(metadata, names))
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    refuse_cells(path, max(metadata.num_rows, sum(groups)), len({chunk.path_in_schema for chunk in chunks}))
    looked, unpacked, values, texts = 0, 0, 0, dict[str, int]()
    columns = {column.path: column for column in map(metadata.schema.column, range(metadata.num_columns))}
    for chunk in chunks:
        found = _pages(source, chunk, looked, path)
        looked += len(found)
        unpacked += sum(page.unpacked for page in found)
        own = max(chunk.num_values, sum(page.values for page in found))
        values += own
        refuse_inflated(path, unpacked)
        unpacked += _beyond_pages(source, chunk, found, own, columns[chunk.path_in_schema])
        refuse_inflated(path, unpacked, "its text")
        refuse_cells(path, 0, 0, values)
        if chunk.physical_type == "BYTE_ARRAY" and any(page.dictionary for page in found):
            longest = max(_longest_text(source, chunk, page) for page in found if page.dictionary)
            texts[chunk.path_in_schema] = texts.get(chunk.path_in_schema, 0) + own * longest
    return _beyond(texts, most_bytes(path.stat().st_size))


def largest_page(source: BinaryIO, name: str, path: Path) -> int:
    """The bytes of the largest page of a part of a column, such as ``image.bytes``; all of it is within bounds.

    Raises
    ------
    CatalogError
        If it would unpack to far more than the file is.
    """
    looked, unpacked, largest = 0, 0, 0
    for chunk in _chunks(pq.read_metadata(source), [name]):
        found = _pages(source, chunk, looked, path)
        looked += len(found)
        unpacked += sum(page.unpacked for page in found)
        largest = max([largest, *(page.unpacked for page in found)])
        refuse_inflated(path, unpacked, f"its column {name.partition('.')[0]}")
    return largest


def _pages(source: BinaryIO, chunk: Chunk, before: int, path: Path) -> list[Page]:
    """The pages of a part of a column, after so many of others: no more than a file of its size may have."""
    size = path.stat().st_size
    most = most_pages(size)
    found = list(islice(pages(source, chunk), most - before + 1))
    if before + len(found) > most:
        raise CatalogError(
            f"{path} has more than {most:,} pages in {size:,} bytes; write it again, with larger groups of rows"
        )
    return found


def _chunks(metadata: pq.FileMetaData, names: Sequence[str]) -> Iterator[Chunk]:
    """The parts of columns, of each group of rows."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        if group.num_rows:  # of none nothing is read, and older writers say of it where no page is
            for chunk in map(group.column, range(group.num_columns)):
                if any(chunk.path_in_schema == name or chunk.path_in_schema.startswith(f"{name}.") for name in names):
                    yield chunk


def _beyond_pages(source: BinaryIO, chunk: Chunk, found: Sequence[Page], values: int, column: pq.ColumnSchema) -> int:
    """The bytes of values that are more than their unpacked pages: of a fixed length, or written as differences."""
    if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return values * max(0, int(column.length))
    if chunk.physical_type != "BYTE_ARRAY":
        return 0
    return sum(_delta_text(source, chunk, page, column) for page in found if page.encoding == delta.ENCODING)


def _delta_text(source: BinaryIO, chunk: Chunk, page: Page, column: pq.ColumnSchema) -> int:
    """The bytes of the texts of a page; where they can't be seen as many as they could be."""
    source.seek(page.start)
    data = source.read(page.packed)[page.plain :]
    try:
        data = _unpacked(data, chunk, page.unpacked - page.plain) if page.compressed else data
        levels = (column.max_repetition_level > 0) + (column.max_definition_level > 0) if page.levels_inside else 0
        for _ in range(levels):
            data = data[LENGTH + int.from_bytes(data[:LENGTH], "little") :]
        return delta.text_length(data, page.values)
    except (ValueError, OSError, pa.ArrowException):
        return page.values * page.unpacked


def _unpacked(data: bytes, chunk: Chunk, size: int) -> bytes:
    """What a page's bytes unpack to."""
    if chunk.compression == "UNCOMPRESSED":
        return data
    codec = pa.Codec("lz4_raw" if chunk.compression == "LZ4" else chunk.compression.lower())
    unpacked: bytes = codec.decompress(data, size).to_pybytes()
    return unpacked


def _longest_text(source: BinaryIO, chunk: Chunk, page: Page) -> int:
    """The bytes of the longest text of a dictionary; where they can't be seen all that it has."""
    source.seek(page.start)
    data = source.read(page.packed)
    try:
        data = _unpacked(data, chunk, page.unpacked)
    except (ValueError, OSError, pa.ArrowException):
        return page.unpacked
    longest, at, n = 0, 0, 0
    while at + LENGTH <= len(data) and n < MOST_TEXTS:
        length = int.from_bytes(data[at : at + LENGTH], "little")
        longest, at, n = max(longest, length), at + LENGTH + length, n + 1
    return longest if at == len(data) else page.unpacked


def _beyond(texts: dict[str, int], most: int) -> list[str]:
    """The columns whose text may be more than this, once those of less text are read."""
    total, beyond = 0, []
    for name, length in sorted(texts.items(), key=lambda each: each[1]):
        total += length
        if total > most:
            beyond.append(name)
    return beyond
