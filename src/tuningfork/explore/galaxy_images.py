"""Where the images of a catalogue's galaxies are: in files that it names, in a source of images, or in a pack."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.errors import CatalogError, ImageError, PackError, TuningforkError
from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.recent import Recent
from tuningfork.images import Geometry, Reading, read_image
from tuningfork.images.item import Item, Payload
from tuningfork.models import read_manifest, share_seen
from tuningfork.packs import Pack, PackSource, open_pack
from tuningfork.sources import ImageOptions, Source, open_source
from tuningfork.sources import location as place

log = logging.getLogger(__name__)

BLOCK, HELD = 32, 64  # images of a source that are opened together, and how many such blocks are kept
TRIED = 20  # galaxies whose files are looked for


class Images(Protocol):
    """The images of the rows of a catalogue."""

    @property
    def view(self) -> Geometry:
        """The part of a frame that the model sees."""

    def load(self, row: int) -> tuple[Payload, Reading]:
        """The image of a row, and how it is to be read.

        Raises
        ------
        ImageError
            If there is none.
        """

    def pixels(self, row: int, geometry: Geometry, trained: Reading) -> np.ndarray:
        """The image of a row (size, size, C) uint8 as a model of a geometry takes it.

        Raises
        ------
        ImageError
            If there is none, or it can't be read.
        """


class FromFrames(ABC):
    """What all images have in common that are kept as frames."""

    @abstractmethod
    def load(self, row: int) -> tuple[Payload, Reading]:
        """The image of a row."""

    def pixels(self, row: int, geometry: Geometry, trained: Reading) -> np.ndarray:
        """Cut out of the frame, as in predicting."""
        payload, reading = self.load(row)
        return read_image(payload, geometry, reading.like(trained)).pixels


@dataclass(frozen=True)
class NamedFiles(FromFrames):
    """Files that a column of the catalogue names, relative to its folder or to the working folder."""

    catalogue: Catalogue
    column: str
    reading: Reading
    model: str | None

    @cached_property
    def view(self) -> Geometry:
        """As the model, where one is known."""
        return view_of(self.model, self.catalogue.table.manifest)

    def load(self, row: int) -> tuple[Payload, Reading]:
        """Read the file of a row."""
        name = self.name(row)
        file, unit = (name, "") if place.find(name, self._bases) == name else place.split_unit(name)
        reading = self.reading.for_row({"hdu": unit}) if unit else self.reading
        return place.read(file, self._bases), reading

    def name(self, row: int) -> str:
        """The file that a row names."""
        name = self.catalogue.values(self.column).at(np.array([row]))[0]
        if not isinstance(name, str) or not name.strip():
            raise ImageError("the catalogue names no file for it")
        return name.strip()

    @property
    def there(self) -> bool:
        """Whether one of the first files exists."""
        for row in range(min(TRIED, self.catalogue.rows)):
            try:
                if Path(place.find(self.name(row), self._bases)).is_file():
                    return True
            except (ImageError, OSError, ValueError):
                continue
        return False

    @property
    def _bases(self) -> tuple[str, ...]:
        return (str(self.catalogue.path.parent), "")


@dataclass(frozen=True)
class OfSource(FromFrames):
    """Images of a source, found by id."""

    catalogue: Catalogue
    source: Source
    options: ImageOptions
    model: str | None
    _blocks: Recent[list[Item]] = field(default_factory=lambda: Recent(HELD), repr=False, compare=False)

    def _block(self, first: int) -> list[Item]:
        """Images that lie one after another: where they are in one file, it is read once for all."""
        last = min(first + BLOCK, self.source.n)
        try:
            items = self.source.part(first, last).items()
        except CatalogError:  # they can't be read apart from the others
            items = self.source.items(first)
        return list(islice(items, last - first))

    @cached_property
    def view(self) -> Geometry:
        """As the model, where one is known."""
        return view_of(self.model, self.catalogue.table.manifest)

    @cached_property
    def places(self) -> np.ndarray:
        """Where in the source each row's image is, (N,); -1 where it is not."""
        return aligned(self.catalogue, self.source.table["id_str"])

    def load(self, row: int) -> tuple[Payload, Reading]:
        """Read the image of a row."""
        where = int(self.places[row])
        if where < 0:
            raise ImageError(f"{self.source.origin} has no image of this id")
        first = where - where % BLOCK
        items = self._blocks.get(first, lambda: self._block(first))
        if where - first >= len(items):
            raise ImageError(f"{self.source.origin} has no image of this id any more")
        item = items[where - first]
        said: Mapping[str, Any] = next(self.options.reading.rows(self.source.table.iloc[where : where + 1]))
        reading = self.options.reading.for_row({**said, "hdu": item.hdu} if item.hdu else said)
        return item.load(), reading


