"""The pixels of a tile by rows, however they are stored."""

from __future__ import annotations

import os
import re
import threading
from typing import Any, Protocol

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.tiles import rice
from tuningfork.images.tiles.units import PACKED, TileUnit

ROWS = 32  # at least so many are read at once
RICE = ("RICE_1", "RICE_ONE")
_FORM = re.compile(r"(\d*)([A-Z])")
_FORMS = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "P": "(2,)>i4", "Q": "(2,)>i8"}


class Stored(Protocol):
    """An image (H, W), one plane of a unit."""

    step: int  # rows are best read from a multiple of it to the next

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows, (N, W) float32, as the header's BSCALE, BZERO and BLANK have them; from any thread.

        Raises
        ------
        ImageError
            If they are damaged.
        """


def stored(path: str, unit: TileUnit, plane: int) -> Stored:
    """Plane number `plane` of a unit.

    Raises
    ------
    ImageError
        If it can't be read.
    """
    if not unit.whole:
        raise ImageError("it is cut short; get it again")
    try:
        if not unit.compressed:
            return Plain(_Bytes(path), unit, plane)
        if unit.header["ZCMPTYPE"] in RICE:
            image = Rice(_Bytes(path), unit, plane)
            if image.plain:
                return image
        return Sections(path, unit, plane)
    except (EOFError, KeyError, OSError, TypeError, ValueError) as error:
        raise ImageError(f"it can't be read ({error})") from error


class Plain:
    """Not compressed."""

    step = ROWS

    def __init__(self, content: _Bytes, unit: TileUnit, plane: int) -> None:
        self.content, self.header = content, unit.header
        height, self.width = unit.shape[-2:]
        bits = int(unit.header["BITPIX"])
        self.dtype = np.dtype(f">{'f' if bits < 0 else 'i'}{abs(bits) // 8}" if bits != 8 else "u1")
        self.at = unit.at + plane * height * self.width * self.dtype.itemsize

    def rows(self, start: int, stop: int) -> np.ndarray:
        """As of `Stored`."""
        line = self.width * self.dtype.itemsize
        data = self.content.read(self.at + start * line, (stop - start) * line)
        return _physical(data.view(self.dtype).reshape(stop - start, self.width), self.header)


class Rice:
    """RICE_1, in rows of tiles; `plain` is whether all of them are compressed by that and none by another way."""

    def __init__(self, content: _Bytes, unit: TileUnit, plane: int) -> None:
        header = unit.header
        self.content, self.header = content, header
        self.height, self.width = unit.shape[-2:]
        self.tile = int(header.get("ZTILE2", 1)), int(header.get("ZTILE1", self.width))
        self.step = self.tile[0] * -(-ROWS // self.tile[0])
        self.across = -(-self.width // self.tile[1])
        self.first = plane * self.across * -(-self.height // self.tile[0])
        settings = {str(header[f"ZNAME{i}"]).upper(): header[f"ZVAL{i}"] for i in range(1, 9) if f"ZNAME{i}" in header}
        self.code = int(settings.get("BLOCKSIZE", 32)), int(settings.get("BYTEPIX", 4))
        table = content.read(unit.at, int(header["NAXIS1"]) * int(header["NAXIS2"])).view(_record(header))
        names = table.dtype.names or ()
        places = table["COMPRESSED_DATA"].astype(np.int64)
        heap = unit.at + int(header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]))
        self.starts = heap + places[:, 1]
        self.stops = self.starts + places[:, 0]
        quantized = "ZSCALE" in names
        self.steps = np.ones((len(table), 2)) * (1.0, 0.0)
        if quantized:
            self.steps = np.stack([table["ZSCALE"], table["ZZERO"]], axis=1).astype(np.float64)
        self.dither = rice.DITHERS.get(str(header.get("ZQUANTIZ", "NO_DITHER")).strip(), -1) if quantized else 0
        self.seed = int(header.get("ZDITHER0", 1)) - 1
        blank = header.get("ZBLANK", header.get("BLANK"))
        self.blank = blank is not None, int(blank or 0)
        sound = (places[:, 0] >= self.code[1]) & (places[:, 1] >= 0) & (self.stops <= unit.at + unit.size)
        flat = all(int(header.get(f"ZTILE{axis}", 1)) == 1 for axis in range(3, int(header["ZNAXIS"]) + 1))
        self.plain = bool(
            sound.all()
            and flat
            and self.dither >= 0
            and self.code[1] in (1, 2, 4)
            and len(table) >= self.first + self.across * -(-self.height // self.tile[0])
            and "ZBLANK" not in names
        )

    def rows(self, start: int, stop: int) -> np.ndarray:
        """As of `Stored`; `start` is a multiple of a tile's height."""
        one = self.first + start // self.tile[0] * self.across
        end = self.first + -(-stop // self.tile[0]) * self.across
        starts, stops = self.starts[one:end], self.stops[one:end]
        begin = int(starts.min())
        data = self.content.read(begin, int(stops.max()) - begin)
        out, damaged = np.empty((stop - start, self.width), np.float32), np.zeros(1, bool)
        rice.decompress(
            data,
            (starts - begin).astype(np.uint64),
            (stops - begin).astype(np.uint64),
            self.steps[one:end],
            self.tile,
            self.code,
            (self.dither, self.seed + one),
            self.blank,
            rice.dither_sequence(),
            out,
            damaged,
        )
        if damaged[0]:
            raise ImageError("its compressed data are damaged; get it again")
        return _scaled(out, self.header)


class Sections:
    """Whatever else astropy decompresses, one thread at a time."""

    def __init__(self, path: str, unit: TileUnit, plane: int) -> None:
        from astropy.io import fits

        tile = int(unit.header.get("ZTILE2", 1))
        self.step = tile * -(-ROWS // tile)
        self.lock = threading.Lock()
        self.units = fits.open(path, memmap=False)
        self.image: Any = self.units[unit.number]
        axes = [int(unit.header[f"ZNAXIS{axis}"]) for axis in range(int(unit.header["ZNAXIS"]), 2, -1)]
        self.leading = tuple(plane if length > 1 else 0 for length in axes)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """As of `Stored`."""
        try:
            with self.lock:
                return np.asarray(self.image.section[(*self.leading, slice(start, stop))], dtype=np.float32)
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


def _record(header: Any) -> np.dtype:
    """The columns of a table of compressed tiles."""
    columns = []
    for index in range(1, int(header["TFIELDS"]) + 1):
        count, letter = _FORM.match(str(header[f"TFORM{index}"])).groups()  # type: ignore[union-attr]
        form = _FORMS[letter] if count in ("", "1") else f"({count},){_FORMS[letter]}"
        columns.append((str(header[f"TTYPE{index}"]).strip(), form))
    return np.dtype(columns)


def _physical(values: np.ndarray, header: Any) -> np.ndarray:
    """As `_scaled`, with NaN where whole numbers are BLANK."""
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
