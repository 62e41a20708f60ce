"""Labels joined to images by id, with a report of what did not join."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs.ids import ID_NAMES, find_ids, id_text
from tuningfork.catalogs.names import FILE_COLUMNS, find_column, listed, with_names
from tuningfork.errors import CatalogError
from tuningfork.schemas import Schema, check_labels, without_unasked

EXAMPLES = 5
_ENDING = re.compile(
    r"\.(jpe?g|jfif|jp2|png|tiff?|webp|bmp|gif|avif|ppm|fits?|fts|npy|npz)(\.(gz|fz|bz2|xz|z))?\Z", re.IGNORECASE
)


def _without_ending(name: str) -> str:
    return _ENDING.sub("", name)


def _file_name(name: str) -> str:
    return _without_ending(re.split(r"[/\\]", name)[-1])


# How ids of labels and images are brought together that are not the same text, the surest way first.
KEYS: dict[str, Callable[[str], str]] = {
    "by the names of files without their endings": _without_ending,
    "by the names of files without their folders and endings": _file_name,
    "by ids without a trailing .0": lambda name: name.removesuffix(".0"),
}


@dataclass(frozen=True)
class JoinReport:
    """How many ids joined, and the first few of those on either side that did not.

    `by` says how, where ids are not the same text on both sides.
    """

    joined: int
    images_without_labels: int
    labels_without_images: int
    first_images: tuple[str, ...]
    first_labels: tuple[str, ...]
    by: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


def find_id_column(table: pd.DataFrame, origin: str, schemas: Sequence[Schema] = (), asked: str | None = None) -> str:
    """The column that holds the ids: the one asked for, or `id_str`, another usual name, or a schema's own.

    Raises
    ------
    CatalogError
        If there is none.
    """
    found = find_ids(table, [schema.id_column for schema in schemas]) if asked is None else find_column(table, [asked])
    if found is not None:
        return found
    if asked is not None:
        raise CatalogError(f"{origin} has no column {asked!r}; it has {listed(table)}")
    raise CatalogError(
        f"{origin} has no id column ({', '.join(ID_NAMES)}); it has {listed(table)}: name one with --id-column"
    )


def refuse_duplicates(ids: pd.Series, origin: str) -> None:
    """Every galaxy has an id, and stands in a table once.

    Raises
    ------
    CatalogError
        If an id is missing or stands twice; the first three are named.
    """
    if ids.isna().any():
        raise CatalogError(f"{origin}: row {int(ids.isna().to_numpy().argmax())} has no id; give every galaxy one")
    hashes = np.sort(np.fromiter(map(hash, ids), np.int64, len(ids)))  # a tenth of what looking at texts would hold
    if (hashes[1:] == hashes[:-1]).any() and len(repeated := ids[ids.duplicated()].unique()):
        named = ", ".join(repeated[:3]) + (", ..." if len(repeated) > 3 else "")
        raise CatalogError(f"{origin}: {len(repeated)} ids occur twice or more ({named}); keep one row of each")


def join_labels(
    images: pd.DataFrame,
    labels: pd.DataFrame,
    origin: str,
    schemas: Sequence[Schema] = (),
    id_column: str | None = None,
) -> tuple[pd.DataFrame, JoinReport]:
    """Bring the columns of `labels` to the rows of `images`, by id. An image without labels has missing values.

    Labels without a column of ids are joined by one of file names. Where no id joins as it is, ids are taken for names
    of files: ``folder/a.jpg`` is the image ``a``. A column that both have is taken from the labels, except `file_loc`:
    that is where an image is. Columns of `schemas` are called as there, whatever the case of their letters.

    Raises
    ------
    CatalogError
        If the labels have no id column, an id stands in them twice, or no label joins any image.
    """
    column = _key_column(labels, origin, schemas, id_column)
    labels = labels.assign(id_str=id_text(labels[column], origin)).drop(columns="file_loc", errors="ignore")
    labels = with_names(labels, ["split", *(name for schema in schemas for name in schema.columns)])
    refuse_duplicates(labels["id_str"], origin)
    ours, theirs, by = _keys(images["id_str"], labels["id_str"], origin)
    known = ours.isin(set(theirs))
    orphans = labels.loc[~theirs.isin(set(ours)), "id_str"]
    replaced = [name for name in images.columns if name in labels.columns and name != "id_str"]
    left = images.drop(columns=replaced).assign(**{_KEY: ours})
    right = labels.drop(columns="id_str").assign(**{_KEY: theirs})
    joined = left.merge(right, on=_KEY, how="left", validate="one_to_one").drop(columns=_KEY)
    report = JoinReport(
        joined=int(known.sum()),
        images_without_labels=int((~known).sum()),
        labels_without_images=len(orphans),
        first_images=tuple(images.loc[~known, "id_str"].iloc[:EXAMPLES]),
        first_labels=tuple(orphans.iloc[:EXAMPLES]),
        by=by,
    )
    return joined, report


_KEY = "tuningfork_key"


def _key_column(labels: pd.DataFrame, origin: str, schemas: Sequence[Schema], asked: str | None) -> str:
    if asked is None and find_ids(labels, [schema.id_column for schema in schemas]) is None:
        file_column = find_column(labels, FILE_COLUMNS)
        if file_column is not None:
            return file_column
    return find_id_column(labels, origin, schemas, asked)


def _keys(images: pd.Series, labels: pd.Series, origin: str) -> tuple[pd.Series, pd.Series, str]:
    """What images and labels are joined by, and how that is said; nothing where ids are the same text on both sides."""
    if images.isin(set(labels)).any():
        return images, labels, ""
    for by, key in KEYS.items():
        ours, theirs = images.map(key), labels.map(key)
        if ours.isin(set(theirs)).any() and not ours.duplicated().any() and not theirs.duplicated().any():
            first = theirs.isin(set(ours)).to_numpy().argmax()
            image = images.iloc[(ours == theirs.iloc[first]).to_numpy().argmax()]
            return ours, theirs, f"{by}: {labels.iloc[first]} is the image {image}"
    raise CatalogError(
        f"{origin}: no id joins an image: labels have {', '.join(labels.iloc[:2])}; images have "
        f"{', '.join(images.iloc[:2])}; write them alike, or name the right column with --id-column"
    )


def check_schemas(table: pd.DataFrame, schemas: Sequence[Schema], origin: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Refuse labels that do not fit their schema; else the labels, and how many galaxies have one of each schema.

    Answers of 0 of 0 votes, to questions that nobody was asked, are missing in what comes back.

    Raises
    ------
    SchemaError
        As `schemas.check_labels`.
    """
    counts = {}
    for schema in schemas:
        table = without_unasked(table, schema, origin)
        check_labels(table, schema, origin)
        present = [column for column in schema.columns if column in table]
        counts[schema.name] = int(table[present].notna().any(axis=1).sum())
    return table, counts
