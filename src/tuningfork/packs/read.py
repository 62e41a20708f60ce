"""Opening a pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.errors import PackError
from tuningfork.files import read_json
from tuningfork.images import Geometry
from tuningfork.schemas import Schema, schema_from_dict


@dataclass(frozen=True)
class Pack:
    """A pack: pixel row i belongs to catalog row i."""

    path: Path
    pixels: np.ndarray
    catalog: pd.DataFrame
    manifest: dict[str, Any]
    schemas: tuple[Schema, ...]
    geometry: Geometry

    def rows(self, split: str) -> np.ndarray:
        """The rows of a split, in order."""
        return np.flatnonzero((self.catalog["split"] == split).to_numpy())


def open_pack(path: str | Path) -> Pack:
    """Open a finished pack."""
    folder = Path(path)
    if not (folder / "pack.json").exists():
        raise PackError(f"{folder} holds no pack.json: it is no pack, or packing has not finished")
    manifest = read_json(folder / "pack.json", PackError)
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    catalog = pd.read_parquet(folder / "catalog.parquet")
    schemas = tuple(schema_from_dict(table, "pack.json") for table in manifest["schemas"])
    return Pack(folder, pixels, catalog, manifest, schemas, Geometry.from_dict(manifest["geometry"]))
