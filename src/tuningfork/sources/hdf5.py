"""HDF5 files of images, as Galaxy10 is published: one data set of pixels, and one of each label.

Such files are chunked as h5py guesses, by (555, 16, 16, 1) for the shape of Galaxy10 DECaLS: to read one image is to
decompress as much as 555 hold. So whole rows of chunks are read, every chunk once.

Leung & Bovy 2019, MNRAS 483, 3255 (arXiv:1808.04428); the layout of the files: github.com/henrysky/Galaxy10.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs import find_id_column, id_text, refuse_duplicates
from tuningfork.catalogs.bounds import refuse_cells
from tuningfork.catalogs.ids import ID_NAMES, find_ids
from tuningfork.errors import CatalogError, ImageError
from tuningfork.extras import require
from tuningfork.images.geometry import SMALLEST
from tuningfork.images.item import Item
from tuningfork.schemas.schema import RESERVED
from tuningfork.sources.files import file_stamp
from tuningfork.sources.source import Introduction

log = logging.getLogger(__name__)

ENDINGS = (".h5", ".hdf5")
IMAGES = "images"
KNOWN = {*RESERVED, *ID_NAMES, "ans"}  # columns with a meaning of their own: a file where one doesn't fit is wrong
BLOCK = 16 << 20  # bytes read at once, where rows of chunks are smaller
LARGEST = 1 << 30  # bytes of a row of chunks; it has to be in memory


class Hdf5Source:
    """The data set `images` of an HDF5 file: uint8 (N, H, W, C), (N, C, H, W) or, of one channel, (N, H, W).

    The other data sets of N values are the columns of `table`, whose row i is image i. Without one of ids, the row
    numbers are the ids.

    Raises
    ------
    CatalogError
        If the file is no HDF5 or cut short, its pixels are not of this layout, or an id stands twice.
    """

    def __init__(self, path: Path, origin: str, id_column: str | None) -> None:
        self.path, self.origin = path, origin
        with _open(path) as file:
            sets = _sets(file, path)
            self.layout = _layout(sets, path)
            self.table = _table(sets, self.layout.n, path)
        if id_column is not None or find_ids(self.table):
            name = find_id_column(self.table, str(path), asked=id_column)
            self.table["id_str"] = id_text(self.table[name])
            self.introduction = Introduction(f"those of the data set {name}")
        else:
            self.table["id_str"] = pd.Series([str(row) for row in range(self.n)], dtype=object)
            self.introduction = Introduction("row numbers")
        refuse_duplicates(self.table["id_str"], str(path))

    @property
    def n(self) -> int:
        """The number of images."""
        return self.layout.n

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on; at most one row of chunks of them is in memory."""
        with _open(self.path) as file:
            for first, frames, errors in _blocks(file[IMAGES], self.layout, start):
                names = self.table[["id_str", "file_loc"]].iloc[first : first + len(frames)]
                for identity, location, frame, error in zip(*names.to_numpy().T, frames, errors, strict=True):
                    # A copy: the block's memory is used again while this image waits to be decoded.
                    pixels = None if error else np.moveaxis(frame, self.layout.channel_axis, 2).copy()
                    yield Item(identity, location, partial(_load, pixels, error))

    def part(self, start: int, stop: int) -> Hdf5Source:
        """The images from `start` to `stop`: refused, for chunks of HDF5 hold images of many parts."""
        raise CatalogError(f"{self.path}: HDF5 can't be shared between workers; pack it first (`tuningfork pack`)")

    def describe(self) -> dict[str, Any]:
        """The file, with its size and time of change."""
        stamps = {self.path.name: file_stamp(self.path)}
        return {"kind": "hdf5", "origin": self.origin, "n": self.n, "ids": self.introduction.ids, "files": stamps}

    def files(self) -> list[Path]:
        """The file."""
        return [self.path]


@dataclass(frozen=True)
class _Layout:
    """How the pixels are stored: how many images, the axis of a frame's channels, how many images to read at once."""

    n: int
    channel_axis: int
    rows: int


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """An HDF5 file; whatever goes wrong in reading it is a `CatalogError` that names it."""
    h5py = require("h5py", "hdf5")
    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, RuntimeError, KeyError, UnicodeError) as error:  # of damaged groups and names too
        raise CatalogError(f"{path} is not readable HDF5 ({error}); get it again") from error


def _sets(file: Any, path: Path) -> dict[str, Any]:
    """The data sets of a file by name, all of them in the file itself: HDF5 can refer to others in five ways."""
    h5py = require("h5py", "hdf5")
    sets = {}
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise CatalogError(f"{path}: {name!r} is a link, and links are not followed; store the data set itself")
        entry = file[name]
        if not isinstance(entry, h5py.Dataset):
            continue
        if entry.external or entry.is_virtual:
            raise CatalogError(
                f"{path}: the data of {name!r} lie in another file, which is not read; store them in this one"
            )
        sets[name] = entry
    return sets


