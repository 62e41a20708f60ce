"""The galaxies least like the others, by two measures that fail differently.

The isolation forest (Liu, Ting & Zhou 2008, ICDM, 413) asks how few random cuts of the features set a galaxy apart; the
mean distance to the nearest neighbours (Ramaswamy, Rastogi & Shim 2000, SIGMOD, 427) how empty the space around it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from tuningfork.catalogs import write_table
from tuningfork.embeddings.distances import neighbours, standardise
from tuningfork.embeddings.embedding import Embedding, read_embedding
from tuningfork.embeddings.pictures import finder
from tuningfork.embeddings.similarity import labels_of
from tuningfork.errors import EmbeddingError
from tuningfork.files import refuse_existing
from tuningfork.plotting.sheet import Sheet, Tile
from tuningfork.plotting.style import check_format, plot_files
from tuningfork.progress import progress_bar

K = 10
TREES = 300
ACROSS = 6  # galaxies a line of a sheet
MEASURES = {
    "forest": ("Strangest by isolation forest", "the galaxies that the fewest random cuts of the features set apart"),
    "distance": (
        "Strangest by distance",
        "the galaxies farthest from their nearest neighbours in the space of features",
    ),
}


def anomalies(
    embedding: str | Path,
    out: str | Path,
    *,
    n: int = 24,
    seed: int = 0,
    plots: str = "png",
    overwrite: bool = False,
) -> Path:
    """Rank every galaxy by how strange it is, and show the `n` strangest by each measure on contact sheets.

    The table (.csv, .parquet, .fits, .vot) has a row for every image, strangest first: `id_str`, `file_loc`, `label`
    where it is known, for each of ``forest`` and ``distance`` its `<measure>_score` (higher is more unusual) and
    `<measure>_rank` (1 is strangest; equals share the mean rank), `mean_rank`, which orders it, and `error`. Images
    that could not be read come last, without scores. The sheets are `<table>-forest.png` and `<table>-distance.png`.

    Parameters
    ----------
    embedding : str or path
        As `TrainedModel.embed` writes it.
    out : str or path
        The table to write.
    n : int
        How many are shown.
    seed : int
        Of the forest.
    plots : {'png', 'pdf', 'svg'}
        The sheets are PNG; as PDF or SVG, for a paper, they lie beside it.
    overwrite : bool
        Replace a table that is there already.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    EmbeddingError
        If the embedding can't be read, or has fewer than two readable galaxies.
    CatalogError, OutputError
        If the table has another ending, can't be written, or exists already and `overwrite` is not set.
    """
    check_format(plots)
    space, target = read_embedding(embedding), Path(out)
    sheets = {measure: target.with_name(f"{target.stem}-{measure}.png") for measure in MEASURES}
    refuse_existing(
        [target, *(file for path in sheets.values() for file in plot_files(path, plots))], overwrite=overwrite
    )
    if len(space.readable) < 2:
        raise EmbeddingError(f"{space.path} has fewer than two readable galaxies; there is nothing to compare")
    scores = strangeness(space.features[space.readable], seed)
    labels = labels_of(space)
    table = space.table[["id_str", "file_loc"]].assign(label=labels)
    for measure, values in scores.items():
        score = pd.Series(values, space.readable)  # null elsewhere
        table[f"{measure}_score"], table[f"{measure}_rank"] = score, score.rank(ascending=False)
    table["mean_rank"] = table[[f"{measure}_rank" for measure in scores]].mean(axis=1)
    table["error"] = space.table["error"]
    write_table(table.sort_values("mean_rank", kind="stable", na_position="last"), target)
    for measure, values in scores.items():
        strangest = space.readable[np.argsort(-values, kind="stable")[:n]]
        _sheet(space, strangest, labels, measure).save(sheets[measure], plots)
    return target


def strangeness(features: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Two scores (N,) of features (N, F), finite; in both, higher is more unusual."""
    points = standardise(features)
    with progress_bar("anomalies", len(points)) as advance:
        distances, _ = neighbours(points, min(K, len(points) - 1), advance=advance)
    forest = IsolationForest(n_estimators=TREES, random_state=seed).fit(points)
    return {"forest": -forest.score_samples(points), "distance": distances.mean(axis=1)}


def _sheet(embedding: Embedding, rows: np.ndarray, labels: np.ndarray, measure: str) -> Sheet:
    find, ids = finder(embedding), embedding.table["id_str"]
    tiles = [
        Tile(find(row), [f"{place}. {ids.iloc[row]}", *([labels[row]] if labels[row] else [])])
        for place, row in enumerate(rows, 1)
    ]
    title, note = MEASURES[measure]
    return Sheet(title, note, [tiles[start : start + ACROSS] for start in range(0, len(tiles), ACROSS)])
