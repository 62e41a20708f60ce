"""Images that are files of their own, named by a table; or several files a galaxy, one a band."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.errors import ImageError
from tuningfork.images.frame import BandFiles
from tuningfork.images.item import Item
from tuningfork.sources import location as place
from tuningfork.sources.source import Introduction

Bands = tuple[tuple[str, str], ...]  # the file of each band; none where a galaxy is one file


@dataclass
class FileSource:
    """Image files; row i of `table` (`id_str`, `file_loc` and a catalog's other columns) is item i.

    Parameters
    ----------
    bands
        For each row the files of its bands, where galaxies have several; else empty.
    bases
        The folders that a relative file may be relative to, the likeliest first.
    tables
        The tables that ids and columns come from.
    notes
        What to say of each row; none where there is nothing to say of any.
    """

    table: pd.DataFrame
    origin: str
    introduction: Introduction
    bands: Sequence[Bands] = ()
    bases: tuple[str, ...] = ("",)
    tables: tuple[Path, ...] = ()
    notes: Sequence[str] = ()

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on."""
        ids, locations = self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:]
        bands = self.bands[start:] if self.bands else [()] * len(ids)
        notes = self.notes[start:] if len(self.notes) else [""] * len(ids)
        for identity, location, files, note in zip(ids, map(str, locations), bands, notes, strict=True):
            if files:
                named = [(band, *self._file(file)) for band, file in files]
                units = {unit for _, _, unit in named}
                plain = tuple((band, file) for band, file, _ in named)
                yield Item(identity, location, partial(_read_bands, plain, self.bases, units), "".join(units), note)
            elif not location:
                yield Item(identity, "", _unnamed)
            else:
                file, unit = self._file(location)
                yield Item(identity, location, partial(place.read, file, self.bases), unit, note)

    def part(self, start: int, stop: int) -> FileSource:
        """The images from `start` to `stop`."""
        table = self.table.iloc[start:stop][["id_str", "file_loc"]]
        bases = tuple(os.path.abspath(base) for base in self.bases)  # noqa: PTH100
        bands, notes = self.bands[start:stop], self.notes[start:stop]
        return replace(self, table=table, bands=bands, bases=bases, notes=notes)

    def describe(self) -> dict[str, Any]:
        """Where the files are, how many, and a fingerprint of each one's name, size and time of change."""
        digest = hashlib.sha256()
        for identity, location, files in zip(
            self.table["id_str"], self.table["file_loc"], self.bands or [()] * self.n, strict=True
        ):
            named = [(band, self._file(file)[0]) for band, file in files or (("", str(location)),)]
            stamps = [(band, file_stamp(place.find(file, self.bases)) if file else "") for band, file in named]
            digest.update(f"{identity}\0{location}\0{stamps}\n".encode(errors="surrogateescape"))
        return {"kind": "files", "origin": self.origin, "n": self.n, "fingerprint": digest.hexdigest()}

    def files(self) -> Iterator[Path]:
        """The files of the images, and the tables they are named in."""
        yield from self.tables
        for location, files in zip(self.table["file_loc"], self.bands or [()] * self.n, strict=True):
            for _, file in files or (("", str(location)),):
                if file:
                    yield Path(place.find(self._file(file)[0], self.bases))

    def _file(self, location: str) -> tuple[str, str]:
        """A file and its unit, where its name has brackets; brackets may belong to the name of a file, too."""
        if not location.endswith("]") or os.path.exists(place.find(location, self.bases)):  # noqa: PTH110
            return location, ""
        return place.split_unit(location)


def braced(files: Sequence[str]) -> str:
    """Several names as one, as a shell would write them: ``NGC1_{g,r,z}.fits``."""
    files = [name for name in files if name]
    if len(files) < 2:
        return files[0] if files else ""
    start = _alike(files)
    end = _alike([name[start:][::-1] for name in files])
    middles = [name[start : len(name) - end] for name in files]
    return f"{files[0][:start]}{{{','.join(middles)}}}{files[0][len(files[0]) - end :]}"


def _alike(texts: Sequence[str]) -> int:
    """With how many characters all begin."""
    first, last = min(texts), max(texts)
    return next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))


def in_unit(source: FileSource, unit: str) -> FileSource:
    """The same galaxies, each in the unit of that name or number of its FITS file."""
    table = source.table.assign(file_loc=[f"{name}[{unit}]" for name in source.table["file_loc"]])
    bands = [tuple((band, f"{name}[{unit}]") for band, name in files) for files in source.bands]
    return replace(source, table=table, bands=bands)


def _read_bands(files: Bands, bases: Sequence[str], units: set[str]) -> BandFiles:
    if len(units) > 1:
        raise ImageError(f"its bands are in units {', '.join(sorted(units))}; one unit is needed for all")
    read = []
    for band, file in files:
        if not file:
            raise ImageError(f"the catalog names no file of band {band}")
        try:
            read.append((band, place.read(file, bases)))
        except ImageError as error:
            raise ImageError(f"band {band}, {file}: {error}") from error
    return BandFiles(tuple(read))


def _unnamed() -> bytes:
    raise ImageError("the catalog names no file: its file_loc is empty")


def file_stamp(path: str | Path) -> str:
    """Size and time of change of a file: enough to tell whether it is still the same, at no cost of reading it."""
    try:
        status = os.stat(path)  # noqa: PTH116 -- a million of them
    except (OSError, ValueError):  # a name that can't be one
        return "missing"
    return f"{status.st_size} bytes, changed {status.st_mtime_ns}"
