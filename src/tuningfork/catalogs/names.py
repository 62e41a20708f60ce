"""Columns found whatever their case: the exact name first."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

FILE_COLUMNS = (  # of the names of files, in the order in which they are looked for, in any case
    *("file_loc", "file_name", "filename", "image_path", "file_path", "filepath", "image_file", "imagename"),
    *("image_name", "path", "file", "image", "img", "img_path", "location", "jpg", "jpg_loc", "png_loc", "fits_loc"),
)


def find_column(table: pd.DataFrame, names: Iterable[str]) -> str | None:
    """The first of `names` that is a column, in any case of its letters; one that is written just so comes first."""
    names = list(names)
    exact = next((name for name in names if name in table), None)
    if exact is not None:
        return exact
    folded = {str(column).casefold(): column for column in reversed(table.columns)}
    return next((str(folded[name.casefold()]) for name in names if name.casefold() in folded), None)


def with_names(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The table with the columns `names` called just so, where they differ in the case of their letters alone."""
    found = {find_column(table, [name]): name for name in names}
    renamed = {old: new for old, new in found.items() if old is not None and old != new}
    return table.rename(columns=renamed) if renamed else table


def listed(table: pd.DataFrame, most: int = 8) -> str:
    """The first columns of a table, for a message."""
    return ", ".join(map(str, table.columns[:most])) + (", ..." if len(table.columns) > most else "")
