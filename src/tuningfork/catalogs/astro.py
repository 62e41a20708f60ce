"""Tables through astropy: FITS, VOTable, ECSV and the other formats of text that astronomers have."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pandas as pd

from tuningfork.catalogs.sky import find_position_columns
from tuningfork.errors import CatalogError

# At run time only where one is read or written: importing them takes a third of a second.
if TYPE_CHECKING:
    from astropy.table import Table

log = logging.getLogger(__name__)


def read_fits(source: Path | BinaryIO, where: str) -> pd.DataFrame:
    """The first table of a FITS file; a file of images alone has none."""
    from astropy.io import fits
    from astropy.table import Table

    with _quiet(), fits.open(source) as units:
        tables = [i for i, unit in enumerate(units) if isinstance(unit, fits.BinTableHDU | fits.TableHDU)]
        tables = [i for i in tables if not isinstance(units[i], fits.CompImageHDU)]
        if not tables:
            raise CatalogError(f"{where} holds no table, only images")
        if len(tables) > 1:
            names = ", ".join(units[i].name or str(i) for i in tables)
            log.warning("%s holds %d tables (%s); the first is read", where, len(tables), names)
        return _frame(Table.read(units[tables[0]], unit_parse_strict="silent"))


def read_votable(source: Path | BinaryIO, where: str) -> pd.DataFrame:
    """The first table of a VOTable file, its columns by name."""
    from astropy.io import votable

    with _quiet():
        tables = list(votable.parse(source, verify="ignore").iter_tables())
        if not tables:
            raise CatalogError(f"{where} holds no table")
        if len(tables) > 1:
            log.warning("%s holds %d tables; the first is read", where, len(tables))
        return _frame(tables[0].to_table(use_names_over_ids=True))


def text_reader(kind: str) -> Callable[[str], pd.DataFrame]:
    """The reader of one of astropy's formats of text, such as ``ascii.ecsv``: it takes the text itself."""

    def read(text: str) -> pd.DataFrame:
        from astropy.table import Table

        with _quiet():
            return _frame(Table.read(text.splitlines(), format=kind))

    return read


@contextmanager
def _quiet() -> Iterator[None]:
    """Without astropy's remarks on units, names and standards that a user of the table can't mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _frame(table: Table) -> pd.DataFrame:
    """Columns of one value a row (a vector has no place in a frame), empty text as missing, positions in degrees."""
    table = table[[name for name in table.colnames if table[name].ndim == 1]]
    found: pd.DataFrame = table.to_pandas()
    columns = {name: _text(found[name]) if not _is_number(found[name]) else found[name] for name in found}
    for name in find_position_columns(found) or ():
        scale = _DEGREES.get(str(table[name].unit))
        if scale is not None and pd.api.types.is_float_dtype(found[name]):
            columns[name] = found[name] * scale
    return pd.DataFrame(columns, index=found.index)


def _text(values: pd.Series) -> pd.Series:
    texts = values.astype(object).map(lambda x: x.decode("utf-8", "replace") if isinstance(x, bytes) else x)
    return texts.where(texts.notna() & (texts != ""), None)


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))


_DEGREES = {"rad": 180 / math.pi, "h": 15.0, "hourangle": 15.0}  # of one unit of right ascension
