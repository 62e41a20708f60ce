"""Catalogues in which several galaxies name one file: each is cut out at its position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tuningfork.catalogs import find_position_columns, positions
from tuningfork.errors import CatalogError
from tuningfork.images.options import ImageOptions
from tuningfork.images.sources import location as place
from tuningfork.images.sources.files import FileSource
from tuningfork.images.sources.names import is_fits_name
from tuningfork.images.sources.source import Source
from tuningfork.images.tiles.assign import Assigned, assign
from tuningfork.images.tiles.find import Found, tiles_of_bands, tiles_of_file
from tuningfork.images.tiles.grid import directions
from tuningfork.images.tiles.open import TileOrigin, in_order_of_tiles
from tuningfork.images.tiles.tile import Tile

APART = np.radians(1 / 3600)  # nearer ones are one galaxy that stands in a catalogue twice


def cut_out_shared(source: FileSource, options: ImageOptions) -> Source:
    """The source; where galaxies at different positions name one FITS file, all are cut out of the files they name.

    Raises
    ------
    CatalogError
        If a position is none, or the field is no angle.
    """
    table = source.table
    if find_position_columns(table) is None:
        return source
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(table["file_loc"]):
        rows.setdefault(str(name), []).append(row)
    several = {name: held for name, held in rows.items() if len(held) > 1 and is_fits_name(place.split_unit(name)[0])}
    if not several:
        return source
    places = positions(table, source.origin)
    shared = {name: held for name, held in several.items() if _apart(places[held])}
    if not shared:
        return source
    if not options.reading.field.is_angle:
        name, held = next(iter(shared.items()))
        raise CatalogError(
            f"{source.origin}: {len(held)} galaxies at different positions are in one file, {name}; say how much of it "
            "is each one's with --field, such as --field 30arcsec"
        )
    found, assigned = _assigned(source, rows, places, options.reading.stated.hdu)
    told = replace(source.told, notes=(*source.told.notes, "several share a file: cut out at their positions"))
    return in_order_of_tiles(
        table, places, assigned, found, TileOrigin(source.origin, told, source.tables, options.reading)
    )


def _apart(places: np.ndarray) -> bool:
    """Whether positions (N, 2) are of several galaxies."""
    known = places[np.isfinite(places).all(axis=1)]
    return len(known) > 1 and bool(np.linalg.norm(np.ptp(directions(known), axis=0)) > APART)


def _assigned(
    source: FileSource, rows: dict[str, list[int]], places: np.ndarray, hdu: str
) -> tuple[list[Found], Assigned]:
    """The tiles that are named, and each galaxy's among those of its file."""
    found: list[Found] = []
    assigned = Assigned(np.full(len(places), -1), np.zeros(len(places)), np.ones(len(places), np.int64))
    for name, held in rows.items():
        tiles = _tiles(source, name, held[0], hdu)
        part = assign(places[held], tiles)
        lost = np.isfinite(places[held]).all(axis=1) & (part.tile < 0)
        if lost.any():
            problem = next((one.tile.problem for one in tiles if one.tile.problem), f"it lies outside {name}")
            part.tile[lost] = len(tiles)
            tiles = [*tiles, Found(Tile(name, (), problem), ())]
        assigned.tile[held] = np.where(part.tile < 0, -1, part.tile + len(found))
        assigned.row[held] = part.row
        found += tiles
    return found, assigned


def _tiles(source: FileSource, name: str, row: int, hdu: str) -> Sequence[Found]:
    """The tiles of the file, or the files of the bands, that a row names."""
    if not name:
        return [Found(Tile(name, (), "the catalogue names no file: its file_loc is empty"), ())]
    if source.bands and source.bands[row]:
        files = {band: place.find(place.split_unit(file)[0], source.bases) for band, file in source.bands[row] if file}
        return tiles_of_bands(files, [band for band, _ in source.bands[row]], hdu)
    file, unit = place.split_unit(name)
    return tiles_of_file(place.find(file, source.bases), unit or hdu)