@dataclass(frozen=True)
class OfPack:
    """Rows of a pack, found by id."""

    catalogue: Catalogue
    pack: Pack
    model: str | None

    @cached_property
    def view(self) -> Geometry:
        """As the model, as a part of what the pack holds of each frame."""
        seen, packed = view_of(self.model, self.catalogue.table.manifest), self.pack.geometry
        return replace(seen, field=min(1.0, seen.field / packed.field))

    @cached_property
    def places(self) -> np.ndarray:
        """The pack's row of each row, (N,); -1 where there is none."""
        return aligned(self.catalogue, self.pack.catalog["id_str"])

    def load(self, row: int) -> tuple[Payload, Reading]:
        """The pixels of a row."""
        return np.asarray(self.pack.pixels[self._row(row)]), Reading()

    def _row(self, row: int) -> int:
        """The pack's, of a row."""
        where = int(self.places[row])
        if where < 0:
            raise ImageError(f"{self.pack.path} has no galaxy of this id")
        return where

    def pixels(self, row: int, geometry: Geometry, trained: Reading) -> np.ndarray:
        """As the pack has them, which must be of that geometry unless the model looks for the galaxy."""
        try:
            packed = PackSource(self.pack, geometry, located=trained.located).pack
        except PackError as error:
            raise ImageError(str(error)) from error
        return np.asarray(packed.pixels[self._row(row)])


def find_images(catalogue: Catalogue, images: str | None, model: str | None) -> Images | None:
    """The images of a catalogue's galaxies: those of `images`, or those that the catalogue itself says it was made of.

    Raises
    ------
    TuningforkError
        If `images` is no source of images.
    """
    said = catalogue.table.manifest.get("inputs", {}).get("images", {})
    options = ImageOptions.from_dict(said.get("options", {})) if said else ImageOptions()
    if images is not None:
        return _opened(catalogue, Path(images), options, model)
    if catalogue.table.holds_images:
        return _opened(catalogue, catalogue.path, options, model)
    column = catalogue.find("file")
    if column is not None:
        named = NamedFiles(catalogue, column.name, options.reading, model)
        if named.there:
            return named
    origin = said.get("origin")
    for folder in (Path(), catalogue.path.parent) if isinstance(origin, str) else ():
        try:
            return _opened(catalogue, folder / str(origin), options, model)
        except TuningforkError as error:
            log.info("the images that %s was made of are not found: %s; name them with --images", catalogue.name, error)
    return None


def _opened(catalogue: Catalogue, path: Path, options: ImageOptions, model: str | None) -> Images:
    if (path / "pack.json").exists():
        return OfPack(catalogue, open_pack(path), model)
    return OfSource(catalogue, open_source(path, options), options, model)


def view_of(model: str | None, manifest: Mapping[str, Any]) -> Geometry:
    """What a model sees of a frame: that of the name or folder `model`, or the one that made a table.

    Where it is not found it is the square that the table says was cut out, or all of a frame's central square.
    """
    made_by = manifest.get("inputs", {}).get("model", {}).get("name")
    for name in filter(None, (model, made_by)):
        with suppress(TuningforkError):
            said = read_manifest(name)
            whole = Geometry.from_dict(said["geometry"])
            return replace(whole, field=whole.field * share_seen(said))
    with suppress(KeyError, TypeError, ValueError, TuningforkError):
        return Geometry.from_dict(manifest["geometry"])
    return Geometry()


def aligned(catalogue: Catalogue, ids: Any) -> np.ndarray:
    """Where in a list of ids each row of a catalogue is, (N,); -1 where it is not."""
    given = ids if isinstance(ids, pa.ChunkedArray) else pa.array(ids, pa.string())
    return np.asarray(pc.fill_null(pc.index_in(catalogue.all_ids(), value_set=given), -1))
