"""A catalogue that names the files of its galaxies: one, or one a band."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.catalogs import TableLike, find_id_column, id_text, name_of, refuse_duplicates, table_of
from tuningfork.catalogs.ids import ID_NAMES, find_ids
from tuningfork.catalogs.names import FILE_COLUMNS
from tuningfork.errors import CatalogError
from tuningfork.sources.bands import KNOWN, MARK
from tuningfork.sources.files import Bands, FileSource, braced
from tuningfork.sources.names import ids_of_names
from tuningfork.sources.options import ImageOptions
from tuningfork.sources.source import Introduction

A_BAND = ("file_{band}", "file_loc_{band}", "filename_{band}", "path_{band}", "image_{band}", MARK)
LIKE_AN_ID = re.compile(
    r"(?:.*[_ ]|obj(?:ect)?|gal(?:axy)?|source|asset|dr\d+)?(?:id|name|designation)|(?:pgc|ugc|ngc|iau|sdss|key)\w*",
    re.IGNORECASE,
)


def source_of_catalog(catalog: TableLike, origin: str, options: ImageOptions) -> FileSource:
    """The galaxies of a catalogue, each with the file that it names.

    `catalog` is a file or a table in memory. A relative file is relative to the folder of the first, or else to the
    working folder.

    Raises
    ------
    CatalogError
        If it names no files, an id is missing or stands twice.
    """
    table = table_of(catalog, ids=[options.id_column] if options.id_column else [])
    path = name_of(catalog)
    found = _find(table, path, options)
    if not any(map(any, found.files)):
        raise CatalogError(f"{path} names no images: its {found.said} is empty; give each galaxy its file")
    locations = [braced(row) for row in found.files]
    ids, ids_from = _ids(table, locations, path, options.id_column)
    refuse_duplicates(ids, path)
    table = table.assign(id_str=ids, file_loc=pd.Series(locations, dtype=object, index=table.index))
    bands: list[Bands] = [tuple(zip(found.bands, row, strict=True)) if len(row) > 1 else () for row in found.files]
    notes = () if found.said == "file_loc" else (f"files are those of {found.said}",)
    tables = (Path(catalog),) if isinstance(catalog, str | Path) else ()
    bases = tuple(dict.fromkeys([*(str(file.parent) for file in tables if file.parent != Path()), ""]))
    source = FileSource(table.reset_index(drop=True), origin, Introduction(ids_from, notes), bases=bases, tables=tables)
    source = replace(source, notes=_repeats(source.table))
    return replace(source, bands=bands) if found.bands else source


def _repeats(table: pd.DataFrame) -> Sequence[str]:
    """What to say of each galaxy whose file, and unit of it, an earlier row has too."""
    unit = next((column for column in table if str(column).casefold() == "hdu"), None)
    named = table["file_loc"] + ("" if unit is None else "\0" + table[unit].astype(str))
    again = named.duplicated() & (table["file_loc"] != "")
    if not again.any():
        return ()
    first = dict(zip(named[::-1], range(len(named), 0, -1), strict=True))
    return [f"the same image as row {first[name]}" if twice else "" for name, twice in zip(named, again, strict=True)]


@dataclass(frozen=True)
class _Found:
    """The files of each galaxy, an empty text where there is none; where they are said; their bands, if several."""

    files: list[list[str]]
    said: str
    bands: tuple[str, ...] = ()


def _find(table: pd.DataFrame, path: str, options: ImageOptions) -> _Found:
    asked, bands = options.file_column, options.reading.stated.bands or options.reading.assumed.bands
    each = _column_a_band(table, path, asked, bands)
    if each:
        rows = zip(*([_text(value) for value in table[name]] for name in each), strict=True)
        files = [list(row) if any(row) else [""] for row in rows]
        return _Found(files, f"the columns {', '.join(each)}", tuple(each.values()))
    column = _column(table, path, asked)
    files = [_names(value, bands, path) for value in table[column]]
    counts = {len(row) for row in files if len(row) > 1}
    if counts - {len(bands)}:
        several = " or ".join(map(str, sorted(counts)))
        raise CatalogError(f"{path}: a galaxy has {several} files in {column}; say the band of each with --bands")
    return _Found(files, column if column == "file_loc" else f"the column {column}", tuple(bands) if counts else ())


def _names(value: Any, bands: Sequence[str], path: str) -> list[str]:
    """The file or files of a cell, which may be a list or a name with a place for the band."""
    several = list(value) if isinstance(value, (list, tuple)) or hasattr(value, "ndim") else [value]
    names = [_text(one) for one in several] or [""]
    if len(names) > 1 or MARK not in names[0]:
        return names
    if not bands:
        raise CatalogError(f"{path}: {names[0]} stands for a file of each band; say which with --bands, such as g,r,z")
    return [names[0].replace(MARK, band) for band in bands]


def _column(table: pd.DataFrame, path: str, asked: str | None) -> str:
    """The column of the files."""
    lower = {str(name).casefold(): str(name) for name in reversed(table.columns)}
    if asked is not None:
        if asked not in table and asked.casefold() not in lower:
            raise CatalogError(f"{path} has no column {asked!r} (--file-column); {_has(table)}")
        return asked if asked in table else lower[asked.casefold()]
    usual = [lower[name] for name in FILE_COLUMNS if name in lower and _is_text(table[lower[name]])]
    if "file_loc" in table or usual:
        return "file_loc" if "file_loc" in table else usual[0]
    raise CatalogError(
        f"{path} names no images: it has neither file_loc nor an image column; {_has(table)}; if one holds the names "
        "of files, name it with --file-column"
    )


def _column_a_band(table: pd.DataFrame, path: str, asked: str | None, bands: Sequence[str]) -> dict[str, str]:
    """The band of each column of files, where there is a column a band: `file_g`, `file_r`, or called as the bands."""
    if asked is not None and MARK in asked:
        wanted = {asked.replace(MARK, band): KNOWN.get(band, band) for band in bands or KNOWN}
        there = {name: band for name, band in wanted.items() if name in table}
        if len(there) < len(wanted if bands else there or wanted):
            raise CatalogError(
                f"{path} has no column {next(name for name in wanted if name not in table)!r} (--file-column {asked}); "
                f"{_has(table)}; say the bands with --bands"
            )
        return there
    for form in A_BAND if asked is None and "file_loc" not in table else ():
        possible = list(bands) or ([] if form == MARK else list(KNOWN))
        columns = {form.replace(MARK, band): KNOWN.get(band, band) for band in possible}
        there = {name: band for name, band in columns.items() if name in table and _is_text(table[name])}
        if len(there) > 1 and len(there) == len(bands or there):
            return there
    return {}


def _ids(table: pd.DataFrame, files: Sequence[str], path: str, asked: str | None) -> tuple[pd.Series, str]:
    """The ids, and where they come from: a column, or the names of the files where nothing looks like one."""
    if asked is not None or find_ids(table):
        name = find_id_column(table, path, asked=asked)
        return id_text(table[name]), f"those of the column {name}"
    like = [str(name) for name in table.columns if LIKE_AN_ID.fullmatch(str(name)) and table[name].is_unique]
    like = [name for name in like if name.casefold() not in FILE_COLUMNS and not name.startswith("file")]
    if like:
        raise CatalogError(
            f"{path} has no id column ({', '.join(ID_NAMES)}), but {like[0]!r}, which may be one: say "
            f"--id-column {like[0]}"
        )
    if not all(files):
        raise CatalogError(
            f"{path} has no id column, and a galaxy has no file to be called by; {_has(table)}; name one by --id-column"
        )
    return pd.Series(ids_of_names(files), dtype=object, index=table.index), "the names of the files"


def _text(value: Any) -> str:
    """A name as text, without blanks around it; empty where it is missing."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return "" if value is None or value is pd.NA or value != value else str(value).strip()  # noqa: PLR0124 -- NaN


def _is_text(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column) or bool(column.isna().all())


def _has(table: pd.DataFrame) -> str:
    return f"it has {', '.join(map(str, table.columns[:8]))}"
