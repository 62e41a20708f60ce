"""The features of the galaxies of a catalogue, row by row, and which of them lie near one another."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs.inflated import refuse_bombs
from tuningfork.catalogs.parquet import read_columns
from tuningfork.embeddings import embedding_manifest, feature_array
from tuningfork.errors import CatalogError, EmbeddingError, one_line
from tuningfork.explore.catalogue import Catalogue, put_maps
from tuningfork.explore.galaxy_images import aligned

SAMPLE = 100_000  # galaxies from which the scale of the features is taken, where there are more
HELD = 600 << 20  # bytes of features that are held in memory
WIDEST = 1 << 16  # features of a galaxy
CHUNK = 1 << 15  # galaxies compared at once


@dataclass(frozen=True)
class Features:
    """What an encoder makes of each row of a catalogue.

    Parameters
    ----------
    path, manifest
        The embedding that they come from, and what made it.
    values
        (N, F) float32, one row for each of the catalogue's; NaN where there are none.
    """

    path: Path
    manifest: Mapping[str, Any] = field(repr=False)
    values: np.ndarray = field(repr=False)

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

    They are read group by group, so that they are held once; where they are many, in a file that goes with the process.

    Raises
    ------
    EmbeddingError
        If it can't be read, has none of the catalogue's galaxies, or one of them twice.
    """
    source = Path(path)
    manifest = embedding_manifest(source)
    ids = _ids_of(source)
    with pq.ParquetFile(source) as file:
        places = aligned(catalogue, ids)
        rows = _rows_of(places, file.metadata.num_rows, catalogue, source)
        for name in manifest["maps"]:
            axes = file.read(columns=[f"{name}_x", f"{name}_y"])
            put_maps(catalogue, name, np.stack([_placed(column, places) for column in axes.columns], axis=1))
        values = _room(catalogue.rows, file.schema_arrow.field("features").type.list_size)
        start = 0
        for group in range(file.num_row_groups):
            part = feature_array(file.read_row_group(group, columns=["features"])["features"])
            mine = rows[start : start + len(part)]
            values[mine[mine >= 0]] = part[mine >= 0]
            start += len(part)
    return Features(source, manifest, values)


def _ids_of(path: Path) -> pa.ChunkedArray:
    """The ids of an embedding, once it is known that none of its columns unpacks to far more than it is."""
    try:
        with path.open("rb") as source:
            metadata = pq.read_metadata(source)
            schema = metadata.schema.to_arrow_schema()
            refuse_bombs(source, metadata, schema.names, path)
            kind = schema.field("features").type
            if not pa.types.is_fixed_size_list(kind) or not 0 < kind.list_size <= WIDEST:
                raise EmbeddingError(f"{path} holds no features as an embedding does; embed again")
            return read_columns(source, ["id_str"], path)["id_str"]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise EmbeddingError(f"{path} can't be read as an embedding ({one_line(error)}); embed again") from error
    except CatalogError as error:
        raise EmbeddingError(str(error)) from error


def _rows_of(places: np.ndarray, n: int, catalogue: Catalogue, path: Path) -> np.ndarray:
    """The catalogue's row of each row of an embedding, (n,); -1 where it is not in it."""
    found = np.flatnonzero(places >= 0)
    if not len(found):
        first = catalogue.ids(np.array([0]))[0]
        raise EmbeddingError(
            f"{path} has none of the galaxies of {catalogue.path} (the first is {first}); name the embedding of these"
        )
    rows = np.full(n, -1, np.int64)
    rows[places[found]] = found
    if np.count_nonzero(rows >= 0) != len(found):
        raise EmbeddingError(
            f"{catalogue.path} has galaxies twice, so that it is not known whose features are whose; keep one of each"
        )
    return rows


def _placed(column: pa.ChunkedArray, places: np.ndarray) -> np.ndarray:
    """A column of numbers of an embedding, row by row as the catalogue, (N,) float32."""
    values = np.append(column.to_numpy().astype(np.float32), np.float32(np.nan))
    return np.asarray(values[places])


def _room(rows: int, width: int) -> np.ndarray:
    """An array (rows, width) float32 of NaN, in a file where it would take much memory."""
    if 4 * rows * width <= HELD:
        return np.full((rows, width), np.nan, np.float32)
    with tempfile.TemporaryFile(prefix="tuningfork-features-") as file:
        values = np.memmap(file, np.float32, "w+", shape=(rows, width))
    values[:] = np.nan
    return values
