"""Images in tar shards (WebDataset) and zip files, read where they lie: nothing is ever unpacked to the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.catalogs import find_id_column, id_text, refuse_duplicates
from tuningfork.catalogs.ids import find_ids
from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.frame import BandFiles
from tuningfork.images.item import Item, Payload
from tuningfork.sources import tar, zips
from tuningfork.sources.files import file_stamp
from tuningfork.sources.gather import Galaxies, count, gather
from tuningfork.sources.layout import folder_columns, split_of_shard
from tuningfork.sources.members import Index
from tuningfork.sources.names import ids_of_names
from tuningfork.sources.source import Introduction

ENDINGS = (*tar.ENDINGS, *zips.ENDINGS)
MISSING = -1  # where a member is that is not there
Member = tuple[str, Path, int, int]  # its band, if there are several; its archive; where it is in that; its bytes


class ArchiveSource:
    """The images of archives, one after another, in the order in which they lie; row i of `table` is item i.

    Members of the same name with another ending are columns, as WebDataset has them: the keys of a ``.json``, the text
    of a ``.cls`` or ``.txt``. Without a column of ids, the names of the members are the ids.

    Raises
    ------
    CatalogError
        If an archive is damaged or cut short, holds no images, or an id stands twice.
    """

    def __init__(self, archives: Sequence[Path], origin: str, id_column: str | None) -> None:
        self.archives, self.origin = list(archives), origin
        indexes = {path: (zips if _is_zip(path) else tar).index(path) for path in archives}
        galaxies = gather([f"{path}/{name}" for path, index in indexes.items() for name in index.names])
        if not galaxies.files:
            raise CatalogError(f"{origin} holds no images")
        names, files, self.members = _in_their_order(galaxies, indexes)
        if any(len(members) > 1 and _is_compressed(members[0][1]) for members in self.members):
            raise CatalogError(
                f"{origin}: a galaxy has several files; unpack it, for a compressed tar is read but once"
            )
        self.table, self.introduction = _table(names, files, self.members, indexes, origin, id_column)
        passed = sum((index.passed for index in indexes.values()), Counter[str]())
        self.introduction = Introduction(
            self.introduction.ids,
            (*galaxies.notes, *self.introduction.notes),
            (*galaxies.left_out, *(count(number, kind) for kind, number in passed.items())),
        )

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on; a compressed tar is read from its beginning."""
        names = zip(self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:], strict=True)
        for (identity, location), load in zip(names, self._loads(start), strict=True):
            yield Item(identity, location, load)

    def _loads(self, start: int) -> Iterator[Callable[[], Payload]]:
        at = start
        while at < len(self.members):
            path = self.members[at][0][1]
            if not _is_compressed(path):
                yield partial(_read, self.members[at])
                at += 1
                continue
            end = next((i for i in range(at, self.n) if self.members[i][0][1] != path), self.n)
            for data in tar.stream(path, (members[0][2] for members in self.members[at:end])):
                yield partial(_held, data)
            at = end

    def part(self, start: int, stop: int) -> ArchiveSource:
        """The images from `start` to `stop`; refused of compressed tar files, which are read from the beginning."""
        packed = next((path for path in self.archives if _is_compressed(path)), None)
        if packed:
            raise CatalogError(
                f"{packed}: a compressed tar can't be shared between workers; unpack it, or pack it first"
            )
        part = copy(self)
        part.table = self.table.iloc[start:stop][["id_str", "file_loc"]]
        part.members = [
            tuple((band, path.absolute(), position, size) for band, path, position, size in members)
            for members in self.members[start:stop]
        ]
        return part

    def describe(self) -> dict[str, Any]:
        """The archives, each with its size and time of change."""
        stamps = {path.name: file_stamp(path) for path in self.archives}
        return {"kind": "archives", "origin": self.origin, "n": self.n, "ids": self.introduction.ids, "files": stamps}

    def files(self) -> list[Path]:
        """The archives."""
        return self.archives


def _in_their_order(
    galaxies: Galaxies, indexes: dict[Path, Index]
) -> tuple[list[str], list[str], list[tuple[Member, ...]]]:
    """Galaxies' names, files and members, sorted as they lie in the archives, so that they are read in a row."""
    places = {
        f"{path}/{name}": (order, path, position, size)
        for order, (path, index) in enumerate(indexes.items())
        for name, position, size in zip(index.names, index.positions, index.sizes, strict=True)
    }
    rows = []
    for name, file, bands in zip(galaxies.names, galaxies.files, galaxies.bands, strict=True):
        found = {band: places[each] for band, each in bands or (("", file),) if each in places}
        order, path, position, _ = next(iter(found.values()))
        each = tuple((band, *found.get(band, (order, path, MISSING, 0))[1:]) for band, _ in bands or (("", file),))
        rows.append((order, position, name, file, each))
    rows.sort(key=lambda row: row[:2])
    return [row[2] for row in rows], [row[3] for row in rows], [row[4] for row in rows]


def _table(
    names: Sequence[str],
    files: Sequence[str],
    members: Sequence[tuple[Member, ...]],
    indexes: dict[Path, Index],
    origin: str,
    id_column: str | None,
) -> tuple[pd.DataFrame, Introduction]:
    inside = [name[len(str(row[0][1])) + 1 :] for name, row in zip(names, members, strict=True)]
    rows = [indexes[row[0][1]].told_of(name) for name, row in zip(inside, members, strict=True)]
    table = pd.DataFrame(
        {key: _column([row.get(key) for row in rows]) for key in dict.fromkeys(k for r in rows for k in r)}
    )
    table = table if len(table) else pd.DataFrame(index=range(len(rows)))
    columns, notes = folder_columns([name.rpartition("/")[0] for name in inside])
    splits = [split_of_shard(row[0][1].name) for row in members]
    columns |= {"split": [str(split) for split in splits]} if all(splits) else {}
    table = table.assign(**{name: values for name, values in columns.items() if name not in table})
    if id_column is not None or find_ids(table):
        column = find_id_column(table, origin, asked=id_column)
        ids, said = id_text(table[column]), f"those of the key {column}"
    else:
        ids, said = pd.Series(ids_of_names(names), dtype=object), "the names in the archive"
    refuse_duplicates(ids, origin)
    locations = [
        f"{row[0][1].name}#{file[len(str(row[0][1])) + 1 :]}" for file, row in zip(files, members, strict=True)
    ]
    return table.assign(id_str=ids, file_loc=pd.Series(locations, dtype=object)), Introduction(said, notes)


def _column(values: list[Any]) -> pd.Series:
    """Values as a column; whole numbers stay whole where some are missing."""
    whole = all(value is None or (isinstance(value, int) and not isinstance(value, bool)) for value in values)
    return pd.Series(values, dtype="Int64" if whole and None in values else None)


def _read(members: Sequence[Member]) -> Payload:
    missing = [band for band, _, at, _ in members if at == MISSING]
    if missing:
        raise ImageError(f"there is no file of band {', '.join(missing)}")
    read = [(band, (zips if _is_zip(path) else tar).read(path, at, size)) for band, path, at, size in members]
    return BandFiles(tuple(read)) if len(read) > 1 else read[0][1]


def _held(data: bytes | None) -> bytes:
    if data is None:
        raise ImageError("too large for one image")
    return data


def _is_zip(path: Path) -> bool:
    return path.name.lower().endswith(zips.ENDINGS)


def _is_compressed(path: Path) -> bool:
    return path.name.lower().endswith(tar.COMPRESSED)
