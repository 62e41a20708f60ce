"""Hugging Face's imagefolder: a table ``metadata`` beside the images, whose `file_name` tells which row is of which."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from tuningfork.catalogs import id_text, read_table, refuse_duplicates
from tuningfork.catalogs.ids import find_ids
from tuningfork.errors import CatalogError, first_line
from tuningfork.sources.files import FileSource
from tuningfork.sources.gather import count
from tuningfork.sources.names import ids_of_names

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE_NAME = "file_name"


def with_metadata(source: FileSource, files: Sequence[str], id_column: str | None) -> FileSource:
    """The images with the columns of the tables beside them; an image that only a table names is a row with an error.

    Parameters
    ----------
    files
        What lies beside the images, tables called ``metadata`` perhaps among them.

    Raises
    ------
    CatalogError
        If a table can't be read, or an id or a file stands twice.
    """
    paths = [name for name in files if os.path.basename(name) in NAMES]  # noqa: PTH119
    tables = [(path, table) for path in paths if FILE_NAME in (table := _read(Path(path), id_column))]
    if not tables:
        return source
    rows = pd.concat([_located(path, table) for path, table in tables], ignore_index=True)
    refuse_duplicates(rows["file_loc"], tables[0][0])
    table = _joined(source.table, rows)
    new = len(table) - source.n
    column = id_column or find_ids(rows)
    if column is not None:
        given = id_text(rows[column].set_axis(rows["file_loc"])).reindex(table["file_loc"]).reset_index(drop=True)
        table["id_str"] = given.where(given.notna(), table["id_str"])
    refuse_duplicates(table["id_str"], source.origin)
    unlisted = int((~source.table["file_loc"].isin(set(rows["file_loc"]))).sum())
    missing = (f"{count(unlisted, 'image')} without a row in it",) if unlisted else ()
    notes = (*source.introduction.notes, f"columns of {', '.join(path for path, _ in tables)}", *missing)
    introduction = replace(
        source.introduction, ids=f"those of the column {column}" if column else source.introduction.ids, notes=notes
    )
    bands = [*source.bands, *([()] * new)] if source.bands else ()
    return replace(
        source, table=table, bands=bands, introduction=introduction, tables=tuple(Path(path) for path, _ in tables)
    )


def _joined(images: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The images, in their order, with their rows, and then the rows without an image, called by their files."""
    own = images.drop(columns=[name for name in rows if name in images and name != "file_loc"], errors="ignore")
    own = own.assign(id_str=images["id_str"])
    joined = own.merge(rows.drop(columns="id_str", errors="ignore"), on="file_loc", how="left")
    others = rows[~rows["file_loc"].isin(set(images["file_loc"]))]
    if others.empty:
        return joined
    named = others.assign(id_str=ids_of_names(list(others["file_loc"])))
    return pd.concat([joined, named], ignore_index=True)


def _read(path: Path, id_column: str | None) -> pd.DataFrame:
    if path.suffix != ".jsonl":
        return read_table(path, ids=[id_column] if id_column else [])
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError) as error:
        raise CatalogError(f"{path} can't be read as lines of JSON: {first_line(error)}") from error


def _located(path: str, table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the files they are of, as these are named below the folder."""
    folder = os.path.dirname(path)  # noqa: PTH120
    names = [os.path.join(folder, os.path.normpath(str(name))) for name in table[FILE_NAME]]  # noqa: PTH118
    return table.drop(columns=[FILE_NAME, "file_loc"], errors="ignore").assign(file_loc=names)
