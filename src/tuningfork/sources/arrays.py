"""Arrays of NumPy: a ``.npy`` of pixels, or a ``.npz`` whose `images` are pixels and the arrays as long are columns.

The one array of a ``.npz`` that has no other is the pixels, whatever its name.
"""

from __future__ import annotations

import tokenize
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from tuningfork.catalogs import find_id_column, id_text, refuse_duplicates
from tuningfork.catalogs.ids import are_ids, find_ids
from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.geometry import SMALLEST
from tuningfork.images.item import Item
from tuningfork.sources.files import file_stamp
from tuningfork.sources.source import Introduction
from tuningfork.sources.zips import DAMAGE

ENDINGS = (".npy", ".npz")
IMAGES = "images"
LARGEST = 1 << 30  # bytes of one image

_DAMAGED = (*DAMAGE, SyntaxError, tokenize.TokenError)  # NumPy reads headers by Python's own words


class ArraySource:
    """Pixels uint8 (N, H, W, C), (N, C, H, W) or (N, H, W); item i is the i-th of them.

    The other arrays of N values in a ``.npz`` are the columns of `table`. Without one of ids, row numbers are the ids.

    Raises
    ------
    CatalogError
        If the file is damaged or cut short, its pixels are not of this layout, or an id stands twice.
    """

    def __init__(self, path: Path, origin: str, id_column: str | None) -> None:
        self.path, self.origin, self.first = path, origin, 0
        with _pixels(path) as (file, shape, _):
            self.shape = shape
            columns = _columns(path, shape[0]) if path.suffix.lower() == ".npz" else {}
            _check_length(file, shape, path)
        self.channels_first = len(shape) == 4 and shape[1] < SMALLEST <= shape[3]
        table = pd.DataFrame(columns, index=range(shape[0]))
        if id_column is not None or find_ids(table):
            column = find_id_column(table, str(path), asked=id_column)
            ids, said = id_text(table[column]), f"those of the array {column}"
        else:
            ids, said = pd.Series([str(row) for row in range(shape[0])], dtype=object), "row numbers"
        refuse_duplicates(ids, str(path))
        self.introduction = Introduction(said)
        locations = pd.Series([f"{path.name}#{row}" for row in range(shape[0])], dtype=object)
        self.table = table.assign(id_str=ids, file_loc=locations)

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on, one in memory at a time."""
        names = zip(self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:], strict=True)
        frame = int(np.prod(self.shape[1:]))
        with _pixels(self.path) as (file, shape, begin):
            if shape != self.shape:
                raise CatalogError(f"{self.path} has changed since it was opened; run the command again")
            file.seek(begin + (self.first + start) * frame)
            for identity, location in names:
                yield Item(identity, location, partial(_load, file.read(frame), shape[1:], self.channels_first))

    def part(self, start: int, stop: int) -> ArraySource:
        """The images from `start` to `stop`; refused of compressed arrays, which are read from the beginning."""
        if self.path.suffix.lower() == ".npz":
            raise CatalogError(f"{self.path}: .npz can't be shared between workers; pack it first (`tuningfork pack`)")
        part = object.__new__(ArraySource)
        part.__dict__ = self.__dict__ | {
            "path": self.path.absolute(),
            "first": self.first + start,
            "table": self.table.iloc[start:stop][["id_str", "file_loc"]],
        }
        return part

    def describe(self) -> dict[str, Any]:
        """The file, with its size and time of change."""
        stamps = {self.path.name: file_stamp(self.path)}
        return {"kind": "array", "origin": self.origin, "n": self.n, "ids": self.introduction.ids, "files": stamps}

    def files(self) -> list[Path]:
        """The file."""
        return [self.path]


@contextmanager
def _pixels(path: Path) -> Iterator[tuple[IO[bytes], tuple[int, ...], int]]:
    """The open file of the pixels, their shape, and where they begin."""
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                yield file, _shape(file, path), file.tell()
            return
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if f"{IMAGES}.npy" not in names and len(names) != 1:
                there = ", ".join(name.removesuffix(".npy") for name in names) or "none"
                raise CatalogError(f"{path} has no array {IMAGES!r} of pixels; its arrays: {there}")
            with archive.open(f"{IMAGES}.npy" if f"{IMAGES}.npy" in names else names[0]) as member:
                yield member, _shape(member, path), member.tell()
    except _DAMAGED as error:
        raise CatalogError(f"{path} is not a readable array of NumPy ({error}); get it again") from error


def _shape(file: IO[bytes], path: Path) -> tuple[int, ...]:
    """The shape that the header of an array tells."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype != np.uint8:
        raise CatalogError(
            f"{path} holds {dtype}, whose black and white are not stated; save it as uint8, black 0 and white 255"
        )
    if len(shape) not in (3, 4) or 0 in shape:
        raise CatalogError(f"{path} is of shape {shape}; (images, height, width, channels) is needed")
    if fortran:
        raise CatalogError(f"{path} is stored in Fortran's order; save np.ascontiguousarray of it")
    if len(shape) == 4 and (shape[1] < SMALLEST) == (shape[3] < SMALLEST):
        raise CatalogError(f"{path} is of shape {shape}; which axis is the channels is not plain")
    if np.prod(shape[1:], dtype=float) > LARGEST:
        raise CatalogError(
            f"{path} is of shape {shape}: {np.prod(shape[1:]) / 2**30:.0f} GiB are too much for one image"
        )
    return tuple(int(length) for length in shape)


def _check_length(file: IO[bytes], shape: tuple[int, ...], path: Path) -> None:
    """A ``.npy`` that is shorter than its header says is cut short."""
    if path.suffix.lower() == ".npy" and path.stat().st_size - file.tell() < np.prod(shape, dtype=float):
        raise CatalogError(f"{path} is cut short: it ends before its {shape[0]:,} images do; get it again")


def _columns(path: Path, n: int) -> dict[str, Any]:
    """The arrays of one value an image."""
    columns = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            if name == IMAGES or len(arrays.files) == 1:
                continue
            values = arrays[name]
            if values.shape == (n,) and values.dtype.kind in "biufU":
                columns[name] = values.astype(object) if values.dtype.kind == "U" else values
            elif are_ids(name):
                raise CatalogError(f"{path}: the array {name} is of shape {values.shape} for {n} images; mend the file")
    return columns


def _load(data: bytes, shape: tuple[int, ...], channels_first: bool) -> np.ndarray:
    if len(data) < np.prod(shape):
        raise ImageError("the file ends before this image does")
    pixels = np.frombuffer(data, np.uint8).reshape(shape)
    return pixels[..., None] if pixels.ndim == 2 else np.moveaxis(pixels, 0, 2) if channels_first else pixels
