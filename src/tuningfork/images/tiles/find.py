"""Tiles by a pattern of their files: from the headers alone."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass

from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.fits.bands import parse_bands
from tuningfork.images.fits.choose import FLAGS, IMAGE, OTHERS, band_name, means
from tuningfork.images.sources.bands import MARK
from tuningfork.images.sources.files import braced
from tuningfork.images.sources.names import natural
from tuningfork.images.sources.pattern import files_of_bands
from tuningfork.images.tiles.grid import Grid
from tuningfork.images.tiles.tile import Layer, Tile, grids_of
from tuningfork.images.tiles.units import TileUnit, read_units


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
    units: dict[str, list[TileUnit]] = {}
    problem = "".join(f"tile {name} has no file of band {band}" for band in bands[:] if band not in files)
    for band, path in files.items():
        try:
            units[band] = images_of(read_units(path), hdu)
        except ImageError as error:
            problem = problem or f"tile {path}: {error}"
    if len({len(found) for found in units.values()}) > 1:
        counts = ", ".join(f"{len(found)} in {band}" for band, found in units.items())
        problem = problem or f"tile {name}: its files hold different numbers of images ({counts}); name one with --hdu"
    found = []
    for index in range(min(map(len, units.values()), default=0)):
        layers = {band: Layer(files[band], held[index].number, 0, band) for band, held in units.items()}
        images = {band: held[index] for band, held in units.items()}
        cube = next((band for band, unit in images.items() if len(unit.shape) > 2), None)
        why = problem or (f"tile {files[cube]}: it holds several planes where one band is needed" if cube else "")
        label = name if len(units[next(iter(units))]) == 1 else f"{name}[{images[next(iter(images))].number}]"
        found.append(_found(label, [layers[b] for b in bands if b in layers], [images[b] for b in images], why))
    return found or [Found(Tile(name, (), problem), ())]


def tiles_of_file(path: str, hdu: str) -> list[Found]:
    """The tiles of one file: a cube or units of several bands are one; other images are one each."""
    try:
        images = images_of(read_units(path), hdu)
    except ImageError as error:
        return [Found(Tile(path, (), f"tile {path}: {error}"), ())]
    bands = [band_name(unit) for unit in images]
    if len(images) > 1 and all(bands) and len(set(bands)) == len(bands):
        layers = [Layer(path, unit.number, 0, band) for unit, band in zip(images, bands, strict=True)]
        return [_found(path, layers, images, "")]
    found = []
    for unit in images:
        name = path if len(images) == 1 else f"{path}[{unit.number}]"
        n = unit.shape[0] if len(unit.shape) == 3 else 1
        planes = planes_of(unit, n)
        layers = [Layer(path, unit.number, plane, band) for plane, band in enumerate(planes)]
        why = f"tile {name}: an image of {len(unit.shape)} axes" if len(unit.shape) > 3 else ""
        found.append(_found(name, layers, [unit] * n, why))
    return found


def _found(name: str, layers: Sequence[Layer], units: Sequence[TileUnit], problem: str) -> Found:
    if not problem and not all(unit.whole for unit in units):
        short = next(layer.path for layer, unit in zip(layers, units, strict=True) if not unit.whole)
        problem = f"tile {short} is cut short; get it again"
    try:
        grids = grids_of(units)
    except ImageError as error:
        return Found(Tile(name, tuple(layers), f"tile {name}: {error}"), ())
    for layer, grid in zip(layers, grids, strict=True):
        why = grid.unlike(grids[0])
        if why and not problem:
            problem = (
                f"tile {name}: its bands {layers[0].band} and {layer.band} have {why}; bring them to one grid first "
                "(SWarp, reproject)"
            )
    return Found(Tile(name, tuple(layers), problem), tuple(grids))


def images_of(units: Sequence[TileUnit], hdu: str) -> list[TileUnit]:
    """The units that hold images of the sky.

    Raises
    ------
    ImageError
        If there is none, or not the one asked for.
    """
    if hdu:
        asked = [unit for unit in units if unit.name.casefold() == hdu.casefold() or str(unit.number) == hdu]
        if not asked or not asked[0].shape:
            there = ", ".join(f"{unit.number} {unit.name}".strip() for unit in units[:12])
            raise ImageError(f"it has no image in a unit {hdu!r}; it has {there}")
        return asked[:1]
    images = [
        unit for unit in units if len(unit.shape) >= 2 and min(unit.shape) > 0 and not means(unit, [*FLAGS, *OTHERS])
    ]
    images = [unit for unit in images if means(unit, IMAGE)] or images
    if not images:
        raise ImageError("it holds no image; name its unit with --hdu")
    return images


def planes_of(unit: TileUnit, n: int) -> tuple[str, ...]:
    """The band of each plane of an image, empty where its header does not say."""
    if n == 1:
        return (band_name(unit),)
    names = parse_bands(str(unit.said.get("BANDS", unit.said.get("FILTERS", ""))))
    return names if len(names) == n else ("",) * n
