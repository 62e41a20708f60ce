"""The galaxies most like a given one."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from tuningfork.catalogs import write_table
from tuningfork.embeddings.distances import neighbours, standardise
from tuningfork.embeddings.embedding import Embedding, read_embedding
from tuningfork.embeddings.pictures import finder
from tuningfork.errors import EmbeddingError
from tuningfork.files import refuse_existing
from tuningfork.plotting.sheet import Sheet, Tile
from tuningfork.plotting.style import check_format, plot_files
from tuningfork.schemas import class_indices

ACROSS = 6  # neighbours a line of the sheet


def similar(
    embedding: str | Path,
    ids: Sequence[str],
    out: str | Path,
    *,
    n: int = 12,
    plots: str = "png",
    overwrite: bool = False,
) -> Path:
    """List the `n` galaxies nearest to each of those named, and show them on a contact sheet beside the table.

    The table (.csv, .parquet, .fits, .vot) has `query`, `rank` (1 is nearest), `id_str`, `file_loc`, `distance`
    (Euclidean, on standardised features) and `label`, the class where the embedding knows it. The sheet has the table's
    name and the ending .png; `plots` may ask for ``pdf`` or ``svg`` beside it.

    Raises
    ------
    EmbeddingError
        If the embedding can't be read, or holds no readable galaxy of that id.
    CatalogError, OutputError
        If the table has another ending, can't be written, or exists already and `overwrite` is not set.
    """
    check_format(plots)
    space, target = read_embedding(embedding), Path(out)
    sheet = target.with_suffix(".png")
    refuse_existing([target, *plot_files(sheet, plots)], overwrite=overwrite)
    rows = [_row(space, identity) for identity in ids]
    n = min(n, len(space.readable) - 1)
    distances, found = neighbours(
        standardise(space.features[space.readable]), n, rows=np.searchsorted(space.readable, rows)
    )
    found = space.readable[found]
    labels = labels_of(space)
    table = space.table.iloc[found.ravel()][["id_str", "file_loc"]].reset_index(drop=True)
    table.insert(0, "rank", np.tile(np.arange(1, n + 1), len(rows)))
    table.insert(0, "query", np.repeat(list(ids), n))
    write_table(table.assign(distance=distances.ravel(), label=labels[found.ravel()]), target)
    _sheet(space, rows, found, labels).save(sheet, plots)
    return target


def nearest(embedding: Embedding, query: Any, n: int) -> pd.DataFrame:
    """What `Embedding.similar` gives."""
    rows = embedding.readable
    if isinstance(query, str) and (embedding.table["id_str"] == query).any():
        own = _row(embedding, query)
        wanted, rows = embedding.features[[own]], rows[rows != own]
    else:
        wanted = _encoded(embedding, query)
    scale = StandardScaler().fit(embedding.features[embedding.readable])
    apart = np.linalg.norm(scale.transform(embedding.features[rows]) - scale.transform(wanted), axis=1)
    order = np.argsort(apart, kind="stable")[:n]
    found = embedding.table.iloc[rows[order]][["id_str", "file_loc"]].reset_index(drop=True)
    found.insert(0, "rank", np.arange(1, len(order) + 1))
    return found.assign(distance=apart[order])


def _encoded(embedding: Embedding, query: Any) -> np.ndarray:
    """The features (1, F) of one other image."""
    if embedding.encode is None:
        what = f"has no galaxy {query!r}" if isinstance(query, str) else "was read from a file, without its model"
        raise EmbeddingError(f"{embedding.path} {what}; to compare another image, make the embedding with model.embed")
    features = embedding.encode(query)
    if len(features) != 1:
        raise EmbeddingError(f"{len(features)} images were given; give one")
    return features


def labels_of(embedding: Embedding) -> np.ndarray:
    """What the embedding knows of each galaxy: the label of its class by the first schema that has one, else None."""
    labels = np.full(len(embedding.table), None, dtype=object)
    for schema in reversed(embedding.schemas):
        classes = class_indices(embedding.table, schema, str(embedding.path))
        names = np.array([entry.label for entry in schema.classes], dtype=object)
        labels = np.where(classes >= 0, names[classes], labels)
    return labels


def _row(embedding: Embedding, identity: str) -> int:
    ids = embedding.table["id_str"]
    rows = np.flatnonzero((ids == identity).to_numpy())
    if not len(rows):
        near = get_close_matches(identity, ids, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"its ids look like {ids.iloc[0]!r}"
        raise EmbeddingError(f"{embedding.path} has no galaxy {identity!r}; {hint}")
    error = embedding.table["error"].iloc[rows[0]]
    if isinstance(error, str):
        raise EmbeddingError(f"{embedding.path}: the image of {identity!r} could not be read ({error}); choose another")
    return int(rows[0])


def _sheet(embedding: Embedding, queries: Sequence[int], found: np.ndarray, labels: np.ndarray) -> Sheet:
    """A query at the left, its neighbours in order beside it."""
    find, ids = finder(embedding), embedding.table["id_str"]

    def tile(row: int, *, framed: bool = False) -> Tile:
        return Tile(find(row), [ids.iloc[row], *([labels[row]] if labels[row] else [])], framed)

    lines: list[list[Tile | None]] = []
    for query, nearest in zip(queries, found, strict=True):
        for start in range(0, len(nearest), ACROSS):
            first = None if start else tile(query, framed=True)
            lines.append([first, *(tile(row) for row in nearest[start : start + ACROSS])])
    note = "framed: the galaxy asked about; beside it the nearest by its features, nearest first"
    return Sheet("Similar galaxies", note, lines)
