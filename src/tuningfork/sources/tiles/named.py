"""Catalogues in which several galaxies name one file: each is cut out at its position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tuningfork.catalogs import find_position_columns, positions
from tuningfork.errors import CatalogError
from tuningfork.images.reading import Reading
from tuningfork.sources import location as place
from tuningfork.sources.files import FileSource
from tuningfork.sources.names import is_fits_name
from tuningfork.sources.options import ImageOptions
from tuningfork.sources.source import Source
from tuningfork.sources.tiles.assign import Assigned, assign
from tuningfork.sources.tiles.find import Found, tiles_of_bands, tiles_of_file
from tuningfork.sources.tiles.grid import directions
from tuningfork.sources.tiles.open import TileOrigin, in_order_of_tiles
from tuningfork.sources.tiles.tile import Tile

APART = np.radians(1 / 3600)  # nearer ones are one galaxy that stands in a catalogue twice


def cut_out_shared(source: FileSource, options: ImageOptions) -> Source:
    """The source; where galaxies at different positions name one FITS file, all are cut out of the files they name.

    Galaxies in different units of a file, as their names or the column `hdu` say, don't share it.

    Raises
    ------
    CatalogError
        If several name one file and there are no positions, a position is none, or the field is no angle.
    """
    table = source.table
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(_named(table)):
        rows.setdefault(name, []).append(row)
    several = {name: held for name, held in rows.items() if len(held) > 1 and is_fits_name(place.split_unit(name)[0])}
    if not several:
        return source
    if find_position_columns(table) is None:
        name, held = next(iter(several.items()))
        raise CatalogError(
            f"{source.origin}: {len(held)} galaxies name one file, {name}, and no position tells them apart; give "
            "columns ra and dec in degrees, and --field such as 30arcsec, to cut each out; or name each one's unit of "
            "the file, as file.fits[SCI] or in a column hdu"
        )
    places = positions(table, source.origin)
    shared = {name: held for name, held in several.items() if not _alike(places[held])}
    if not shared:
        return source
    if not options.reading.field.is_angle:
        name, held = next(iter(shared.items()))
        raise CatalogError(
            f"{source.origin}: {len(held)} galaxies at different positions are in one file, {name}; say how much of it "
            "is each one's with --field, such as --field 30arcsec"
        )
    found, assigned = _assigned(source, rows, places, options.reading.stated.hdu)
    introduction = replace(
        source.introduction, notes=(*source.introduction.notes, "several share a file: cut out at their positions")
    )
    return in_order_of_tiles(
        table, places, assigned, found, TileOrigin(source.origin, introduction, source.tables, options.reading)
    )


def _named(table: pd.DataFrame) -> list[str]:
    """The file of each galaxy, with its unit in brackets where the column `hdu` states it."""
    names = [str(name) for name in table["file_loc"]]
    if "hdu" not in table:
        return names
    units = [Reading().for_row({"hdu": value}).stated.hdu for value in table["hdu"]]
    return [
        f"{name}[{unit}]" if unit and place.split_unit(name)[0] == name else name
        for name, unit in zip(names, units, strict=True)
    ]


def _alike(places: np.ndarray) -> bool:
    """Whether positions (N, 2) are all known and of one galaxy."""
    return bool(np.isfinite(places).all() and np.linalg.norm(np.ptp(directions(places), axis=0)) <= APART)


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
        return tiles_of_bands(files, [band for band, _ in source.bands[row]], place.split_unit(name)[1] or hdu)
    file, unit = place.split_unit(name)
    return tiles_of_file(place.find(file, source.bases), unit or hdu)
