"""Tables through astropy: FITS, VOTable, ECSV and the other formats of text that astronomers have."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.parsers import expat

import pandas as pd

from tuningfork.catalogs.sky import find_position_columns
from tuningfork.catalogs.write.columns import ABOUT
from tuningfork.errors import CatalogError

# At run time only where one is read or written: importing them takes a third of a second.
if TYPE_CHECKING:
    from astropy.table import Table

log = logging.getLogger(__name__)


def read_fits(source: Path | BinaryIO, origin: str) -> pd.DataFrame:
    """The first table of a FITS file; a file of images alone has none."""
    from astropy.io import fits
    from astropy.table import Table

    with _quiet(), fits.open(source, logical_as_bytes=True) as units:
        tables = [i for i, unit in enumerate(units) if isinstance(unit, fits.BinTableHDU | fits.TableHDU)]
        tables = [i for i in tables if not isinstance(units[i], fits.CompImageHDU)]
        if not tables:
            raise CatalogError(f"{origin} holds no table, only images")
        if len(tables) > 1:
            names = ", ".join(units[i].name or str(i) for i in tables)
            log.warning("%s holds %d tables (%s); the first is read", origin, len(tables), names)
        unit = units[tables[0]]
        frame = _frame(Table.read(unit, unit_parse_strict="silent"), _fits_about(unit))
        for name, form in zip(unit.columns.names, unit.columns.formats, strict=True):
            if name in frame and form in ("L", "1L"):  # a zero byte is a missing truth value
                truth = frame[name].map({"T": True, "F": False})
                frame[name] = truth.astype("boolean" if truth.isna().any() else bool)
        return _unescaped(frame) if "TFTEXT" in unit.header else frame


def _fits_about(unit: Any) -> dict[str, list[str]]:
    """What a FITS table says of each column: description, unit, UCD."""
    return {
        name: [str(unit.header.get(f"{key}{place}", "")) for key in ("TCOMM", "TUNIT", "TUCD")]
        for place, name in enumerate(unit.columns.names, start=1)
    }


def _unescaped(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its names and what is said of them as they were before `catalogs.write.fits` escaped them."""
    said = {_plain(name): [_plain(text) for text in texts] for name, texts in frame.attrs[ABOUT].items()}
    frame = frame.rename(columns=_plain)
    frame.attrs[ABOUT] = said
    return frame


def _plain(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")


def read_votable(source: BinaryIO, origin: str) -> pd.DataFrame:
    """The first table of a VOTable file, its columns by name.

    Raises
    ------
    CatalogError
        If it holds no table, or refers to what lies elsewhere.
    """
    from astropy.io import votable

    _refuse_references(source, origin)
    source.seek(0)
    with _quiet():
        tables = list(votable.parse(source, verify="ignore").iter_tables())
        if not tables:
            raise CatalogError(f"{origin} holds no table")
        if len(tables) > 1:
            log.warning("%s holds %d tables; the first is read", origin, len(tables))
        fields = tables[0].fields
        said = {f.name: [str(f.description or ""), str(f.unit or ""), str(f.ucd or "")] for f in fields}
        return _frame(tables[0].to_table(use_names_over_ids=True), said)


def _refuse_references(source: BinaryIO, origin: str) -> None:
    """See that a VOTable holds its data itself: astropy would open the file or the address that a STREAM refers to.

    A document type may be named, as old tables do, for it is not read; entities are not declared.
    """

    def start(name: str, attributes: dict[str, str]) -> None:
        for attribute, value in attributes.items():
            if _local(name) == "stream" and _local(attribute) == "href":
                raise CatalogError(
                    f"{origin}: a STREAM refers to {value[:200]!r}, and tables are read from their own bytes alone; "
                    "save the table with its data in it (TABLEDATA)"
                )

    def entity(name: str, *_: Any) -> None:
        raise CatalogError(f"{origin} declares the entity {name[:100]!r}, which tables have no use for; remove it")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = entity
    parser.ParseFile(source)


def _local(name: str) -> str:
    """A name of XML without its namespace, in small letters."""
    return name.rpartition(":")[2].lower()


def text_reader(kind: str) -> Callable[[str], pd.DataFrame]:
    """The reader of one of astropy's formats of text, such as ``ascii.ecsv``: it takes the text itself."""

    def read(text: str) -> pd.DataFrame:
        from astropy.table import Table

        with _quiet():
            return _frame(Table.read(text.splitlines(), format=kind))

    return read


@contextmanager
def _quiet() -> Iterator[None]:
    """Without astropy's remarks on units, names and standards that a user of the table can't mend.

    Where a column holds times, astropy would look for new leap seconds on the network: not here.
    """
    from astropy.utils.iers import conf

    with warnings.catch_warnings(), conf.set_temp("auto_download", False):
        warnings.simplefilter("ignore")
        yield


def _frame(table: Table, said: dict[str, list[str]] | None = None) -> pd.DataFrame:
    """Columns of one value a row (a vector has no place in a frame), empty text as missing, positions in degrees.

    `said` is what the file says of the columns, unless given what astropy does; the frame keeps it in its `attrs`.
    """
    said = dict(said or {name: _about(table[name]) for name in table.colnames})
    table = table[[name for name in table.colnames if table[name].ndim == 1]]
    found: pd.DataFrame = table.to_pandas()
    columns = {name: _text(found[name]) if not _is_number(found[name]) else found[name] for name in found}
    for name in find_position_columns(found) or ():
        scale = _DEGREES.get(str(table[name].unit))
        if scale is not None and pd.api.types.is_float_dtype(found[name]):
            columns[name] = found[name] * scale
            said |= {name: [said[name][0], "deg", said[name][2]]} if name in said else {}
    frame = pd.DataFrame(columns, index=found.index)
    frame.attrs[ABOUT] = {str(name): said[str(name)] for name in frame if any(said.get(str(name), []))}
    return frame


def _about(column: Any) -> list[str]:
    """Description, unit and UCD of a column of astropy's."""
    found = column.info  # which times and positions have, too
    return [str(found.description or ""), str(found.unit or ""), str((found.meta or {}).get("ucd", ""))]


def _text(values: pd.Series) -> pd.Series:
    texts = values.astype(object).map(lambda x: x.decode("utf-8", "replace") if isinstance(x, bytes) else x)
    return texts.where(texts.notna() & (texts != ""), None)


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))


_DEGREES = {"rad": 180 / math.pi, "h": 15.0, "hourangle": 15.0}  # of one unit of right ascension
