"""One Parquet file with images in it: the Hugging Face `image` struct {bytes, path}."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import read_table
from tuningfork.catalogs.inflated import largest_page
from tuningfork.catalogs.parquet import read_columns
from tuningfork.errors import CatalogError, first_line
from tuningfork.sources.layout import SPLITS

BATCH = 64  # images held at once
HELD = 1 << 27  # bytes of them, where a file repeats one image
_NAME = re.compile(r"([A-Za-z]+)(?:-\d+-of-\d+)?")


@dataclass(frozen=True)
class ParquetShard:
    """A Parquet file with a column `image`."""

    path: Path

    def n(self) -> int:
        """The number of its rows."""
        return int(pq.read_metadata(self.path).num_rows)

    def table(self, id_column: str | None) -> tuple[pd.DataFrame, list[str | None]]:
        """Every column except the pixels, and the stored names of the images."""
        table = read_table(self.path, ids=[id_column] if id_column else [])
        with _errors(self.path), self.path.open("rb") as source:
            read = read_columns(source, ["image.path"], self.path)
        paths = read.column("image").combine_chunks().field("path").to_pylist()
        named = _NAME.fullmatch(self.path.stem)
        split = SPLITS.get(named[1].lower()) if named else None
        return table.assign(split=split) if split and "split" not in table else table, paths

    def images(self, skip: int) -> Iterator[dict[str, Any] | None]:
        """The image structs from row `skip` on; row groups before it are not read."""
        with _open(self.path) as file:
            groups = list(range(file.num_row_groups))
            while groups and skip >= (rows := file.metadata.row_group(groups[0]).num_rows):
                skip -= rows
                groups.pop(0)
            at_once = _at_once(self.path)
            for batch in file.iter_batches(at_once, row_groups=groups, columns=["image"]) if groups else ():
                images = batch.column(0)
                yield from images.slice(min(skip, len(images))).to_pylist()
                skip = max(0, skip - len(images))


def is_embedded(path: Path) -> bool:
    """Whether a Parquet file has the column `image`.

    Raises
    ------
    CatalogError
        If it can't be read, or that column is not a struct of bytes and path.
    """
    with _open(path) as file:
        names = file.schema_arrow.names
        kind = file.schema_arrow.field("image").type if "image" in names else None
    if kind is not None and not is_image_type(kind):
        raise CatalogError(f"{path}: the column image is {kind}; a struct of bytes and path is needed")
    if kind is not None:
        _at_once(path)
    return kind is not None


def _at_once(path: Path) -> int:
    """How many images of a file are held at once; one whose images unpack to far more than it is, is refused."""
    with _errors(path), path.open("rb") as source:
        return max(1, min(BATCH, HELD // max(1, largest_page(source, "image.bytes", path))))


def is_image_type(kind: pa.DataType) -> bool:
    """Whether a column is of images, as Hugging Face has them."""
    return pa.types.is_struct(kind) and {field.name for field in kind} >= {"bytes", "path"}


@contextmanager
def _open(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file; whatever goes wrong in reading it is a `CatalogError` that names it."""
    # Buffered reading keeps memory small however large the row groups are.
    with _errors(path), pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        yield file


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise CatalogError(f"{path} is not readable Parquet ({first_line(error)}); get it again") from error
