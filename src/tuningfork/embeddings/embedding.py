"""The embedding file: Parquet, a row for every image, its provenance in the file's own metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import Origin, write_parts
from tuningfork.errors import EmbeddingError
from tuningfork.schemas import Schema, schema_from_dict

FORMAT = "tuningfork-embedding"
VERSION = 1
_KEY = b"tuningfork"


@dataclass(frozen=True)
class Embedding:
    """An embedding of N images.

    Parameters
    ----------
    table
        N rows: `id_str`, `file_loc`, `split` and class names where they are known, `error` (null where the image was
        read), and for each map its `<name>_x` and `<name>_y`.
    features
        (N, F) float32, NaN where the image could not be read.
    manifest
        What made it: `inputs` (images, model), `geometry`, `seed`, `maps` and their settings, `schemas`.
    schemas
        The class lists whose labels the table has.
    """

    path: Path
    table: pd.DataFrame
    features: np.ndarray
    manifest: dict[str, Any]
    schemas: tuple[Schema, ...]

    @cached_property
    def readable(self) -> np.ndarray:
        """The rows whose image was read, in order."""
        return np.flatnonzero(self.table["error"].isna().to_numpy())

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of the maps it holds."""
        return tuple(self.manifest["maps"])

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of its readable galaxies: train, val and test in this order; empty where none are known."""
        if "split" not in self.table:
            return ()
        present = set(self.table["split"].iloc[self.readable].dropna())
        return tuple(split for split in ("train", "val", "test") if split in present)

    def positions(self, name: str) -> np.ndarray:
        """The positions (N, 2) on the map `name`, NaN where the image could not be read."""
        return self.table[[f"{name}_x", f"{name}_y"]].to_numpy(dtype=np.float64, na_value=np.nan)


def is_embedding(path: Path) -> bool:
    """Whether a file is an embedding, of whatever version."""
    try:
        return _manifest(path).get("format") == FORMAT
    except EmbeddingError:
        return False


def read_embedding(path: str | Path) -> Embedding:
    """Read an embedding written by `tuningfork embed`.

    Raises
    ------
    EmbeddingError
        If it is missing, no embedding, or of a version this software can't read.
    """
    file = Path(path)
    manifest = _manifest(file)
    if manifest.get("format") != FORMAT:
        raise EmbeddingError(f"{file} is no embedding; make one with `tuningfork embed`")
    if manifest.get("version") != VERSION:
        raise EmbeddingError(
            f"{file} has format version {manifest.get('version')}; this software reads {VERSION}: update it"
        )
    rows = pq.read_table(file)
    schemas = tuple(schema_from_dict(table, str(file)) for table in manifest["schemas"])
    return Embedding(
        file, rows.drop_columns(["features"]).to_pandas(), feature_array(rows["features"]), manifest, schemas
    )


def write_embedding(out: Path, schema: pa.Schema, rows: Iterable[pa.Table], manifest: dict[str, Any]) -> None:
    """Write tables of rows as one embedding, whole or not at all; `manifest` names the maps."""
    write_parts(schema, rows, out, Origin(manifest))


def feature_array(column: pa.ChunkedArray) -> np.ndarray:
    """A column of features as (N, F) float32, NaN in rows that are null."""
    features = np.full((len(column), column.type.list_size), np.nan, dtype=np.float32)
    start = 0
    for chunk in column.chunks:
        known = np.flatnonzero(chunk.is_valid().to_numpy(zero_copy_only=False))
        # `flatten` leaves the nulls out, whatever lies in their place.
        features[start + known] = chunk.flatten().to_numpy().reshape(-1, features.shape[1])
        start += len(chunk)
    return features


def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise EmbeddingError(f"no embedding at {path}; make it with `tuningfork embed`")
    try:
        text = (pq.read_schema(path).metadata or {}).get(_KEY, b"{}")
        manifest = json.loads(text)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise EmbeddingError(f"{path} can't be read as Parquet; an embedding is made by `tuningfork embed`") from error
    return manifest if isinstance(manifest, dict) else {}
