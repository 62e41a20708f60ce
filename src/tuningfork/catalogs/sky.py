"""Positions on the sky: which columns hold them, and what they say in degrees."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from tuningfork.catalogs.values import MISSING
from tuningfork.errors import CatalogError

# As catalogues name them, letters and digits alone, in small letters. The surest first.
PAIRS = (
    ("ra", "dec"),
    ("ra", "de"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("raicrs", "deicrs"),
    ("raicrs", "decicrs"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("radegrees", "decdegrees"),
    ("ra2000", "dec2000"),
    ("ra2000", "de2000"),
    ("alphaj2000", "deltaj2000"),
    ("alphasky", "deltasky"),
    ("rightascension", "declination"),
    ("sra", "sdec"),
    ("targetra", "targetdec"),
    ("ratarget", "dectarget"),
    ("ramean", "decmean"),
    ("rastack", "decstack"),
    ("meanra", "meandec"),
    ("coordra", "coorddec"),
    ("xworld", "yworld"),
    ("alphawinj2000", "deltawinj2000"),
    ("ra1", "dec1"),
    ("alpha", "delta"),
    ("rahours", "decdegrees"),
    ("rahours", "decdeg"),
    ("rahours", "dec"),
    ("al2000", "de2000"),  # HyperLeda
)
HOURS = ("rahours", "al2000")  # right ascension in hours, by its name
# Hours or degrees, minutes, seconds: 12:34:56.7, 12h34m56.7s, +10 22 25.7, 10°22'25.7"; the seconds may be absent.
_SEXAGESIMAL = (
    r"^\s*(?P<sign>[+\-−]?)(?P<whole>\d{1,3})\s*(?P<unit>[:hd°\s])\s*(?P<minutes>\d{1,2}(?:\.\d*)?)"
    r"\s*(?:[:m'′\s]\s*(?:(?P<seconds>\d{1,2}(?:\.\d*)?)\s*(?:s|\"|″|'')?)?)?\s*$"
)


def find_position_columns(table: pd.DataFrame) -> tuple[str, str] | None:
    """The columns of right ascension and declination, such as ``ra, dec`` or ``RAJ2000, DEJ2000``; None: not there."""
    if {"ra", "dec"} <= set(table.columns):
        return "ra", "dec"
    plain = {_plain(column): str(column) for column in reversed(table.columns)}
    return next(((plain[ra], plain[dec]) for ra, dec in PAIRS if ra in plain and dec in plain), None)


def positions(table: pd.DataFrame, origin: str) -> np.ndarray:
    """Right ascension (0 to 360) and declination in degrees, (N, 2) float64; both NaN where one is missing.

    Missing is what is empty or not finite, and numbers written for it: -99, -999, 99.99, -0.9999995e9 and the like
    (first digits 99), from 1e20 on, in either column; 99 is a right ascension.

    Numbers are degrees, except in columns whose name says hours. In text, ``12:34:56.7`` and ``12h34m56.7s`` are hours
    of right ascension and degrees of declination; ``10d22m25.7s`` is degrees. Right ascension may be -180 to 180 too.

    Raises
    ------
    CatalogError
        If there are no such columns, or a value is no position; `where` names the table.
    """
    found = find_position_columns(table)
    if found is None:
        raise CatalogError(f"{origin} has no position: columns such as ra and dec, in degrees, are needed")
    ra, dec = found
    hours = _plain(ra) in HOURS
    right = _degrees(table[ra], table, origin, of_hours=True) * (15.0 if hours and _is_number(table[ra]) else 1.0)
    declination = _degrees(table[dec], table, origin, of_hours=False)
    right, declination = _known(right, -180, 360), _known(declination, -90, 90)
    _refuse((right < -180) | (right > 360), table, ra, origin, "-180 to 360")
    _refuse(np.abs(declination) > 90, table, dec, origin, "-90 to 90")
    both = np.stack([np.where(right < 0, right + 360, right), declination], axis=1)
    both[np.isnan(both).any(axis=1)] = np.nan
    return both


def _known(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The values, (N,) in degrees; NaN in place of those that stand for a missing one."""
    size = np.where(np.isfinite(values), np.abs(values), np.inf)
    first = size / 10.0 ** np.floor(np.log10(np.clip(size, 1, 1e30)))
    outside = (values < low) | (values > high)
    return np.where((outside & (first >= 9.9)) | (size >= 1e20) | (values == -99), np.nan, values)


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).casefold())


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))


def _degrees(values: pd.Series, table: pd.DataFrame, origin: str, *, of_hours: bool) -> np.ndarray:
    """A column as degrees, (N,) float64, NaN where missing; sexagesimal right ascension is hours unless it says d."""
    if _is_number(values):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    texts = values.astype("str").fillna("").str.strip()
    degrees = np.array(pd.to_numeric(texts.where(texts != ""), errors="coerce"), dtype=np.float64)
    rest = np.flatnonzero(np.isnan(degrees) & ~texts.str.lower().isin(["", *MISSING]).to_numpy())
    if not len(rest):
        return degrees
    parts = texts.iloc[rest].str.extract(_SEXAGESIMAL)
    whole, minutes, seconds = (
        pd.to_numeric(parts[name]).fillna(0).to_numpy(dtype=np.float64) for name in ("whole", "minutes", "seconds")
    )
    unit = parts["unit"].fillna("").to_numpy(dtype=object)
    hours = of_hours & ~np.isin(unit, ["d", "°"])
    wrong = parts["whole"].isna().to_numpy() | (minutes >= 60) | (seconds > 60) | (hours & (whole > 24))
    wrong |= (unit == "h") & (not of_hours)
    if wrong.any():
        row = int(rest[wrong.argmax()])
        raise CatalogError(
            f"{origin}, {_galaxy(table, row)}: {values.name} is {texts.iloc[row]!r}; write degrees, or "
            f"{'hours as 12:34:56.7 or 12h34m56.7s' if of_hours else 'degrees as +10:22:25.7 or +10d22m25.7s'}"
        )
    sign = np.where(parts["sign"].isin(["-", "−"]), -1.0, 1.0)
    degrees[rest] = sign * (whole + minutes / 60 + seconds / 3600) * np.where(hours, 15.0, 1.0)
    return degrees


def _refuse(wrong: np.ndarray, table: pd.DataFrame, column: str, origin: str, limits: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise CatalogError(
            f"{origin}, {_galaxy(table, row)}: {column} is {table[column].iloc[row]}, outside {limits} degrees "
            f"({int(wrong.sum())} such rows); correct it, or leave it empty where it isn't known"
        )


def _galaxy(table: pd.DataFrame, row: int) -> str:
    return f"galaxy {table['id_str'].iloc[row]}" if "id_str" in table else f"row {row + 1}"
