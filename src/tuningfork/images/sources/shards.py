"""Images embedded in Parquet: the Hugging Face `image` struct {bytes, path}."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import find_id_column, id_text, read_table, refuse_duplicates
from tuningfork.catalogs.ids import find_ids
from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.item import Item, read_bytes
from tuningfork.images.sources.files import file_stamp
from tuningfork.images.sources.names import ids_of_names
from tuningfork.images.sources.source import Told

BATCH = 64  # images held at once
SHARD = re.compile(r"(?P<split>[A-Za-z]+)(-\d+-of-\d+)?")
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class ShardSource:
    """Parquet shards, one after another; row i of `table` (every column except the pixels) is item i.

    Where a shard is named as Hugging Face names them (``train-00000-of-00004.parquet``) and has no `split` column, the
    name gives the split. Without a column of ids, the stored file names are the ids, else the row numbers.
    """

    def __init__(self, shards: Sequence[Path], origin: str, id_column: str | None) -> None:
        self.shards, self.origin = list(shards), origin
        self.rows = [pq.read_metadata(shard).num_rows for shard in shards]
        if sum(self.rows) == 0:
            raise CatalogError(f"{origin} has no rows")
        tables = [_read_shard(shard, id_column) for shard, rows in zip(self.shards, self.rows, strict=True) if rows]
        self.table, ids = _identified(pd.concat(tables, ignore_index=True), origin, id_column)
        self.told = Told(ids)
        self.first = 0  # the row of the shards that row 0 of the table is

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on, streamed: at most `BATCH` of them are in memory."""
        names = zip(self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:], strict=True)
        # The names end where the part does; the images may go on.
        for (identity, location), (image, folder) in zip(names, self._images(self.first + start), strict=False):
            yield Item(identity, location, partial(_load, image, folder))

    def _images(self, start: int) -> Iterator[tuple[dict[str, Any] | None, Path]]:
        """The images from row `start` of the shards on, each with the folder of its shard."""
        before = 0
        for shard, rows in zip(self.shards, self.rows, strict=True):
            if start < before + rows:
                for image in _images(shard, max(0, start - before)):
                    yield image, shard.parent
            before += rows

    def part(self, start: int, stop: int) -> ShardSource:
        """The images from `start` to `stop`."""
        part, first = copy(self), self.first + start
        ends = list(accumulate(self.rows))
        begin, end = bisect_right(ends, first), bisect_left(ends, self.first + stop) + 1
        part.shards, part.rows = [shard.absolute() for shard in self.shards[begin:end]], self.rows[begin:end]
        part.first = first - (ends[begin - 1] if begin else 0)
        part.table = self.table[["id_str", "file_loc"]].iloc[start:stop]
        return part

    def describe(self) -> dict[str, Any]:
        """The shards, each with its size and time of change."""
        stamps = {shard.name: file_stamp(shard) for shard in self.shards}
        return {"kind": "parquet", "origin": self.origin, "n": self.n, "ids": self.told.ids, "files": stamps}

    def files(self) -> list[Path]:
        """The shards."""
        return self.shards


@contextmanager
def _open(shard: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file; whatever goes wrong in reading it is a `CatalogError` that names it."""
    try:
        # Buffered reading keeps memory small however large the row groups are.
        with pq.ParquetFile(shard, pre_buffer=False, buffer_size=1 << 20) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise CatalogError(f"{shard} is not readable Parquet ({str(error).splitlines()[0]}); get it again") from error


def is_embedded(shard: Path) -> bool:
    """Whether a Parquet file has the column `image`.

    Raises
    ------
    CatalogError
        If it can't be read, or that column is not a struct of bytes and path.
    """
    with _open(shard) as file:
        names = file.schema_arrow.names
        kind = file.schema_arrow.field("image").type if "image" in names else None
    if kind is not None and not (pa.types.is_struct(kind) and {field.name for field in kind} >= {"bytes", "path"}):
        raise CatalogError(f"{shard}: the column image is {kind}; a struct of bytes and path is needed")
    return kind is not None


def _read_shard(shard: Path, id_column: str | None) -> pd.DataFrame:
    """Every column except the pixels. `file_loc` is shard and row unless there is one; `_path` the stored path."""
    table = read_table(shard, ids=[id_column] if id_column else [])
    with _open(shard) as file:
        paths = file.read(columns=["image.path"]).column("image").combine_chunks().field("path").to_pylist()
    match = SHARD.fullmatch(shard.stem)
    if "split" not in table and match and match["split"] in SPLIT_NAMES:
        table["split"] = SPLIT_NAMES[match["split"]]
    if "file_loc" not in table:
        table["file_loc"] = [f"{shard.name}#{row}" for row in range(len(table))]
    return table.assign(_path=paths)


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


def _images(shard: Path, skip: int) -> Iterator[dict[str, Any] | None]:
    """The image structs of a shard from row `skip` on; row groups before it are not read."""
    with _open(shard) as file:
        groups = list(range(file.num_row_groups))
        while groups and skip >= (rows := file.metadata.row_group(groups[0]).num_rows):
            skip -= rows
            groups.pop(0)
        for batch in file.iter_batches(BATCH, row_groups=groups, columns=["image"]) if groups else ():
            images = batch.column(0)
            yield from images.slice(min(skip, len(images))).to_pylist()
            skip = max(0, skip - len(images))


def _load(image: dict[str, Any] | None, folder: Path) -> bytes:
    if image and image["bytes"]:
        return bytes(image["bytes"])
    if image and image["path"]:
        return read_bytes(folder / image["path"])
    raise ImageError("the image column is empty in this row")
