"""The units of a tile's file by their headers: what they are and where their bytes lie. Pixels are not read."""

from __future__ import annotations

import bz2
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from astropy.io.fits import Header

from tuningfork.errors import ImageError
from tuningfork.images.fits.opening import Unit, joined

PACKED: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
}  # by their first two bytes


@dataclass(frozen=True)
class TileUnit(Unit):
    """A unit of a file that is not in memory.

    Parameters
    ----------
    primary
        The header of the first unit, which often says something of all.
    at, size
        Where its data begin in the unpacked file, and how many bytes they are.
    whole
        Whether the file goes on to their end.
    """

    primary: Header
    at: int
    size: int
    whole: bool

    @property
    def said(self) -> Header:
        """What it and the primary header say."""
        return joined(self.primary, self.header)


def read_units(path: str | Path) -> list[TileUnit]:
    """The units of a file, up to where it is cut short or damaged.

    Raises
    ------
    ImageError
        If it is missing, unreadable, or no FITS file.
    """
    units: list[TileUnit] = []
    with _opened(path) as (file, length):
        while True:
            try:
                header = Header.fromfile(file)
            except (EOFError, OSError, ValueError, zlib.error) as error:
                if not units:
                    raise ImageError(f"it is no FITS file, or its header is damaged ({error})") from error
                return units
            at, size = file.tell(), header.data_size
            whole = length is None or at + size <= length
            primary = units[0].header if units else header
            units.append(TileUnit(len(units), header, memoryview(b""), primary, at, size, whole))
            if not whole:
                return units
            try:
                file.seek(at + size + -size % 2880)
            except (EOFError, OSError, zlib.error):
                return units


def is_packed(path: str | Path) -> bool:
    """Whether a file is packed as a whole, so that it has to be unpacked as a whole."""
    try:
        with Path(path).open("rb") as file:
            return file.read(2) in PACKED
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[IO[bytes], int | None]]:
    """A file to read on, and its length where it is known."""
    if not is_packed(path):
        with Path(path).open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
        return
    with Path(path).open("rb") as file:
        unpack = PACKED[file.read(2)]
    with unpack(path) as unpacked:
        yield cast(IO[bytes], unpacked), None
