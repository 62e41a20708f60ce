"""How well the classes keep together: k-nearest-neighbour purity, and which classes mix.

The purity of a class is the mean, over its galaxies, of the share of their k nearest neighbours that are of the same
class. It is measured among the labelled galaxies of one split, in the space of features and on each map, so that it
also says what a map has lost. A neighbour drawn at random is of the same class with the probability (n - 1) / (N - 1),
for n galaxies of the class among N: that is what chance gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tuningfork.embeddings.distances import neighbours, standardise
from tuningfork.embeddings.embedding import Embedding
from tuningfork.evaluation.bootstrap import Array, Measure, estimate
from tuningfork.progress import progress_bar
from tuningfork.schemas import ClassSchema, class_indices

K = 10
N_BOOTSTRAP = 1000
EVERY = "all"  # the split of galaxies whose splits are not known


def measure_purity(
    embedding: Embedding, *, k: int = K, n_bootstrap: int = N_BOOTSTRAP, seed: int = 0
) -> dict[str, Any]:
    """The purity of every class, for each schema, split and space of an embedding, ready for JSON.

    Returns
    -------
    dict
        ``{schema: {"title", "classes", "splits": {split: {"n", "k", "counts", "chance", "most", "spaces": {space:
        ...}}}}}``. Of each class, `chance` is what chance gives and `most` the highest purity there can be: a class of
        fewer than k + 1 galaxies can't fill a neighbourhood.

        A space is ``features`` or a map. It holds `purity`, the figure over all galaxies, and `class_purity`, a figure
        of lists with an entry for each class, both ``{"value", "n", "interval"}`` with bootstrap 95 % intervals over
        galaxies, the neighbour graph held fixed; and `mixing`, (classes, classes), whose row i is the mean share of
        each class among the neighbours of class i, so that its diagonal is `class_purity`.

        What is undefined, as for a class that no galaxy has, is None. A split of fewer than two labelled galaxies is
        left out.
    """
    jobs = [(schema, *job) for schema in embedding.schemas for job in _groups(embedding, schema)]
    found: dict[str, Any] = {
        schema.name: {"title": schema.title, "classes": [entry.label for entry in schema.classes], "splits": {}}
        for schema in embedding.schemas
    }
    spaces = ("features", *embedding.maps)
    with progress_bar("purity", sum(len(rows) for _, _, rows, _ in jobs) * len(spaces)) as advance:
        for schema, split, rows, classes in jobs:
            found[schema.name]["splits"][split] = _of_group(
                {space: _points(embedding, space, rows) for space in spaces},
                classes,
                len(schema.classes),
                min(k, len(rows) - 1),
                (n_bootstrap, seed),
                advance,
            )
    return found


def neighbour_shares(
    points: np.ndarray,
    classes: np.ndarray,
    n_classes: int,
    k: int,
    advance: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """The share of each class among the `k` nearest neighbours of each point, itself excluded: (N, n_classes).

    Parameters
    ----------
    points
        (N, D), finite.
    classes
        (N,), 0 to n_classes - 1.
    """
    _, found = neighbours(points, k, advance=advance)
    counts = np.zeros((len(points), n_classes))
    for column in found.T:
        counts[np.arange(len(points)), classes[column]] += 1
    return counts / k


def most_mixed(group: dict[str, Any], classes: list[str], space: str = "features") -> list[dict[str, Any]]:
    """Pairs of classes by how much of the first one's neighbourhood is of the second, most first; none at 0."""
    mixing = group["spaces"][space]["mixing"]
    pairs = [
        {
            "class": classes[row],
            "neighbour": classes[column],
            "share": share,
            "chance": group["counts"][column] / (group["n"] - 1),
        }
        for row, shares in enumerate(mixing)
        for column, share in enumerate(shares)
        if row != column and share
    ]
    return sorted(pairs, key=lambda pair: -pair["share"])


def _groups(embedding: Embedding, schema: ClassSchema) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each split its name, the rows of its labelled, readable galaxies, and their classes."""
    classes = class_indices(embedding.table, schema, str(embedding.path))
    known = embedding.readable[classes[embedding.readable] >= 0]
    for split in embedding.splits or (EVERY,):
        rows = known if split == EVERY else known[(embedding.table["split"].iloc[known] == split).to_numpy()]
        if len(rows) > 1:
            yield split, rows, classes[rows]


def _points(embedding: Embedding, space: str, rows: np.ndarray) -> np.ndarray:
    if space != "features":
        positions: np.ndarray = embedding.positions(space)[rows]
        return positions
    # By all galaxies, not by those of the split, so that every split is measured in the same space.
    features: np.ndarray = standardise(embedding.features[embedding.readable])
    return features[np.searchsorted(embedding.readable, rows)]


def _of_group(
    spaces: dict[str, np.ndarray],
    classes: np.ndarray,
    n_classes: int,
    k: int,
    bootstrap: tuple[int, int],
    advance: Callable[[int], None],
) -> dict[str, Any]:
    counts = np.bincount(classes, minlength=n_classes)
    member = np.eye(n_classes)[classes]
    measures: dict[str, Any] = {}
    mixing: dict[str, Any] = {}
    for space, points in spaces.items():
        shares = neighbour_shares(points, classes, n_classes, k, advance)
        measures[space] = _measures(shares[np.arange(len(classes)), classes], member, counts)
        mixing[space] = _plain(member.T @ shares, counts)
    figures = estimate(measures, len(classes), *bootstrap)
    return {
        "n": len(classes),
        "k": k,
        "counts": counts.tolist(),
        "chance": [(int(count) - 1) / (len(classes) - 1) if count else None for count in counts],
        "most": [min(1.0, (int(count) - 1) / k) if count else None for count in counts],
        "spaces": {space: figures[space] | {"mixing": mixing[space]} for space in spaces},
    }


def _measures(own: Array, member: Array, counts: np.ndarray) -> dict[str, Measure]:
    """Purity of all and of each class; `own` (N,) is each galaxy's share of neighbours of its class."""

    def of_each(weights: Array) -> Array:
        drawn = weights @ member
        return np.divide(weights @ (own[:, None] * member), drawn, out=np.full_like(drawn, np.nan), where=drawn > 0)

    return {
        "purity": Measure(lambda weights: weights @ own / weights.sum(axis=1), len(own)),
        "class_purity": Measure(of_each, counts),
    }


def _plain(sums: np.ndarray, counts: np.ndarray) -> list[list[float | None]]:
    return [
        [float(value) / int(count) if count else None for value in row] for row, count in zip(sums, counts, strict=True)
    ]
