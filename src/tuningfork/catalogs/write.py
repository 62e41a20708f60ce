"""Writing tables by the ending of their name: CSV, Parquet, FITS table, VOTable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tuningfork.errors import CatalogError
from tuningfork.files import whole_file

# At run time only where one is written: importing it takes a third of a second.
if TYPE_CHECKING:
    from astropy.table import MaskedColumn, Table


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table, whole or not at all.

    In FITS and VOTable missing text becomes empty text. FITS is ASCII: other characters become escapes (``\\xe9``).

    Raises
    ------
    CatalogError
        If the ending is no table's.
    OutputError
        If it can't be written.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise CatalogError(f"{path}: the ending {path.suffix!r} is no table's; use {', '.join(_WRITERS)}")
    with whole_file(path) as temporary:
        write(table, temporary)


def _to_astropy(table: pd.DataFrame, *, ascii_only: bool) -> Table:
    from astropy.table import Table

    return Table({str(name): _plain(table[name], ascii_only=ascii_only) for name in table.columns})


def _plain(values: pd.Series, *, ascii_only: bool) -> np.ndarray | MaskedColumn:
    """A column as astropy's writers take it: numbers, masked where a whole number is missing, or text."""
    missing = values.isna()
    if pd.api.types.is_float_dtype(values):
        return values.to_numpy(dtype=str(values.dtype).lower(), na_value=np.nan)
    if pd.api.types.is_numeric_dtype(values):  # bool and integer
        from astropy.table import MaskedColumn

        whole = values.to_numpy() if not missing.any() else values.fillna(0).to_numpy()
        return MaskedColumn(whole, mask=missing.to_numpy()) if missing.any() else whole
    texts = ["" if gone else str(text) for text, gone in zip(values, missing, strict=True)]
    if ascii_only:
        return np.array([text.encode("ascii", "backslashreplace") for text in texts], dtype=np.bytes_)
    return np.array(texts, dtype=np.str_)


def _write_fits(table: pd.DataFrame, path: Path) -> None:
    _to_astropy(table, ascii_only=True).write(path, format="fits", overwrite=True)


def _write_votable(table: pd.DataFrame, path: Path) -> None:
    _to_astropy(table, ascii_only=False).write(path, format="votable", overwrite=True)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".xml": _write_votable,
}
