"""Columns of angles, in whatever unit the table says that they are."""

from __future__ import annotations

import pandas as pd

from tuningfork.catalogs.write.columns import ABOUT
from tuningfork.errors import CatalogError

_ARCSEC = {"": 1.0, "arcsec": 1.0, '"': 1.0, "arcmin": 60.0, "deg": 3600.0}


def in_arcsec(table: pd.DataFrame, column: str) -> pd.Series:
    """A column of angles in arcseconds, which it is taken to be in unless the table says another unit of it.

    Raises
    ------
    CatalogError
        If its unit is no angle.
    """
    unit = [*table.attrs.get(ABOUT, {}).get(column, ()), "", ""][1].strip()
    scale = _ARCSEC[unit] if unit in _ARCSEC else _scale(unit, column)
    return table[column] if scale == 1 else pd.to_numeric(table[column], errors="coerce") * scale


def _scale(unit: str, column: str) -> float:
    """The arcseconds of a unit that is not among the usual ones."""
    from astropy import units  # a third of a second that usual units need not wait for

    try:
        return float(units.Unit(unit).to("arcsec"))
    except (ValueError, TypeError) as error:  # not known, or no angle: astropy's UnitConversionError is both
        raise CatalogError(
            f"the column {column} is in {unit!r}, which is no angle that is known; give it in arcsec, arcmin or deg"
        ) from error
