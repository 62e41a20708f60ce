"""What the pages of a Parquet file unpack to, by the header of each: the metadata at its end may say anything.

Headers are read as Thrift's compact protocol has them, as far as they tell of sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import pyarrow.parquet as pq

HEADER = 1 << 12  # bytes that are read of a page at first: most headers have less than a hundred
LONGEST_HEADER = 1 << 20  # it may hold a smallest and a largest value
DEEPEST = 16
_FIXED = {3: 1, 7: 8}  # bytes of a value by its type: a byte, a float
_WHOLE, _TEXT, _LISTS, _TABLE = (4, 5, 6), 8, (9, 10), 12
_TRUE, _FALSE = 1, 2
_SECOND = 8  # the header of a page of the second version
_SIZES, _VALUES = (2, 3), {5: False, 7: True, 8: False}  # by field, the headers that count values: of a dictionary?


@dataclass(frozen=True)
class Page:
    """Where a page's content lies and its length; what it unpacks to; its values, and whether they are the dictionary.

    Lengths are in bytes. `encoding` is the number of that of the values. The first `plain` bytes are never packed, and
    of a page that is not `compressed` none are; `levels_inside` tells whether levels stand before the values in what
    is unpacked.
    """

    start: int
    packed: int
    unpacked: int
    values: int
    dictionary: bool
    encoding: int = 0
    plain: int = 0
    compressed: bool = True
    levels_inside: bool = True


def pages(file: BinaryIO, column: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """The pages of a column of a row group, by their headers alone.

    Raises
    ------
    ValueError
        If a header can't be read.
    """
    dictionary = column.dictionary_page_offset if column.has_dictionary_page else None
    starts = [start for start in (dictionary, column.data_page_offset) if start]  # without a row there is no data
    at = min(starts, default=-1)
    end = at + column.total_compressed_size
    while 0 <= at < end:
        found, length = _header(file, at, end)
        unpacked, packed = (found.get(field) for field in _SIZES)
        if not isinstance(unpacked, int) or not isinstance(packed, int) or min(unpacked, packed) < 0:
            raise ValueError("the header of a page does not say its size")
        field, counts = next(((key, found[key]) for key in _VALUES if isinstance(found.get(key), dict)), (0, {}))
        head = counts if isinstance(counts, dict) else {}
        n, dictionary = _whole(head, 1), _VALUES.get(field, False)
        page = Page(at + length, packed, unpacked, n, dictionary)
        if field == _SECOND:
            plain, compressed = _whole(head, 5) + _whole(head, 6), head.get(7) is not False
            page = replace(page, encoding=_whole(head, 4), plain=plain, compressed=compressed, levels_inside=False)
        else:
            page = replace(page, encoding=_whole(head, 2))
        yield page
        at += length + packed


def _whole(table: dict[int, object], field: int) -> int:
    value = table.get(field)
    return max(0, value) if isinstance(value, int) else 0


def _header(file: BinaryIO, at: int, end: int) -> tuple[dict[int, object], int]:
    """The header of a page and its length; more is read where what was read first is cut."""
    for length in (HEADER, LONGEST_HEADER):
        file.seek(at)
        header = _Header(file.read(min(length, end - at)))
        try:
            return header.table(), header.at
        except _CutError:
            if len(header.data) < length:
                break
    raise ValueError("the header of a page is cut or too long")


class _CutError(ValueError):
    """The bytes end before the header does."""


class _Header:
    """A table in Thrift's compact protocol, read from its bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def table(self, deep: int = 0) -> dict[int, object]:
        """The values of a table by the numbers of their fields: whole numbers, truths and tables; of others None."""
        found: dict[int, object] = {}
        field = 0
        while (byte := self._byte()) != 0:
            field = field + (byte >> 4) if byte >> 4 else self._signed()
            found[field] = self._value(byte & 15, deep)
        return found

    def _value(self, kind: int, deep: int) -> object:
        if kind in _WHOLE:
            return self._signed()
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if deep == DEEPEST and kind in (_TABLE, *_LISTS):
            raise ValueError("the header of a page is nested too deeply")
        if kind == _TABLE:
            return self.table(deep + 1)
        if kind in _LISTS:
            byte = self._byte()
            for _ in range(self._unsigned() if byte >> 4 == 15 else byte >> 4):
                self._skip(1) if byte & 15 in (1, 2) else self._value(byte & 15, deep + 1)
        elif kind == _TEXT:
            self._skip(self._unsigned())
        elif kind in _FIXED:
            self._skip(_FIXED[kind])
        else:
            raise ValueError("the header of a page is damaged")
        return None

    def _byte(self) -> int:
        self._skip(1)
        return self.data[self.at - 1]

    def _skip(self, length: int) -> None:
        self.at += length
        if self.at > len(self.data):
            raise _CutError

    def _unsigned(self) -> int:
        number, shift = 0, 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128 or shift > 63:
                return number

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
