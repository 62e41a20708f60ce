"""Images brought to a geometry: those of any source, or the rows of a pack."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Generator
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from tuningfork.errors import CatalogError, PackError
from tuningfork.images import Decoded, Geometry, Reading, decode_stream
from tuningfork.jobs import fingerprint
from tuningfork.packs.read import Pack, open_pack
from tuningfork.packs.resized import Resized, resized
from tuningfork.sources import ImageOptions, Images, decoding_threads, introduce, open_source, refuse_output

log = logging.getLogger(__name__)


def open_images(
    images: Images | Pack,
    geometry: Geometry,
    workers: int | None = None,
    options: ImageOptions | None = None,
    trained: Reading | None = None,
) -> ImageSource | PackSource:
    """What `images.open_source` opens, or a pack, for a model of that geometry; `workers` threads decode.

    `options` is what the user says of images that are not in a pack; `trained` is how those that the model was trained
    on were read, which holds where neither the user nor the images say otherwise.

    Raises
    ------
    CatalogError
        If there is nothing there.
    PackError
        If it is a pack that can't be opened or is not of the model's geometry.
    """
    if isinstance(images, Pack) or (isinstance(images, str | os.PathLike) and (Path(images) / "pack.json").exists()):
        pack = images if isinstance(images, Pack) else open_pack(Path(images))
        packed = PackSource(pack, geometry, located=trained is not None and trained.located)
        log.info("%s images in the pack %s; ids are those of its catalog", f"{packed.n:,}", packed.pack.path)
        return packed
    options = options or ImageOptions()
    reading = options.reading.like(trained or Reading())
    source = ImageSource(images, geometry, workers, replace(options, reading=reading))
    log.info("%s", introduce(source.source))
    return source


class ImageSource:
    """Images of any source, decoded in threads."""

    def __init__(self, images: Images, geometry: Geometry, workers: int | None, options: ImageOptions) -> None:
        self.source = open_source(images, options)
        self.options, self.reading = options, options.reading
        self.reading.check(self.source.table, self.source.origin)
        self.rows = self.source.table[self.reading.columns(self.source.table)]  # what the catalogue says of its images
        self.n = self.source.n
        self.geometry = geometry
        self.workers = workers

    @property
    def table(self) -> pd.DataFrame:
        """What is known of each image, row for row."""
        return self.source.table

    @property
    def places(self) -> np.ndarray:
        """Where each image stands in the order asked, (N,)."""
        return self.source.table.index.to_numpy()

    @property
    def asked(self) -> pd.DataFrame:
        """What is known of each image, in the order asked."""
        return self.source.table.sort_index()

    def describe(self) -> Any:
        """What changes when an image does, or what is said of how it is read."""
        said = hashlib.sha256(
            pd.util.hash_pandas_object(self.rows.astype(str), index=False).to_numpy().tobytes()
        ).hexdigest()
        return self.source.describe() | {"reading": str(self.reading), "said": said}

    def stamps(self, start: int, stop: int, size: int) -> list[str]:
        """For every `size` images from `start` to `stop` what changes when one of them does, or how it is read."""
        return [self._stamp(first, min(first + size, stop)) for first in range(start, stop, size)]

    def _stamp(self, start: int, stop: int) -> str:
        try:
            files = self.source.part(start, stop).describe()
        except CatalogError:  # they are all in one file
            files = self._whole
        seen = {name: value for name, value in files.items() if name != "origin"}
        said = hashlib.sha256(self._said[start:stop].tobytes()).hexdigest()
        return fingerprint([seen, said, str(self.reading)])

    @cached_property
    def _whole(self) -> dict[str, Any]:
        return self.source.describe()

    @cached_property
    def _said(self) -> np.ndarray:
        """A hash of each image's names and of what its row says of how it is to be read, (N,)."""
        named = self.source.table[["id_str", "file_loc"]]
        hashes = [pd.util.hash_pandas_object(part.astype(str), index=False) for part in (named, self.rows)]
        return np.stack([part.to_numpy() for part in hashes], axis=1)

    def origin(self) -> dict[str, Any]:
        """Where the images are and how they are opened and read, for a manifest."""
        return self.source.describe() | {"options": self.options.as_dict()}

    def refuse_output(self, out: Path) -> None:
        """Raise an `OutputError` where to write `out` would destroy what the images are read from."""
        refuse_output(self.source.files(), out)

    def part(self, start: int, stop: int, workers: int) -> ImageSource:
        """The images from `start` to `stop` alone, small enough to be sent to a machine where `workers` decode."""
        part = copy(self)
        part.source, part.n, part.workers = self.source.part(start, stop), stop - start, workers
        for cached in ("_said", "_whole"):  # of all the images
            part.__dict__.pop(cached, None)
        part.rows = self.rows.iloc[start:stop]
        return part

    def decoded(self, start: int = 0) -> Generator[Decoded, None, None]:
        """The images from the `start`-th on."""
        rows = self.reading.rows(self.rows, start)
        workers = self.workers or decoding_threads(self.source)
        return decode_stream(self.source.items(start), self.geometry, workers, self.reading, rows)


