"""What a file of Arrow's own (Feather 2) unpacks to, by its footer and the header of each of its batches.

Its tables are FlatBuffers, of which only what tells of sizes is read (Arrow's ``File.fbs`` and ``Message.fbs``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tuningfork.catalogs.bounds import most_pages, refuse_cells, refuse_inflated
from tuningfork.errors import CatalogError

MAGIC = b"ARROW1"
LONGEST = 1 << 24  # bytes of a footer or a header
BLOCK = struct.Struct("<qi4xq")  # where a batch begins, the length of its header, that of its body
BUFFER = struct.Struct("<qq")
# The number of the field that is asked for, in each kind of table.
DICTIONARIES, BATCHES = 2, 3  # of a footer
VERSION, HEADER_TYPE, HEADER, METADATA = 0, 1, 2, 4  # of a message
DATA = 1  # of a dictionary: the batch that it is
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3  # of a batch
DICTIONARY, BATCH = 2, 3  # types of headers
FIFTH = 4  # the number of the version from which on the batch itself says whether it is packed


def refuse_bombs(source: BinaryIO, path: Path) -> None:
    """Refuse a file of more rows or bytes than one of its size may hold.

    Raises
    ------
    CatalogError
        If it holds more, or its footer and headers can't be read.
    """
    rows, unpacked, buffers, end = 0, 0, 0, 0
    try:
        for block in sorted(_blocks(source, path)):
            if block[0] < end:
                raise ValueError("two batches share bytes")
            end = block[0] + block[1] + max(0, block[2])
            batch = _batch(source, block)
            buffers += batch.buffers
            if buffers > most_pages(path.stat().st_size):
                raise CatalogError(f"{path} has more than {buffers:,} buffers; write it again, with larger batches")
            rows += batch.rows
            unpacked += batch.unpacked
            refuse_cells(path, rows, 1)
            refuse_inflated(path, unpacked)
    except (struct.error, IndexError, OverflowError, ValueError) as error:
        raise CatalogError(f"{path} is no whole file of Arrow's ({error}); copy it again") from error
    source.seek(0)


@dataclass(frozen=True)
class _Batch:
    rows: int
    unpacked: int
    buffers: int


@dataclass(frozen=True)
class _Table:
    """A table of a FlatBuffer: the buffer, and where the table begins."""

    data: bytes
    start: int

    @staticmethod
    def root(data: bytes) -> _Table:
        return _Table(data, _number(data, "<I", 0))

    def place(self, field: int) -> int:
        """Where a field is; 0 where it is not there."""
        fields = self.start - _number(self.data, "<i", self.start)
        at = 4 + 2 * field
        offset = _number(self.data, "<H", fields + at) if at < _number(self.data, "<H", fields) else 0
        return self.start + offset if offset else 0

    def number(self, field: int, kind: str) -> int:
        place = self.place(field)
        return _number(self.data, kind, place) if place else 0

    def table(self, field: int) -> _Table:
        place = self.place(field)
        if not place:
            raise ValueError("a header lacks a part")
        return _Table(self.data, place + _number(self.data, "<I", place))

    def structs(self, field: int, kind: struct.Struct) -> Iterator[tuple[int, ...]]:
        """The members of a list of structures."""
        place = self.place(field)
        if place:
            start = place + _number(self.data, "<I", place)
            for index in range(_number(self.data, "<I", start)):
                yield kind.unpack_from(self.data, start + 4 + index * kind.size)


def _number(data: bytes, kind: str, at: int) -> int:
    if at < 0:
        raise ValueError("a header points outside itself")
    return int(struct.unpack_from(kind, data, at)[0])


def _blocks(source: BinaryIO, path: Path) -> Iterator[tuple[int, ...]]:
    """Where the dictionaries and batches are, as the footer says it."""
    end = source.seek(-len(MAGIC) - 4, 2)
    length = int.from_bytes(source.read(4), "little")
    if source.read() != MAGIC or not 0 < length <= min(end, LONGEST):
        raise CatalogError(f"{path} is no whole file of Arrow's: its end is missing; copy it again")
    source.seek(end - length)
    footer = _Table.root(source.read(length))
    for field in (DICTIONARIES, BATCHES):
        yield from footer.structs(field, BLOCK)


def _batch(source: BinaryIO, block: tuple[int, ...]) -> _Batch:
    """The rows of a batch, and what all its buffers unpack to."""
    start, length, _ = block
    if not 8 < length <= LONGEST:
        raise ValueError(f"a header of {length} bytes")
    source.seek(start)
    header = source.read(length)
    message = _Table.root(header[8:] if header[:4] == b"\xff\xff\xff\xff" else header[4:])
    kind = message.number(HEADER_TYPE, "<B")
    if kind not in (DICTIONARY, BATCH):
        raise ValueError(f"a message of type {kind} where a batch should be")
    batch = message.table(HEADER)
    batch = batch.table(DATA) if kind == DICTIONARY else batch
    packed = bool(batch.place(COMPRESSION)) or (message.number(VERSION, "<h") < FIFTH and bool(message.place(METADATA)))
    sizes = [_unpacked(source, start + length + at, size, packed=packed) for at, size in batch.structs(BUFFERS, BUFFER)]
    return _Batch(batch.number(LENGTH, "<q"), sum(sizes), len(sizes))


def _unpacked(source: BinaryIO, at: int, size: int, *, packed: bool) -> int:
    """How many bytes a buffer is; of a packed one its first eight say it, or that it is not packed (-1)."""
    if size < 0:
        raise ValueError(f"a buffer of {size} bytes")
    if not packed or size == 0:
        return size
    source.seek(at)
    return max(size, int.from_bytes(source.read(8), "little", signed=True))
