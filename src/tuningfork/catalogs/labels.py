"""Labels joined to images by id, with a report of what did not join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs.tables import ID_NAMES, id_text
from tuningfork.errors import CatalogError
from tuningfork.schemas import Schema, check_labels

EXAMPLES = 5


@dataclass(frozen=True)
class JoinReport:
    """How many ids joined, and the first few of those on either side that did not."""

    joined: int
    images_without_labels: int
    labels_without_images: int
    first_images: tuple[str, ...]
    first_labels: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


def find_id_column(table: pd.DataFrame, where: str, schemas: Sequence[Schema] = (), asked: str | None = None) -> str:
    """The column that holds the ids: the one asked for, or `id_str`, another usual name, or a schema's own.

    Raises
    ------
    CatalogError
        If there is none.
    """
    if asked is not None:
        if asked not in table:
            raise CatalogError(f"{where} has no column {asked!r}; it has {', '.join(map(str, table.columns[:8]))}")
        return asked
    for name in (*ID_NAMES, *(schema.id_column for schema in schemas)):
        if name in table:
            return name
    raise CatalogError(
        f"{where} has no id column ({', '.join(ID_NAMES)}); rename one, or name it with pack's --id-column"
    )


def refuse_duplicates(ids: pd.Series, where: str) -> None:
    """Every galaxy has an id, and stands in a table once.

    Raises
    ------
    CatalogError
        If an id is missing or stands twice; the first three are named.
    """
    if ids.isna().any():
        raise CatalogError(f"{where}: row {int(ids.isna().to_numpy().argmax())} has no id; give every galaxy one")
    hashes = np.sort(np.fromiter(map(hash, ids), np.int64, len(ids)))  # a tenth of what looking at texts would hold
    if (hashes[1:] == hashes[:-1]).any() and len(repeated := ids[ids.duplicated()].unique()):
        named = ", ".join(repeated[:3]) + (", ..." if len(repeated) > 3 else "")
        raise CatalogError(f"{where}: {len(repeated)} ids stand there twice or more ({named}); keep one row of each")


def join_labels(
    images: pd.DataFrame, labels: pd.DataFrame, where: str, schemas: Sequence[Schema] = (), id_column: str | None = None
) -> tuple[pd.DataFrame, JoinReport]:
    """Bring the columns of `labels` to the rows of `images`, by id. An image without labels has missing values.

    A column that both have is taken from the labels, except `file_loc`: that is where an image is.

    Raises
    ------
    CatalogError
        If the labels have no id column, an id stands in them twice, or no label joins any image.
    """
    column = find_id_column(labels, where, schemas, id_column)
    labels = labels.assign(id_str=id_text(labels[column])).drop(columns="file_loc", errors="ignore")
    refuse_duplicates(labels["id_str"], where)
    known = images["id_str"].isin(set(labels["id_str"]))
    orphans = labels.loc[~labels["id_str"].isin(set(images["id_str"])), "id_str"]
    if not known.any():
        raise CatalogError(
            f"{where}: no id joins an image: labels have {', '.join(labels['id_str'].iloc[:2])}; "
            f"images have {', '.join(images['id_str'].iloc[:2])}; write them alike, or name the right "
            "column with --id-column"
        )
    replaced = [name for name in images.columns if name in labels.columns and name != "id_str"]
    joined = images.drop(columns=replaced).merge(labels, on="id_str", how="left", validate="one_to_one")
    report = JoinReport(
        joined=int(known.sum()),
        images_without_labels=int((~known).sum()),
        labels_without_images=len(orphans),
        first_images=tuple(images.loc[~known, "id_str"].iloc[:EXAMPLES]),
        first_labels=tuple(orphans.iloc[:EXAMPLES]),
    )
    return joined, report


def check_schemas(table: pd.DataFrame, schemas: Sequence[Schema], where: str) -> dict[str, int]:
    """Refuse labels that do not fit their schema; how many galaxies have a label of each.

    Raises
    ------
    SchemaError
        As `schemas.check_labels`.
    """
    counts = {}
    for schema in schemas:
        check_labels(table, schema, where)
        present = [column for column in schema.columns if column in table]
        counts[schema.name] = int(table[present].notna().any(axis=1).sum())
    return counts
