"""The bytes of a FITS file to its units: unpacked, checked against being cut short, read one by one when wanted."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from astropy.io import fits

from tuningfork.errors import ImageError
from tuningfork.images.fits.cards import text_of
from tuningfork.images.limit import LARGEST

BLOCK = 2880  # bytes of a FITS block
LARGEST_FILE = 1 << 28  # bytes once unpacked
MOST_UNITS = 4096
GZIP, BZIP2, LZW = b"\x1f\x8b", b"BZh", b"\x1f\x9d"


@dataclass(frozen=True)
class Unit:
    """A unit of a file: its number, header and bytes."""

    number: int
    header: fits.Header
    _bytes: memoryview

    @property
    def name(self) -> str:
        """Its EXTNAME; empty where it has none."""
        return text_of(self.header, "EXTNAME")

    @property
    def label(self) -> str:
        """Its number and name, for messages."""
        return f"{self.number} ({self.name})" if self.name else str(self.number)

    @property
    def compressed(self) -> bool:
        """Whether it is an image stored by tiles in a table."""
        return bool(self.header.get("ZIMAGE", False))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its image, axes of length 1 left out; empty where it holds none."""
        prefix = "Z" if self.compressed else ""
        if not (self.compressed or self.header.get("XTENSION", "IMAGE").strip() == "IMAGE"):
            return ()
        axes = int(self.header.get(f"{prefix}NAXIS", 0))
        lengths = tuple(int(self.header.get(f"{prefix}NAXIS{axis}", 0)) for axis in range(axes, 0, -1))
        return tuple(length for length in lengths if length != 1)

    @property
    def exact(self) -> bool:
        """Whether its values are floats as they were written, not rounded by a compression."""
        if not self.compressed:
            return int(self.header.get("BITPIX", 8)) < 0
        scaled = "ZSCALE" in self.header or "ZSCALE" in self.header.get("TTYPE*", {}).values()
        return int(self.header.get("ZBITPIX", 8)) < 0 and not scaled

    @cached_property
    def values(self) -> np.ndarray:
        """Its pixels in this machine's byte order, axes of length 1 left out; integers stay so where the file has them.

        Raises
        ------
        ImageError
            If there are too many.
        """
        if int(np.prod(self.shape, dtype=np.float64)) > LARGEST:
            raise ImageError(f"unit {self.label} has {self.shape} pixels, too many for one image; cut it out first")
        # A file of its own: reading the unit then does not go through all that come before it.
        whole = io.BytesIO(b"" if self.number == 0 else _empty_primary())
        whole.seek(0, io.SEEK_END)
        whole.write(self._bytes)
        whole.seek(0)
        with fits.open(whole, memmap=False) as units:
            data = np.asarray(units[0 if self.number == 0 else 1].data)
        return np.ascontiguousarray(data.reshape(self.shape), dtype=data.dtype.newbyteorder("="))


def joined(primary: fits.Header, header: fits.Header) -> fits.Header:
    """What the primary header and that of a unit say; where both do, the unit's."""
    if header is primary:
        return header
    both = primary.copy()
    both.update(header)
    return both


def _empty_primary() -> bytes:
    encoded: bytes = fits.PrimaryHDU().header.tostring().encode()
    return encoded


def units_of(data: bytes) -> list[Unit]:
    """The units of a FITS file.

    Raises
    ------
    ImageError
        If it is cut short, which astropy only warns of (a last block cut short is harmless), damaged, or unpacks to
        more than can be held.
    """
    data = unpacked(data)
    missing = -len(data) % BLOCK
    view = memoryview(data + bytes(missing) if missing else data)
    units: list[Unit] = []
    start = 0
    while start < len(data) and not (units and _is_padding(view[start : start + BLOCK])):
        if len(units) >= MOST_UNITS:
            raise ImageError(f"it has more than {MOST_UNITS} units; name one of a smaller file")
        header, begin = _header(view, start, len(data))
        size = _data_size(header)
        if begin + size > len(data):
            raise ImageError(f"truncated FITS: its header promises {begin + size} bytes, the file has {len(data)}")
        end = begin + size + -size % BLOCK
        units.append(Unit(len(units), header, view[start:end]))
        start = end
    return units


def _header(view: memoryview, start: int, length: int) -> tuple[fits.Header, int]:
    """The header that begins at `start`, and where its data begin."""
    stop = start
    while True:
        block = bytes(view[stop : stop + BLOCK])
        if stop + BLOCK > length:
            raise ImageError("truncated FITS: it ends within a header")
        stop += BLOCK
        if any(block[at : at + 8] == b"END     " for at in range(0, BLOCK, 80)):
            break
    try:
        header = fits.Header.fromstring(bytes(view[start:stop]))
        if not {"SIMPLE", "XTENSION"} & set(header):
            raise ImageError("damaged FITS: what follows a unit is no header")
        return header, stop
    except (EOFError, OSError, ValueError) as error:
        raise ImageError(f"damaged FITS header ({error})") from error


def _data_size(header: fits.Header) -> int:
    """Bytes of a unit's data, padding left out."""
    axes = int(header.get("NAXIS", 0))
    lengths = [int(header[f"NAXIS{axis}"]) for axis in range(1, axes + 1)]
    if not lengths or min(lengths) < 0 or any(length == 0 for length in lengths[1:]):
        return 0
    if lengths[0] == 0:  # random groups, which no image uses
        return 0
    pixels = 1
    for length in lengths:
        pixels *= length
    groups, extra = int(header.get("GCOUNT", 1)), int(header.get("PCOUNT", 0))
    return abs(int(header.get("BITPIX", 8))) // 8 * groups * (extra + pixels)


def _is_padding(block: memoryview) -> bool:
    return not bytes(block).strip(b"\0 ")


def unpacked(data: bytes) -> bytes:
    """The bytes of a file that may be packed by gzip, bzip2 or compress.

    Raises
    ------
    ImageError
        If it is cut short, damaged, or too large.
    """
    kind: Any
    if data[:2] == GZIP:
        kind, name = gzip.open, "gzip"
    elif data[:3] == BZIP2:
        kind, name = bz2.open, "bzip2"
    elif data[:2] == LZW:
        import uncompresspy

        kind, name = uncompresspy.open, "compress (.Z)"
    else:
        return data
    try:
        with kind(io.BytesIO(data)) as file:
            whole = bytes(file.read(LARGEST_FILE + 1))
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise ImageError(f"truncated or damaged {name} file ({error})") from error
    if len(whole) > LARGEST_FILE:
        raise ImageError(f"it unpacks to more than {LARGEST_FILE >> 20} MiB; cut it out first")
    return whole
