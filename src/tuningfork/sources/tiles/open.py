"""Opening tiles for the galaxies of a catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tuningfork.catalogs import TableLike, find_id_column, name_of, positions, refuse_duplicates, table_of
from tuningfork.errors import CatalogError
from tuningfork.images.reading import Reading
from tuningfork.sources.options import ImageOptions
from tuningfork.sources.source import Introduction
from tuningfork.sources.tiles.assign import Assigned, assign
from tuningfork.sources.tiles.find import Found, find_tiles
from tuningfork.sources.tiles.source import TileSource


def open_tiles(catalog: TableLike, pattern: str, options: ImageOptions) -> TileSource:
    """The galaxies of a catalogue, cut out of the tiles whose files match a pattern.

    Raises
    ------
    CatalogError
        If the catalogue has no ids or positions, no tile matches, or the field is no angle.
    """
    table = table_of(catalog, ids=[options.id_column] if options.id_column else [])
    where = name_of(catalog)
    column = find_id_column(table, where, asked=options.id_column)
    table = table.assign(id_str=table[column])
    refuse_duplicates(table["id_str"], where)
    if not options.reading.field.is_angle:
        raise CatalogError(
            "galaxies are cut out of tiles by an angle: give --field such as 30arcsec, or 8.5*petro_r with a column of "
            "the catalogue in arcseconds"
        )
    bands = options.reading.stated.bands or options.reading.assumed.bands
    found = find_tiles(pattern, bands, options.reading.stated.hdu or options.reading.assumed.hdu)
    if not any(one.grids for one in found):
        raise CatalogError(f"no tile of {pattern} can be used; the first: {found[0].tile.problem}")
    places = positions(table, where)
    assigned = assign(places, found)
    names = np.array([*(one.tile.name for one in found), ""], dtype=object)  # the last is that of no tile: -1
    table = table.assign(file_loc=names[assigned.tile])
    introduction = _introduction(assigned.tile, found, f"those of the column {column}")
    tables = (Path(catalog),) if isinstance(catalog, str | Path) else ()
    return in_order_of_tiles(table, places, assigned, found, TileOrigin(pattern, introduction, tables, options.reading))


@dataclass(frozen=True)
class TileOrigin:
    """Where galaxies and tiles come from, what to say of them, the tables they are named in, how tiles are read."""

    origin: str
    introduction: Introduction
    tables: tuple[Path, ...]
    reading: Reading


def in_order_of_tiles(
    table: pd.DataFrame, places: np.ndarray, assigned: Assigned, found: Sequence[Found], origin: TileOrigin
) -> TileSource:
    """The galaxies of a table, in the order of their tiles, and in each from bottom to top."""
    order = np.lexsort((assigned.row, np.where(assigned.tile < 0, len(found), assigned.tile)))
    where = np.stack([assigned.tile, assigned.covering], axis=1)[order]
    tiles = [one.tile for one in found]
    return TileSource(
        table.iloc[order],
        origin.origin,
        origin.introduction,
        places[order],
        where,
        tiles,
        origin.reading,
        origin.tables,
    )


def _introduction(tile: np.ndarray, found: Sequence[Found], ids: str) -> Introduction:
    """How many galaxies are cut out of how many tiles, and what can't be used."""
    used, nowhere = len(np.unique(tile[tile >= 0])), int((tile < 0).sum())
    notes = (f"cut out of {used:,} of {len(found):,} tiles", *((f"{nowhere:,} lie in none",) if nowhere else ()))
    bad = [one.tile.problem for one in found if one.tile.problem]
    more = (f"and {len(bad) - 3} more tiles",) if len(bad) > 3 else ()
    return Introduction(ids, notes, (*bad[:3], *more))
