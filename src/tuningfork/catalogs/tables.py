"""Reading any table, recognised by its content: text stays text, what is missing stays so, no id loses a digit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from tuningfork.catalogs.arrow_file import MAGIC
from tuningfork.catalogs.astro import read_fits, read_votable
from tuningfork.catalogs.compressed import ENDINGS as COMPRESSED
from tuningfork.catalogs.compressed import decompressed
from tuningfork.catalogs.delimited import read_delimited
from tuningfork.catalogs.ids import are_ids, find_ids, id_text
from tuningfork.catalogs.journal import BEGINNING, read_journal
from tuningfork.catalogs.names import find_column, listed, with_names
from tuningfork.catalogs.parquet import read_feather, read_parquet
from tuningfork.catalogs.write.columns import STORED
from tuningfork.errors import CatalogError, first_line

TEXT = (".csv", ".tsv", ".tab", ".txt", ".dat", ".asc", ".ecsv", ".tbl")
ENDINGS = (*TEXT, ".parquet", ".feather", ".arrow", ".fits", ".fit", ".fts", ".vot", ".votable", ".xml")
OURS = ("id_str", "file_loc", "split")  # columns whose names are ours, in whatever case they are written
TableLike = str | Path | pd.DataFrame | Any  # a file, a DataFrame or an astropy Table
_OTHERS = {
    b"\x89HDF": "HDF5",
    b"%PDF": "PDF",
    b"\xff\xd8\xff": "a JPEG",
    b"\x89PNG": "a PNG",
    b"\xd0\xcf\x11\xe0": "Excel",
}


def is_table(path: Path) -> bool:
    """Whether the ending of a name is a table's: ``.csv``, ``.fits.gz``."""
    name = path.name.lower()
    return (name.rpartition(".")[0] if name.endswith(COMPRESSED) else name).endswith(ENDINGS)


def read_table(path: str | Path, columns: Sequence[str] | None = None, *, ids: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table; pixels (the column `image`) are left out.

    Its format is recognised by content, not by name: text with commas, tabs, semicolons, bars or blanks between its
    columns, with or without lines of remarks, in UTF-8, UTF-16 or Western European; ECSV, IPAC, CDS and SExtractor
    tables; Parquet and Feather; FITS; VOTable; each compressed or not. A journal of labels gives what counts of it.

    Ids (`id_str`, other usual names and the columns `ids`) come as text, so that leading zeros and long numbers
    survive. In columns of text only empty cells are missing; among numbers ``nan``, ``NA`` and the like are, too. FITS
    and VOTable know no missing text: empty text there is read as missing. A pandas index with a name is a column; codes
    of a Hugging Face ClassLabel are the names of the classes. `columns`, `id_str`, `file_loc` and `split` are found
    whatever the case of their letters.

    Raises
    ------
    CatalogError
        If the file is missing, not a table, without rows, or without one of `columns`; if ids were rounded.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogError(f"no such file: {path}")
    try:
        with decompressed(path) as source:
            table = _read(path, source, ids)
    except CatalogError:
        raise
    except Exception as error:  # readers throw whatever they like at a file that is damaged
        raise CatalogError(f"{path} can't be read as a table: {first_line(error)}") from error
    if len(table) == 0:
        raise CatalogError(f"{path} has no rows")
    table = with_names(table, [*OURS, *(columns or ())])
    for column in columns or ():
        if column not in table:
            raise CatalogError(f"{path} has no column {column!r}; it has {listed(table)}")
    return _with_text_ids(table if columns is None else table[list(columns)], ids, str(path))


def table_of(given: TableLike, *, ids: Sequence[str] = ()) -> pd.DataFrame:
    """A table as `read_table` gives it: of a file, or of a DataFrame or an astropy Table that is in memory.

    Raises
    ------
    CatalogError
        As `read_table`; or if it is neither.
    """
    if isinstance(given, str | Path):
        return read_table(given, ids=ids)
    if not isinstance(given, pd.DataFrame):
        to_pandas = getattr(given, "to_pandas", None)
        if to_pandas is None:
            raise CatalogError(f"a {type(given).__name__} is no table; give a DataFrame, an astropy Table or a file")
        given = to_pandas()
    frame = given if isinstance(given.index, pd.RangeIndex) else given.reset_index(drop=given.index.name is None)
    if len(frame) == 0:
        raise CatalogError("the table has no rows")
    return _with_text_ids(with_names(frame.reset_index(drop=True), OURS), ids, name_of(given))


def name_of(given: TableLike) -> str:
    """What errors call a table: its path, or ``the table``."""
    return str(given) if isinstance(given, str | Path) else "the table"


def _read(path: Path, source: BinaryIO, ids: Sequence[str]) -> pd.DataFrame:
    start = source.read(64)
    source.seek(0)
    other = next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), None)
    if other is not None:
        raise CatalogError(f"{path} is {other}, no table that is read; save it as CSV, Parquet, FITS or VOTable")
    if not start:
        raise CatalogError(f"{path} is empty")
    if start.startswith(BEGINNING):
        return read_journal(source, path)
    if start.startswith(b"PAR1"):
        return read_parquet(source, ids, path)
    if start.startswith(b"FEA1"):
        raise CatalogError(
            f"{path} is Feather of the first version, which is not read; write it as Feather 2 or Parquet"
        )
    if start.startswith(MAGIC):
        return read_feather(source, ids, path)
    if start.startswith(b"SIMPLE  ="):
        return read_fits(source, str(path))
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<?xml", b"<VOTABLE")):
        return read_votable(source, str(path))
    return read_delimited(source, str(path), ids)


def _with_text_ids(table: pd.DataFrame, ids: Sequence[str], origin: str) -> pd.DataFrame:
    """Columns of ids as text. One that was rounded is refused where it is the id; beside that it is but a number.

    The type of those that were whole numbers is kept in `attrs`.
    """
    own = {find_ids(table), *(find_column(table, [name]) for name in ids)}
    texts = {}
    for name in (name for name in table.columns if are_ids(name, ids)):
        with nullcontext() if name in own else suppress(CatalogError):
            texts[name] = id_text(table[name], origin)
    whole = {str(name): str(table[name].dtype).lower() for name in texts if pd.api.types.is_integer_dtype(table[name])}
    table = table.assign(**texts)
    table.attrs[STORED] = table.attrs.get(STORED, {}) | whole
    return table
