"""Reading tables by the ending of their name: text stays text, what is missing stays so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq

from tuningfork.errors import CatalogError

# At run time only where one is read: importing it takes a third of a second.
if TYPE_CHECKING:
    from astropy.table import Table

ID_NAMES = ("id_str", "GalaxyID", "iauname", "dr7objid", "dr8_id", "objid")  # the surest first


def is_table(path: Path) -> bool:
    """Whether the ending of a name is a table's."""
    return path.suffix.lower() in _READERS


def read_table(path: str | Path, columns: Sequence[str] | None = None, *, ids: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table; pixels (the column `image`) are left out.

    Ids (`id_str`, other usual names and the columns `ids`) come as text, so that leading zeros and long numbers
    survive. FITS and VOTable know no missing text: empty text there is read as missing.

    Raises
    ------
    CatalogError
        If the file is missing, not a table, without rows, or without one of `columns`.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise CatalogError(f"{path}: the ending {path.suffix!r} is no table's; use {', '.join(_READERS)}")
    if not path.is_file():
        raise CatalogError(f"no such file: {path}")
    names = (*ID_NAMES, *ids)
    try:
        table = read(path, names)
    except Exception as error:  # readers throw whatever they like at a file that is not what its name says
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise CatalogError(f"{path} can't be read as a {path.suffix} table: {why}") from error
    if len(table) == 0:
        raise CatalogError(f"{path} has no rows")
    for column in columns or ():
        if column not in table:
            raise CatalogError(f"{path} has no column {column!r}; it has {', '.join(map(str, table.columns[:8]))}")
    table = table if columns is None else table[list(columns)].copy()
    for name in names:
        if name in table:
            table[name] = id_text(table[name])
    return table


def id_text(ids: pd.Series) -> pd.Series:
    """Ids as text; whole numbers lose a trailing ``.0``, text its surrounding blanks. A missing id stays missing."""
    known = ids.notna()
    if pd.api.types.is_float_dtype(ids) and (ids[known] % 1 == 0).all():
        ids = ids.astype("Int64")
    texts = ids.astype(str).str.strip()
    return texts if known.all() else texts.where(known, None)


def _read_csv(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    return pd.read_csv(path, dtype=dict.fromkeys(ids, str), encoding="utf-8-sig", low_memory=False)


def _read_parquet(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    names = [name for name in pq.read_schema(path).names if name != "image"]
    frame: pd.DataFrame = pq.read_table(path, columns=names).to_pandas()
    return frame


def _read_fits(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    from astropy.table import Table

    return _from_astropy(Table.read(path, format="fits", unit_parse_strict="silent"))


def _read_votable(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    from astropy.table import Table

    return _from_astropy(Table.read(path, format="votable"))


def _from_astropy(table: Table) -> pd.DataFrame:
    """Columns of one value a row (a vector has no place in a frame), empty text as missing."""
    frame: pd.DataFrame = table[[name for name in table.colnames if table[name].ndim == 1]].to_pandas()
    for name in frame:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            texts = frame[name].astype(object).map(lambda x: x.decode() if isinstance(x, bytes) else x)
            frame[name] = texts.where(texts.notna() & (texts != ""), None)
    return frame


_READERS: dict[str, Callable[[Path, Sequence[str]], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".fits": _read_fits,
    ".vot": _read_votable,
    ".xml": _read_votable,
}
