"""What Hugging Face's `save_to_disk` writes: Arrow files, a list of them, and what their columns are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tuningfork.catalogs.parquet import to_frame
from tuningfork.errors import CatalogError, first_line
from tuningfork.files import read_json
from tuningfork.sources.layout import SPLITS
from tuningfork.sources.parquet import BATCH, is_image_type

STATE, INFO, SPLIT_LIST = "state.json", "dataset_info.json", "dataset_dict.json"


@dataclass(frozen=True)
class ArrowShard:
    """An Arrow file of a saved data set, with the split it is of, where there are several."""

    path: Path
    split: str | None = None

    def n(self) -> int:
        """The number of its rows."""
        with _batches(self.path) as batches:
            return sum(batch.num_rows for batch in batches)

    def table(self, id_column: str | None) -> tuple[pd.DataFrame, list[str | None]]:
        """Every column except the pixels, codes of classes as their names, and the stored names of the images."""
        with _batches(self.path) as batches:
            parts, paths = [], []
            for batch in batches:
                paths += batch.column(_image_column(batch.schema, self.path)).field("path").to_pylist()
                plain = [field.name for field in batch.schema if not is_image_type(field.type)]
                parts.append(pa.table(batch.select(plain)) if plain else pa.table({"": pa.nulls(batch.num_rows)}))
            whole = pa.concat_tables(parts).replace_schema_metadata(self._metadata())
        table = to_frame(whole, [id_column] if id_column else []).drop(columns="", errors="ignore")
        return table.assign(split=self.split) if self.split and "split" not in table else table, paths

    def images(self, skip: int) -> Iterator[dict[str, Any] | None]:
        """The image structs from row `skip` on."""
        with _batches(self.path) as batches:
            for batch in batches:
                images = batch.column(_image_column(batch.schema, self.path))
                for start in range(min(skip, len(images)), len(images), BATCH):
                    yield from images.slice(start, BATCH).to_pylist()
                skip = max(0, skip - len(images))

    def _metadata(self) -> dict[bytes, bytes]:
        """What the columns are, as Hugging Face keeps it in Parquet."""
        features = read_json(self.path.parent / INFO, CatalogError).get("features") or {}
        return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (folder / SPLIT_LIST).is_file() or ((folder / STATE).is_file() and (folder / INFO).is_file())


def saved_shards(folder: Path) -> list[ArrowShard]:
    """The Arrow files of a data set, or of all splits of one.

    Raises
    ------
    CatalogError
        If its lists are damaged, or a file is missing.
    """
    if not (folder / SPLIT_LIST).is_file():
        return _shards(folder, None)
    names = read_json(folder / SPLIT_LIST, CatalogError).get("splits", [])
    known = all(str(name).lower() in SPLITS for name in names)
    return [shard for name in names for shard in _shards(folder / name, SPLITS[name.lower()] if known else None)]


def _shards(folder: Path, split: str | None) -> list[ArrowShard]:
    try:
        files = [folder / entry["filename"] for entry in read_json(folder / STATE, CatalogError)["_data_files"]]
    except (KeyError, TypeError) as error:
        raise CatalogError(f"{folder / STATE} does not list the files of a data set; save it again") from error
    missing = next((file for file in files if not file.is_file() or file.parent != folder), None)
    if missing:
        raise CatalogError(f"{missing} is missing, which {folder / STATE} lists; save the data set again")
    return [ArrowShard(file, split) for file in files]


def _image_column(schema: pa.Schema, path: Path) -> int:
    """The column of images: `image`, or else the only one that is a struct of bytes and path."""
    columns = [place for place, field in enumerate(schema) if is_image_type(field.type)]
    named = [place for place in columns if schema.names[place] == "image"] or columns
    if len(named) != 1:
        raise CatalogError(f"{path} has no column image of images (bytes and path); it has {', '.join(schema.names)}")
    return named[0]


@contextmanager
def _batches(path: Path) -> Iterator[Iterator[pa.RecordBatch]]:
    """The record batches of an Arrow file, mapped and not read into memory."""
    try:
        with pa.memory_map(str(path)) as file:
            try:
                yield iter(pa.ipc.open_stream(file))
            except pa.ArrowInvalid as error:
                raise CatalogError(f"{path} is not readable Arrow ({first_line(error)}); get it again") from error
    except OSError as error:
        raise CatalogError(f"{path} can't be read ({error}); get it again") from error
