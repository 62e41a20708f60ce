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
from tuningfork.errors import CatalogError
from tuningfork.images.sources.files import FileSource
from tuningfork.images.sources.gather import count
from tuningfork.images.sources.names import ids_of_names

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
    own = source.table.drop(
        columns=[name for name in source.table if name in rows and name not in ("id_str", "file_loc")]
    )
    table = own.merge(rows.drop(columns="id_str", errors="ignore"), on="file_loc", how="outer", sort=False)
    unlisted = int((~own["file_loc"].isin(set(rows["file_loc"]))).sum())
    table = table.iloc[_own_order(table["file_loc"], list(own["file_loc"]))].reset_index(drop=True)
    new = table["id_str"].isna()
    table.loc[new, "id_str"] = ids_of_names(list(table.loc[new, "file_loc"])) if new.any() else []
    column = id_column or find_ids(rows)
    told = source.told
    if column is not None:
        given = id_text(rows[column].set_axis(rows["file_loc"])).reindex(table["file_loc"]).reset_index(drop=True)
        table["id_str"] = given.where(given.notna(), table["id_str"])
        told = replace(told, ids=f"those of the column {column}")
    refuse_duplicates(table["id_str"], source.origin)
    missing = (f"{count(unlisted, 'image')} without a row in it",) if unlisted else ()
    notes = (f"columns of {', '.join(path for path, _ in tables)}", *missing)
    bands = [*source.bands, *([()] * int(new.sum()))] if source.bands else ()
    return replace(
        source,
        table=table,
        bands=bands,
        told=replace(told, notes=(*told.notes, *notes)),
        tables=tuple(Path(path) for path, _ in tables),
    )


def _own_order(files: pd.Series, first: Sequence[str]) -> list[int]:
    """The rows of the images that are there, in their order, and then the others."""
    place = {name: row for row, name in enumerate(files)}
    there = [place[name] for name in first]
    return there + sorted(set(range(len(files))) - set(there))


def _read(path: Path, id_column: str | None) -> pd.DataFrame:
    if path.suffix != ".jsonl":
        return read_table(path, ids=[id_column] if id_column else [])
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError) as error:
        raise CatalogError(f"{path} can't be read as lines of JSON: {error}") from error


def _located(path: str, table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the files they are of, as these are named below the folder."""
    folder = os.path.dirname(path)  # noqa: PTH120
    names = [os.path.join(folder, os.path.normpath(str(name))) for name in table[FILE_NAME]]  # noqa: PTH118
    return table.drop(columns=[FILE_NAME, "file_loc"], errors="ignore").assign(file_loc=names)
