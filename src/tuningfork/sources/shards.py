"""Images embedded in tables of several files: Parquet, or what Hugging Face's `save_to_disk` writes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.catalogs import find_id_column, id_text, refuse_duplicates
from tuningfork.catalogs.ids import find_ids
from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.item import Item, read_bytes
from tuningfork.sources.arrow import ArrowShard
from tuningfork.sources.files import file_stamp
from tuningfork.sources.names import ids_of_names
from tuningfork.sources.parquet import ParquetShard
from tuningfork.sources.source import Introduction

Shard = ParquetShard | ArrowShard


class ShardSource:
    """Shards, one after another; row i of `table` (every column except the pixels) is item i.

    Where a shard is named as Hugging Face names them (``train-00000-of-00004.parquet``) and has no `split` column, the
    name gives the split. Without a column of ids, the stored file names are the ids, else the row numbers.
    """

    def __init__(self, shards: Sequence[Shard], origin: str, id_column: str | None) -> None:
        self.shards, self.origin = list(shards), origin
        self.rows = [shard.n() for shard in shards]
        if sum(self.rows) == 0:
            raise CatalogError(f"{origin} has no rows")
        tables = [_table(shard, id_column) for shard, rows in zip(self.shards, self.rows, strict=True) if rows]
        self.table, ids = _identified(pd.concat(tables, ignore_index=True), origin, id_column)
        self.introduction = Introduction(ids)
        self.first = 0  # the row of the shards that row 0 of the table is

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on, streamed: a few of them are in memory."""
        names = zip(self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:], strict=True)
        # The names end where the part does; the images may go on.
        for (identity, location), (image, folder) in zip(names, self._images(self.first + start), strict=False):
            yield Item(identity, location, partial(_load, image, folder))

    def _images(self, start: int) -> Iterator[tuple[dict[str, Any] | None, Path]]:
        """The images from row `start` of the shards on, each with the folder of its shard."""
        before = 0
        for shard, rows in zip(self.shards, self.rows, strict=True):
            if start < before + rows:
                for image in shard.images(max(0, start - before)):
                    yield image, shard.path.parent
            before += rows

    def part(self, start: int, stop: int) -> ShardSource:
        """The images from `start` to `stop`."""
        part, first = copy(self), self.first + start
        ends = list(accumulate(self.rows))
        begin, end = bisect_right(ends, first), bisect_left(ends, self.first + stop) + 1
        part.shards, part.rows = (
            [replace(shard, path=shard.path.absolute()) for shard in self.shards[begin:end]],
            self.rows[begin:end],
        )
        part.first = first - (ends[begin - 1] if begin else 0)
        part.table = self.table.iloc[start:stop][["id_str", "file_loc"]]
        return part

    def describe(self) -> dict[str, Any]:
        """The shards, each with its size and time of change."""
        stamps = {str(shard.path): file_stamp(shard.path) for shard in self.shards}
        return {"kind": "parquet", "origin": self.origin, "n": self.n, "ids": self.introduction.ids, "files": stamps}

    def files(self) -> list[Path]:
        """The shards."""
        return [shard.path for shard in self.shards]


def _table(shard: Shard, id_column: str | None) -> pd.DataFrame:
    """The columns of a shard; `file_loc` is shard and row unless there is one, `_path` the stored name."""
    table, paths = shard.table(id_column)
    if "file_loc" not in table:
        table["file_loc"] = [f"{shard.path.name}#{row}" for row in range(len(table))]
    return table.assign(_path=pd.Series(paths, dtype=object))


def _identified(table: pd.DataFrame, origin: str, id_column: str | None) -> tuple[pd.DataFrame, str]:
    """The table with its ids, and where they come from."""
    paths = list(table.pop("_path"))
    if id_column is not None or find_ids(table):
        name = find_id_column(table, origin, asked=id_column)
        ids, said = id_text(table[name]), f"those of the column {name}"
    else:
        named = ids_of_names(paths) if all(isinstance(path, str) and path for path in paths) else []
        usable = bool(named) and len(set(named)) == len(named)
        ids = pd.Series(named if usable else [str(row) for row in range(len(table))], dtype=object)
        said = "stored names" if usable else "row numbers"
    table["id_str"] = ids
    refuse_duplicates(table["id_str"], origin)
    return table, said


def _load(image: dict[str, Any] | None, folder: Path) -> bytes:
    if image and image["bytes"]:
        return bytes(image["bytes"])
    if image and image["path"]:
        return read_bytes(folder / image["path"])
    raise ImageError("the image column is empty in this row")
