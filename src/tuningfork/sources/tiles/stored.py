"""The pixels of a tile by rows, however they are stored."""

from __future__ import annotations

import os
import threading
from typing import Any, Protocol

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.sources.tiles.units import PACKED, TileUnit

ROWS = 32  # at least so many are read at once
COMPRESSED = 96 << 20  # and where they are compressed, about so many bytes: astropy is half as quick in small parts


class Stored(Protocol):
    """An image (H, W), one plane of a unit."""

    step: int  # rows are best read from a multiple of it to the next

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows, (N, W), as the header's BSCALE, BZERO and BLANK have them; from any thread.

        Raises
        ------
        ImageError
            If they are damaged.
        """


def stored(path: str, unit: TileUnit, plane: int, *, whole: bool = False) -> Stored:
    """Plane number `plane` of a unit: float32, but of flags whole numbers have to stay `whole`.

    Raises
    ------
    ImageError
        If it can't be read.
    """
    if not unit.whole:
        raise ImageError("it is cut short; get it again")
    try:
        if not unit.compressed:
            return Plain(_Bytes(path), unit, plane, whole=whole)
        return Compressed(path, unit, plane, whole=whole)
    except (EOFError, KeyError, OSError, TypeError, ValueError) as error:
        raise ImageError(f"it can't be read ({error})") from error


class Plain:
    """Not compressed."""

    step = ROWS

    def __init__(self, content: _Bytes, unit: TileUnit, plane: int, *, whole: bool) -> None:
        self.content, self.header, self.whole = content, unit.header, whole
        height, self.width = unit.shape[-2:]
        bits = int(unit.header["BITPIX"])
        self.dtype = np.dtype(f">{'f' if bits < 0 else 'i'}{abs(bits) // 8}" if bits != 8 else "u1")
        self.at = unit.at + plane * height * self.width * self.dtype.itemsize

    def rows(self, start: int, stop: int) -> np.ndarray:
        """As of `Stored`."""
        line = self.width * self.dtype.itemsize
        data = self.content.read(self.at + start * line, (stop - start) * line)
        return _physical(data.view(self.dtype).reshape(stop - start, self.width), self.header, whole=self.whole)


class Compressed:
    """Compressed by tiles: astropy decompresses those that are asked for, one thread at a time."""

    def __init__(self, path: str, unit: TileUnit, plane: int, *, whole: bool) -> None:
        from astropy.io import fits

        tile = int(unit.header.get("ZTILE2", 1))
        self.step = tile * max(1, COMPRESSED // (4 * unit.shape[-1] * tile))
        self.lock = threading.Lock()
        self.units = fits.open(path, memmap=False)
        self.image: Any = self.units[unit.number]
        axes = [int(unit.header[f"ZNAXIS{axis}"]) for axis in range(int(unit.header["ZNAXIS"]), 2, -1)]
        self.leading = np.unravel_index(plane, axes) if axes else ()
        self.dtype = None if whole else np.float32

    def rows(self, start: int, stop: int) -> np.ndarray:
        """As of `Stored`."""
        try:
            with self.lock:
                return np.asarray(self.image.section[(*self.leading, slice(start, stop))], dtype=self.dtype)
        except Exception as error:  # whatever a decoder throws at damaged bytes
            raise ImageError(f"its compressed data are damaged ({error}); get it again") from error

    def __del__(self) -> None:
        if hasattr(self, "units"):
            self.units.close()


class _Bytes:
    """A file to be read at any place, from any thread; one that is packed as a whole is unpacked as a whole."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_RDONLY)
        kind = os.pread(self.file, 2, 0)
        self.unpacked = b""
        if kind in PACKED:
            with PACKED[kind](path) as file:
                self.unpacked = bytes(file.read())

    def read(self, start: int, length: int) -> np.ndarray:
        """Bytes, (length,) uint8."""
        data = self.unpacked[start : start + length] if self.unpacked else os.pread(self.file, length, start)
        while len(data) < length and (more := os.pread(self.file, length - len(data), start + len(data))):
            data += more  # a network may give less at once
        if len(data) < length:
            raise ImageError("it is cut short; get it again")
        return np.frombuffer(data, np.uint8)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)


def _physical(values: np.ndarray, header: Any, *, whole: bool) -> np.ndarray:
    """As `_scaled`, with NaN where whole numbers are BLANK; int64 where they are to stay whole and can."""
    scale, zero = float(header.get("BSCALE", 1)), float(header.get("BZERO", 0))
    if whole and values.dtype.kind != "f" and "BLANK" not in header and scale == 1 and zero.is_integer():
        shift = np.uint64(int(zero) % (1 << 64))  # unsigned numbers are stored less 2^15, 2^31 or 2^63
        return (values.astype(np.int64).view(np.uint64) + shift).view(np.int64)
    out = values.astype(np.float32)
    if values.dtype.kind != "f" and "BLANK" in header:
        out[values == int(header["BLANK"])] = np.nan
    return _scaled(out, header)


def _scaled(values: np.ndarray, header: Any) -> np.ndarray:
    scale, zero = float(header.get("BSCALE", 1)), float(header.get("BZERO", 0))
    if (scale, zero) != (1.0, 0.0):
        values *= np.float32(scale)
        values += np.float32(zero)
    return values
