"""Tables by the ending of their name: CSV, Parquet, FITS table, VOTable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from astropy.table import Table

from tuningfork.errors import CatalogError
from tuningfork.files import whole_file

ID_NAMES = ("id_str", "GalaxyID")


def is_table(path: Path) -> bool:
    """Whether the ending of a name is a table's."""
    return path.suffix.lower() in _READERS


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table; ids (`id_str`, `GalaxyID`) come as text, so that leading zeros and long numbers survive.

    Empty text in a FITS table, which knows no null, is read as null.

    Raises
    ------
    CatalogError
        If the file is missing, not a table, or empty.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise CatalogError(f"{path}: the ending {path.suffix!r} is no table's; use {', '.join(_READERS)}")
    if not path.exists():
        raise CatalogError(f"no such file: {path}")
    try:
        table = _READERS[path.suffix.lower()](path, columns)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise CatalogError(f"{path} can't be read as a {path.suffix} table: {str(error).splitlines()[0]}") from error
    if table.empty:
        raise CatalogError(f"{path} has no rows")
    for name in ID_NAMES:
        if name in table:
            table[name] = id_text(table[name])
    return table


def id_text(ids: pd.Series) -> pd.Series:
    """Ids as text; numbers lose a trailing ``.0``."""
    if pd.api.types.is_float_dtype(ids) and (ids.dropna() % 1 == 0).all():
        ids = ids.astype("Int64")
    return ids.astype(str).astype("object")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table, whole or not at all.

    Raises
    ------
    CatalogError
        If the ending is no table's.
    OutputError
        If it can't be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise CatalogError(f"{path}: the ending {path.suffix!r} is no table's; use {', '.join(_WRITERS)}")
    with whole_file(path) as temporary:
        _WRITERS[path.suffix.lower()](table, temporary)


def _read_csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    return pd.read_csv(path, usecols=columns, dtype=dict.fromkeys(ID_NAMES, str))


def _read_parquet(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    names = pq.ParquetFile(path).schema_arrow.names
    chosen = [name for name in names if name != "image"] if columns is None else list(columns)
    return pd.read_parquet(path, columns=chosen)


def _read_fits(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    return _from_astropy(Table.read(path, format="fits", unit_parse_strict="silent"), columns)


def _read_votable(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    return _from_astropy(Table.read(path, format="votable"), columns)


def _from_astropy(table: Table, columns: Sequence[str] | None) -> pd.DataFrame:
    flat = [name for name in table.colnames if table[name].ndim == 1 and (columns is None or name in columns)]
    frame: pd.DataFrame = table[flat].to_pandas()
    for name in frame:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            texts = frame[name].map(lambda x: x.decode() if isinstance(x, bytes) else x)
            frame[name] = texts.where(texts.notna() & (texts != ""), None)
    return frame


def _to_astropy(table: pd.DataFrame) -> Table:
    columns = {}
    for name in table:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not isinstance(values.dtype, pd.api.extensions.ExtensionDtype):
            columns[name] = values.to_numpy()
        elif pd.api.types.is_numeric_dtype(values):
            columns[name] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            columns[name] = np.array(["" if pd.isna(text) else str(text) for text in values], dtype=str)
    return Table(columns)


def _write_fits(table: pd.DataFrame, path: Path) -> None:
    _to_astropy(table).write(path, format="fits", overwrite=True)


def _write_votable(table: pd.DataFrame, path: Path) -> None:
    _to_astropy(table).write(path, format="votable", overwrite=True)


_READERS: dict[str, Callable[[Path, Sequence[str] | None], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".fits": _read_fits,
    ".vot": _read_votable,
    ".xml": _read_votable,
}
_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".xml": _write_votable,
}