class PackSource:
    """Rows of a pack, whose geometry must be the one asked for.

    For a model that looks for the galaxy itself (`located`) it need not be: whatever part of a frame the squares show,
    they are brought to the size asked for, and `pack` holds them so.
    """

    def __init__(
        self, pack: Pack, geometry: Geometry, rows: np.ndarray | None = None, *, located: bool = False
    ) -> None:
        if pack.geometry.channels != geometry.channels or not (located or pack.geometry == geometry):
            raise PackError(
                f"{pack.path} has geometry {pack.geometry.as_dict()}, the model "
                f"was trained on {geometry.as_dict()}; "
                f"pack again with --field {geometry.field:g} --size {geometry.size} --channels {geometry.channels}"
            )
        self.note = _coarse(pack, geometry)
        if self.note:
            log.warning("%s: %s", pack.path, self.note)
        self.pack = _resized_pack(pack, geometry) if pack.geometry != geometry else pack
        self.rows = np.arange(len(pack.pixels)) if rows is None else rows
        self.n = len(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """What is known of each image, row for row."""
        return self.pack.catalog.iloc[self.rows].reset_index(drop=True)

    @property
    def places(self) -> np.ndarray:
        """Where each image stands in the order asked, (N,)."""
        return np.arange(self.n)

    @property
    def asked(self) -> pd.DataFrame:
        """What is known of each image, in the order asked."""
        return self.table

    def describe(self) -> Any:
        """What changes when an image does."""
        return self.pack.manifest["sha256"]

    def stamps(self, start: int, stop: int, size: int) -> list[str]:
        """For every `size` images from `start` to `stop` what changes when one of them does."""
        hashes = fingerprint(self.describe())
        parts = [self.rows[first : min(first + size, stop)] for first in range(start, stop, size)]
        return [fingerprint([hashes, part.tolist()]) for part in parts]

    def origin(self) -> dict[str, Any]:
        """Where the images are, for a manifest."""
        return {"kind": "pack", "origin": str(self.pack.path), "n": self.n, "sha256": self.describe()}

    def refuse_output(self, out: Path) -> None:
        """Raise an `OutputError` where to write `out` would destroy the pack."""
        refuse_output([self.pack.path / name for name in ("pack.json", *self.pack.manifest["sha256"])], out)

    def part(self, start: int, stop: int, _: int) -> PackPart:
        """The images from `start` to `stop` alone, small enough to be sent to another machine; none is to decode."""
        return self._part(slice(start, stop))

    def _part(self, which: slice) -> PackPart:
        rows = self.rows[which]
        names = self.pack.catalog.iloc[rows]
        locations = names["file_loc"] if "file_loc" in names else [""] * len(rows)
        pixels, size = self.pack.path.absolute() / "pixels.npy", self.pack.geometry.size
        return PackPart(pixels, size, rows, list(names["id_str"]), list(locations), self.note)

    def decoded(self, start: int = 0) -> Generator[Decoded, None, None]:
        """The images from the `start`-th on."""
        return self._part(slice(start, None)).decoded()


@dataclass(frozen=True)
class PackPart:
    """Some rows of a pack by number, and the names of their galaxies: its pixels are opened where they are read.

    They are brought to `size` pixels a side. `note` is said of each.
    """

    pixels: Path
    size: int
    rows: np.ndarray
    ids: list[str]
    locations: list[str]
    note: str | None = None

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.rows)

    def decoded(self) -> Generator[Decoded, None, None]:
        """All of them."""
        pixels = np.load(self.pixels, mmap_mode="r")
        for row, identity, location in zip(self.rows, self.ids, self.locations, strict=True):
            yield Decoded(identity, location, resized(pixels[row], self.size), note=self.note)


def _coarse(pack: Pack, geometry: Geometry) -> str | None:
    """What is to be said where a pack shows less than half as many details as that geometry."""
    enough = round(geometry.size * pack.geometry.field / geometry.field)
    if 2 * pack.geometry.size >= enough:
        return None
    return (
        f"packed at {pack.geometry.size} pixels a side, where the model was trained on {enough}: galaxies are blurred; "
        f"pack again with --size {enough}"
    )


def _resized_pack(pack: Pack, geometry: Geometry) -> Pack:
    """The pack with squares of that geometry, whatever part of a frame they show."""
    return replace(pack, pixels=cast(np.ndarray, Resized(pack.pixels, geometry.size)), geometry=geometry)
