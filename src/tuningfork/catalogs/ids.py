"""Ids are text, and never go through a float that can't hold their digits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tuningfork.catalogs.names import find_column
from tuningfork.errors import CatalogError

ID_NAMES = ("id_str", "GalaxyID", "iauname", "dr7objid", "dr8_id", "objid")  # the surest first
# 5.877E+17, and 587722981736120347.000: what a spreadsheet or a float made of an id.
_ROUNDED = r"[+-]?(?:\d(?:\.\d*)?[eE]\+\d+|\d\.\d+[eE]\d+|\d{17,}\.\d*)"


def are_ids(column: object, ids: Iterable[str] = ()) -> bool:
    """Whether a column is one of the usual names of ids or of `ids`, whatever the case of its letters."""
    return str(column).casefold() in {name.casefold() for name in (*ID_NAMES, *ids)}


def find_ids(table: pd.DataFrame, ids: Iterable[str] = ()) -> str | None:
    """The column that holds the ids by its name; None: there is none."""
    return find_column(table, dict.fromkeys((*ID_NAMES, *ids)))


def id_text(ids: pd.Series, origin: str = "the table") -> pd.Series:
    """Ids as text, without surrounding blanks; a missing id stays missing.

    Whole numbers that stand as floats lose their ``.0``; text is kept as it is, ``.0`` too.

    Raises
    ------
    CatalogError
        If the ids were rounded: floats from 2^53 on (float32: 2^24), or text such as ``5.877E+17``.
    """
    known = ids.notna()
    if pd.api.types.is_float_dtype(ids):
        # As NumPy or as one of pandas' own types of floats.
        exact = 2.0 ** (np.finfo(str(ids.dtype).lower().removesuffix("[pyarrow]")).nmant + 1)
        _refuse(known & (ids.abs() >= exact), ids, origin)
        if (ids[known] % 1 == 0).all():
            ids = ids.astype("Int64")
    texts = ids.astype(str).str.strip()
    if not pd.api.types.is_numeric_dtype(ids):
        _refuse(known & texts.str.fullmatch(_ROUNDED).fillna(False).astype(bool), texts, origin)
    return texts if known.all() else texts.where(known, None)


def _refuse(rounded: pd.Series, ids: pd.Series, origin: str) -> None:
    if rounded.any():
        row = int(rounded.to_numpy(dtype=bool).argmax())
        raise CatalogError(
            f"{origin}: the id {ids.iloc[row]} of column {ids.name!r} was saved as a rounded number, its last digits "
            f"are lost ({int(rounded.sum())} such rows); save the ids as text or integers"
        )