def _layout(sets: Mapping[str, Any], path: Path) -> _Layout:
    if IMAGES not in sets:
        there = ", ".join(f"{name} {entry.shape}" for name, entry in sets.items()) or "none"
        raise CatalogError(f"{path} has no data set {IMAGES!r} of pixels; its data sets: {there}")
    images = sets[IMAGES]
    if images.dtype != np.uint8:
        raise CatalogError(
            f"{path}: the data set {IMAGES} holds {images.dtype}, whose black and white are not stated; save it as "
            "uint8, black 0 and white 255"
        )
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise CatalogError(
            f"{path}: the data set {IMAGES} is of shape {images.shape}; (images, height, width, channels) is needed"
        )
    refuse_cells(path, images.shape[0], 1)
    frame = int(np.prod(images.shape[1:]))
    chunk = images.chunks[0] if images.chunks else 1
    if chunk * frame > LARGEST:
        better = "x".join(map(str, (1, *images.shape[1:])))
        raise CatalogError(
            f"{path}: a row of chunks of the data set {IMAGES} takes {chunk * frame / 2**30:.1f} GiB of memory; "
            f"rewrite it with `h5repack -l {IMAGES}:CHUNK={better}`"
        )
    return _Layout(images.shape[0], _channel_axis(images.shape, path), chunk * max(1, BLOCK // (chunk * frame)))


def _channel_axis(shape: tuple[int, ...], path: Path) -> int:
    """The axis of a frame, 0 or 2, that is too short to be its height or width; 2 where a frame is (H, W)."""
    if len(shape) == 3:
        return 2
    first, last = shape[1] < SMALLEST, shape[3] < SMALLEST
    if first == last:
        raise CatalogError(
            f"{path}: the data set {IMAGES} is of shape {shape}; which axis is the channels is not plain: store it as "
            "(images, height, width, channels)"
        )
    return 0 if first else 2


def _table(sets: Mapping[str, Any], n: int, path: Path) -> pd.DataFrame:
    """The data sets of one value an image."""
    columns = {"file_loc": np.array([f"{path.name}#{row}" for row in range(n)], dtype=object)}
    for name, entry in sets.items():
        if entry.ndim != 1 or name == IMAGES:
            continue
        if len(entry) == n:
            values = _values(entry)
            columns |= {} if values is None else {name: values}
        elif name in KNOWN:
            raise CatalogError(f"{path}: the data set {name} has {len(entry)} values for {n} images; mend the file")
        else:
            log.warning("%s: left out the data set %s: %d values for %d images", path, name, len(entry), n)
    return pd.DataFrame(columns)


def _values(entry: Any) -> np.ndarray | None:
    """Numbers in this machine's byte order, or text with None for empty; None where it is neither."""
    if require("h5py", "hdf5").check_string_dtype(entry.dtype):
        return np.array([text or None for text in entry.asstr(errors="replace")[:]], dtype=object)
    return entry[:].astype(entry.dtype.newbyteorder("=")) if entry.dtype.kind in "biuf" else None


def _blocks(images: Any, layout: _Layout, start: int) -> Iterator[tuple[int, np.ndarray, list[str | None]]]:
    """Images from `start` on, as many as lie in whole rows of chunks: the first's number, (B, ...) pixels, errors.

    A block's memory is used again for the next. Chunks are read one by one, each into memory of its own shape: HDF5
    is several times slower where it has to scatter a chunk over frames itself.
    """
    frames = np.empty((layout.rows, *images.shape[1:]), dtype=np.uint8)
    frames = frames if images.ndim == 4 else frames[..., None]
    while start < layout.n:
        stop = min(layout.n, (start // layout.rows + 1) * layout.rows)
        errors: list[str | None] = [None] * (stop - start)
        whole = (slice(start, stop), *(slice(0, length) for length in images.shape[1:]))
        for part in images.iter_chunks(whole) if images.chunks else (whole,):
            rows = slice(part[0].start - start, part[0].stop - start)
            try:
                frames[(rows, *part[1:])] = images[part] if images.ndim == 4 else images[part][..., None]
            except OSError as error:  # a damaged chunk: the images that it is part of
                errors[rows] = [f"damaged HDF5 ({error})"] * (rows.stop - rows.start)
        yield start, frames[: stop - start], errors
        start = stop


def _load(pixels: np.ndarray | None, error: str | None) -> np.ndarray:
    if pixels is None:
        raise ImageError(str(error))
    return pixels
