"""The features of the galaxies of a catalogue, row by row, and which of them lie near one another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tuningfork.embeddings import Embedding, read_embedding
from tuningfork.errors import EmbeddingError
from tuningfork.explore.catalogue import Catalogue, put_maps
from tuningfork.explore.galaxy_images import aligned

SAMPLE = 100_000  # galaxies from which the scale of the features is taken, where there are more
CHUNK = 1 << 15  # galaxies compared at once


@dataclass(frozen=True)
class Features:
    """What an encoder makes of each row of a catalogue.

    Parameters
    ----------
    embedding
        Where they come from.
    values
        (N, F) float32, one row for each of the catalogue's; NaN where there are none.
    """

    embedding: Embedding
    values: np.ndarray

    @cached_property
    def known(self) -> np.ndarray:
        """Which rows have features, (N,) bool."""
        return np.asarray(~np.isnan(self.values[:, 0]))

    @cached_property
    def _scale(self) -> np.ndarray:
        """One over the standard deviation of each feature, (F,); 0 of one that never changes."""
        step = max(1, len(self.values) // SAMPLE)
        spread = self.values[::step][self.known[::step]].std(axis=0)
        return np.asarray(np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0))

    def nearest(self, row: int, n: int) -> list[tuple[int, float]]:
        """The `n` rows nearest to one, with their distances: Euclidean, on standardised features.

        Raises
        ------
        EmbeddingError
            If the row has no features.
        """
        if not self.known[row]:
            raise EmbeddingError("the embedding has no features of this galaxy")
        own = self.values[row] * self._scale
        squares = np.empty(len(self.values), np.float32)
        for start in range(0, len(squares), CHUNK):
            part = self.values[start : start + CHUNK] * self._scale - own
            squares[start : start + CHUNK] = np.einsum("nf,nf->n", part, part)
        squares[row] = np.inf
        squares[~self.known] = np.inf
        n = min(n, int(self.known.sum()) - 1)
        found = np.argpartition(squares, n)[:n] if n else np.arange(0)
        found = found[np.argsort(squares[found], kind="stable")]
        return [(int(each), float(np.sqrt(squares[each]))) for each in found]


def align(catalogue: Catalogue, path: str | Path) -> Features:
    """The features of an embedding, row by row as the catalogue; its maps become columns.

    Raises
    ------
    EmbeddingError
        If it can't be read, or has none of the catalogue's galaxies.
    """
    embedding = read_embedding(path)
    places = aligned(catalogue, embedding.table["id_str"])
    found = places >= 0
    if not found.any():
        first = catalogue.ids(np.array([0]))[0]
        raise EmbeddingError(
            f"{path} has none of the galaxies of {catalogue.path} (the first is {first}); name the embedding of these"
        )
    for name in embedding.maps:
        positions = np.full((catalogue.rows, 2), np.nan)
        positions[found] = embedding.positions(name)[places[found]]
        put_maps(catalogue, name, positions)
    if len(places) == len(embedding.features) and (places == np.arange(len(places))).all():
        return Features(embedding, embedding.features)
    values = np.full((catalogue.rows, embedding.features.shape[1]), np.nan, np.float32)
    values[found] = embedding.features[places[found]]
    return Features(embedding, values)
