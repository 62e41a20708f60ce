"""Tiles by a pattern of their files: from the headers alone."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.fits.choose import FLAGS, IMAGE, OTHERS, asked_unit, band_name, belongs, means, plane_names
from tuningfork.sources.bands import MARK
from tuningfork.sources.files import braced
from tuningfork.sources.names import natural
from tuningfork.sources.pattern import files_of_bands
from tuningfork.sources.tiles.grid import Grid
from tuningfork.sources.tiles.tile import Layer, Tile, grids_of
from tuningfork.sources.tiles.units import TileUnit, read_units


@dataclass(frozen=True)
class Found:
    """A tile, and the grids of its layers; none where it is not known where it lies."""

    tile: Tile
    grids: tuple[Grid, ...]


def find_tiles(pattern: str, bands: Sequence[str], hdu: str = "") -> list[Found]:
    """The tiles whose files match a pattern.

    Parameters
    ----------
    pattern
        A glob pattern; with ``{band}`` in it, one file a band.
    bands
        What ``{band}`` stands for, in the order in which the layers are wanted.
    hdu
        The name or number of the unit that holds the image; unless given, what looks like one.

    Raises
    ------
    CatalogError
        If no file matches, or ``{band}`` stands for nothing.
    """
    if MARK not in pattern:
        files = natural(glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not files:
            raise CatalogError(f"no tile matches {pattern}")
        return [found for name in files for found in tiles_of_file(name, hdu)]
    if not bands:
        raise CatalogError(f"--tiles {pattern}: say which bands {MARK} stands for with --bands, such as --bands g,r,i")
    groups = files_of_bands(pattern, bands)
    return [found for key in natural(groups) for found in tiles_of_bands(groups[key], bands, hdu)]


def tiles_of_bands(files: dict[str, str], bands: Sequence[str], hdu: str) -> list[Found]:
    """The tile of one file a band; several, where each file holds images of several pieces of sky."""
    name = braced(list(files.values()))
    chosen: dict[str, Images] = {}
    problem = "".join(f"tile {name} has no file of band {band}" for band in bands[:] if band not in files)
    for band, path in files.items():
        try:
            chosen[band] = images_of(path, hdu)
        except ImageError as error:
            problem = problem or f"tile {path}: {error}"
    if len({len(held.units) for held in chosen.values()}) > 1:
        counts = ", ".join(f"{len(held.units)} in {band}" for band, held in chosen.items())
        problem = problem or f"tile {name}: its files hold different numbers of images ({counts}); name one with --hdu"
    found = []
    for index in range(min((len(held.units) for held in chosen.values()), default=0)):
        images = {band: held.units[index] for band, held in chosen.items()}
        layers = {band: held.layer(images[band], 0, band) for band, held in chosen.items()}
        notes = tuple(f"{b}: {note}" for b in bands if b in chosen for note in chosen[b].notes(images[b]))
        cube = next((band for band, unit in images.items() if len(unit.shape) > 2), None)
        why = problem or (f"tile {files[cube]}: it holds several planes where one band is needed" if cube else "")
        first = next(iter(chosen))
        label = name if len(chosen[first].units) == 1 else f"{name}[{images[first].number}]"
        why = why or next((short for b in chosen if (short := chosen[b].cut_short(images[b]))), "")
        ordered = [b for b in bands if b in layers]
        found.append(_found(Tile(label, tuple(layers[b] for b in ordered), why, notes), [images[b] for b in ordered]))
    return found or [Found(Tile(name, (), problem), ())]


def tiles_of_file(path: str, hdu: str) -> list[Found]:
    """The tiles of one file: a cube or units of several bands are one; other images are one each."""
    try:
        held = images_of(path, hdu)
    except ImageError as error:
        return [Found(Tile(path, (), f"tile {path}: {error}"), ())]
    images = held.units
    bands = [band_name(unit.name, unit.header) for unit in images]
    if len(images) > 1 and all(bands) and len(set(bands)) == len(bands):
        layers = tuple(held.layer(unit, 0, band) for unit, band in zip(images, bands, strict=True))
        why = next((short for unit in images if (short := held.cut_short(unit))), "")
        return [_found(Tile(path, layers, why), images)]
    found = []
    for unit in images:
        name = path if len(images) == 1 else f"{path}[{unit.number}]"
        n = unit.shape[0] if len(unit.shape) == 3 else 1
        layers = tuple(held.layer(unit, plane, band) for plane, band in enumerate(planes_of(unit, n)))
        why = f"tile {name}: an image of {len(unit.shape)} axes" if len(unit.shape) > 3 else held.cut_short(unit)
        found.append(_found(Tile(name, layers, why, held.notes(unit)), [unit] * n))
    return found


def _found(tile: Tile, images: Sequence[TileUnit]) -> Found:
    """A tile with the image of each of its layers."""
    try:
        grids = grids_of(images)
    except ImageError as error:
        return Found(replace(tile, problem=f"tile {tile.name}: {error}"), ())
    for layer, grid in zip(tile.layers, grids, strict=True):
        why = grid.unlike(grids[0])
        if why and not tile.problem:
            problem = (
                f"tile {tile.name}: its bands {tile.layers[0].band} and {layer.band} have {why}; bring them to one "
                "grid first (SWarp, reproject)"
            )
            tile = replace(tile, problem=problem)
    return Found(tile, tuple(grids))


@dataclass(frozen=True)
class Images:
    """The units of a file that hold images of the sky, and those of flags.

    `of` is how many units the file has where it has to be said which was taken, else 0.
    """

    path: str
    units: tuple[TileUnit, ...]
    flags: tuple[TileUnit, ...]
    of: int

    def layer(self, unit: TileUnit, plane: int, band: str) -> Layer:
        """A plane of one of the images, with its flags."""
        return Layer(self.path, unit.number, plane, band, tuple(flags.number for flags in self._flags(unit)))

    def notes(self, unit: TileUnit) -> tuple[str, ...]:
        """What to say of the choice of an image."""
        return (f"unit {unit.label} of {self.of}",) if self.of else ()

    def cut_short(self, unit: TileUnit) -> str:
        """That an image or its flags are not whole; empty where they are."""
        whole = all(each.whole for each in (unit, *self._flags(unit)))
        return "" if whole else f"tile {self.path} is cut short; get it again"

    def _flags(self, unit: TileUnit) -> list[TileUnit]:
        return [flags for flags in self.flags if belongs(flags, unit)]


def images_of(path: str, hdu: str) -> Images:
    """The units of a file that hold images of the sky: those that are called so, else those called nothing else.

    Raises
    ------
    ImageError
        If there is none, or not the one asked for.
    """
    units = read_units(path)
    filled = [unit for unit in units if len(unit.shape) >= 2 and min(unit.shape) > 0]
    flags = tuple(unit for unit in filled if means(unit, FLAGS))
    if hdu:
        return Images(path, (asked_unit(units, hdu),), flags, 0)
    named = [unit for unit in filled if not means(unit, (*FLAGS, *OTHERS))]
    images = [unit for unit in named if means(unit, IMAGE)] or named
    if not images:
        raise ImageError("it holds no image; name its unit with --hdu")
    return Images(path, tuple(images), flags, len(units) if len(filled) > 1 else 0)


def planes_of(unit: TileUnit, n: int) -> tuple[str, ...]:
    """The band of each plane of an image, empty where its header does not say."""
    if n == 1:
        return (band_name(unit.name, unit.header),)
    return plane_names(unit.said, n) or ("",) * n
