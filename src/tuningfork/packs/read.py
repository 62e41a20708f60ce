"""Opening a pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs import matching
from tuningfork.catalogs.parquet import read_stored
from tuningfork.errors import PackError, first_line
from tuningfork.images import Geometry, Reading
from tuningfork.manifests import PackManifest
from tuningfork.packs.pixels import sampled_hash
from tuningfork.schemas import Schema, schema_from_dict

SMALL = 64 << 20  # bytes of pixels that are all read when a pack is opened


@dataclass(frozen=True)
class Pack:
    """A finished pack. Made by `pack` or `open_pack`.

    Parameters
    ----------
    path : Path
        Its folder.
    pixels : ndarray
        (N, H, W, C) uint8, memory-mapped.
    catalog : DataFrame
        N rows, row i for image i: `id_str`, `split`, labels, and what the catalogue carried.
    manifest : dict
        What made it: inputs, counts, seed, hashes.
    schemas : tuple of Schema
        What its labels answer.
    geometry : Geometry
        The field, size in pixels and number of channels of its images.
    """

    path: Path
    pixels: np.ndarray
    catalog: pd.DataFrame
    manifest: dict[str, Any]
    schemas: tuple[Schema, ...]
    geometry: Geometry

    @property
    def reading(self) -> Reading:
        """How its images were read."""
        return Reading.from_dict(self.manifest["images"]) if self.manifest.get("images") else Reading()

    def rows(self, split: str, where: Sequence[str] = ()) -> np.ndarray:
        """The rows of a split, in order.

        Parameters
        ----------
        split : {'train', 'val', 'test', 'all'}
            Which galaxies.
        where : sequence of str
            Of these the rows whose catalog has these values, each written ``column=value``.

        Returns
        -------
        ndarray
            (M,) int64, positions in `pixels` and `catalog`.

        Raises
        ------
        PackError, CatalogError
            If there is no such split, or no such column.
        """
        if split not in ("train", "val", "test", "all"):
            raise PackError(f"no split {split!r}; use train, val, test or all")
        chosen = np.full(len(self.catalog), split == "all")
        if split != "all" and "split" in self.catalog:
            chosen = (self.catalog["split"] == split).to_numpy()
        return np.flatnonzero(chosen & matching(self.catalog, where, str(self.path)))

    def __repr__(self) -> str:
        n, size, _, channels = self.pixels.shape
        splits = ", ".join(f"{name} {count:,}" for name, count in self.manifest.get("splits", {}).items())
        labels = ", ".join(schema.name for schema in self.schemas)
        return (
            f"Pack: {n:,} images of {size} x {size} pixels, {channels} channel(s); splits: {splits or 'none'}; "
            f"labels: {labels or 'none'}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.catalog.head(5).to_html(index=False)}"


def open_pack(path: str | Path, *, verify: bool = False) -> Pack:
    """Open a finished pack.

    Parameters
    ----------
    path : str or path
        Its folder.
    verify : bool
        Read all pixels to see that they are those that were written. Else that is done of packs of up to 64 MiB, and
        of larger ones at 64 places.

    Returns
    -------
    Pack

    Raises
    ------
    PackError
        If there is none, packing has not finished, or its files are not those the manifest speaks of.

    Examples
    --------
    >>> import numpy as np, pandas as pd, tuningfork as tf
    >>> labels = pd.DataFrame({"id_str": [str(row) for row in range(10)], "kind": ["disc", "smooth"] * 5})
    >>> images = np.tile(np.arange(40, dtype=np.uint8), (10, 40, 1))
    >>> made = tf.pack(images, "pack", labels=labels, label="kind", size=32)
    >>> len(tf.open_pack("pack").rows("all"))
    10
    """
    return opened(Path(path), verify=verify)


def opened(folder: Path, catalog: pd.DataFrame | None = None, *, verify: bool = False) -> Pack:
    """As `open_pack`; the catalog of a pack that was made just now is at hand, and reading takes twice its memory."""
    checked = PackManifest.read(folder)
    checked.check(folder, ["catalog.parquet"])
    _check_pixels(folder, checked, verify=verify)
    manifest = checked.content
    try:
        geometry = Geometry.from_dict(manifest["geometry"])
        pixels = np.load(checked.file(folder, "pixels.npy"), mmap_mode="r")
        if catalog is None:
            catalog = read_stored(folder / "catalog.parquet", PackError, "pack again").to_pandas()
    except (OSError, EOFError, ValueError, KeyError, TypeError, TokenError) as error:
        raise PackError(f"{folder} is not whole ({first_line(error)}); pack again") from error
    shape = (manifest["n"], geometry.size, geometry.size, geometry.channels)
    if pixels.shape != shape or pixels.dtype != np.uint8 or len(catalog) != manifest["n"]:
        raise PackError(
            f"{folder} holds {pixels.shape} pixels and {len(catalog)} rows, its manifest says {shape}; pack again"
        )
    schemas = tuple(schema_from_dict(table, str(folder / "pack.json")) for table in manifest["schemas"])
    return Pack(folder, pixels, catalog, manifest, schemas, geometry)


def _check_pixels(folder: Path, manifest: PackManifest, *, verify: bool) -> None:
    """See that the pixels are those that were written; packs of earlier versions hold no hash of some of them."""
    path = manifest.file(folder, "pixels.npy")
    if verify or path.stat().st_size <= SMALL:
        manifest.check(folder, ["pixels.npy"])
    elif manifest.sampled not in (None, sampled_hash(path)):
        raise PackError(f"{path} is not the file its manifest speaks of (altered or half copied); pack again")
