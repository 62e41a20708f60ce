"""The embedding file: Parquet, a row for every image, its provenance in the file's own metadata."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import Origin, write_parts
from tuningfork.catalogs.parquet import read_stored
from tuningfork.errors import EmbeddingError
from tuningfork.files import whole_file
from tuningfork.manifests import EmbeddingManifest
from tuningfork.schemas import ClassSchema, schema_from_dict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KEY = b"tuningfork"


@dataclass(frozen=True)
class Embedding:
    """An embedding of N images.

    Parameters
    ----------
    path : Path
        The file that holds it.
    table : DataFrame
        N rows: `id_str`, `file_loc`, `split` and class names where they are known, `error` (null where the image was
        read), and for each map its `<name>_x` and `<name>_y`.
    features : ndarray
        (N, F) float32, NaN where the image could not be read.
    manifest : dict
        What made it: `inputs` (images, model), `geometry`, `seed`, `maps` and their settings, `schemas`.
    schemas : tuple of ClassSchema
        The class lists whose labels the table has.
    encode : callable, optional
        Features (M, F) of other images by the same model; None where the embedding was read from a file alone.
    """

    path: Path
    table: pd.DataFrame = field(repr=False)
    features: np.ndarray = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    schemas: tuple[ClassSchema, ...] = field(repr=False)
    encode: Callable[[Any], np.ndarray] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def readable(self) -> np.ndarray:
        """The rows whose image was read, in order."""
        return np.flatnonzero(self.table["error"].isna().to_numpy())

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of the maps it holds."""
        return tuple(self.manifest["maps"])

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of its readable galaxies: train, val and test in this order; empty where none are known."""
        if "split" not in self.table:
            return ()
        present = set(self.table["split"].iloc[self.readable].dropna())
        return tuple(split for split in ("train", "val", "test") if split in present)

    @property
    def predicted(self) -> dict[str, dict[str, Any]]:
        """The columns of what the model answers: of each its `title`, and the `names` it may hold (none: a number)."""
        return dict(self.manifest.get("predicted", {}))

    def positions(self, name: str) -> np.ndarray:
        """The positions on a map.

        Parameters
        ----------
        name : str
            One of `maps`.

        Returns
        -------
        ndarray
            (N, 2) float64, NaN where the image could not be read.
        """
        return self.table[[f"{name}_x", f"{name}_y"]].to_numpy(dtype=np.float64, na_value=np.nan)

    def to_frame(self) -> pd.DataFrame:
        """The table with the features beside it.

        Returns
        -------
        DataFrame
            N rows; the features are the columns `feature_0`, `feature_1` and so on.
        """
        names = [f"feature_{index}" for index in range(self.features.shape[1])]
        return pd.concat([self.table, pd.DataFrame(self.features, columns=names, index=self.table.index)], axis=1)

    def similar(self, query: Any, n: int = 12) -> pd.DataFrame:
        """The `n` galaxies nearest to another, nearest first.

        Parameters
        ----------
        query : str, path, array or picture
            The id of one of its galaxies; or one image that is not: a file, an array (H, W, C), a picture.
        n : int
            How many.

        Returns
        -------
        DataFrame
            `rank` (1 is nearest), `id_str`, `file_loc`, and `distance`: Euclidean, on standardised features.

        Raises
        ------
        EmbeddingError
            If there is no readable galaxy of that id, or the query is an image and no model is at hand.
        """
        from tuningfork.embeddings.similarity import nearest

        return nearest(self, query, n)

    def plot(self, schema: ClassSchema | None = None) -> Figure:
        """Its maps as a Matplotlib figure, coloured by class where classes are known, else by what the model answers.

        Parameters
        ----------
        schema : ClassSchema, optional
            The class list that gives the colours. Default: the first of `schemas`.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        EmbeddingError
            If it has no map.
        """
        from tuningfork.embeddings.draw import by_class, by_prediction, maps_figure
        from tuningfork.plotting.style import styled

        if not self.maps:
            raise EmbeddingError('it has no map; embed with maps=["pca"], "tsne" or "umap"')
        known, answer = schema or next(iter(self.schemas), None), next(iter(self.predicted), None)
        with styled():
            if known is not None:
                return maps_figure(self, by_class(self, known))
            return maps_figure(self, by_prediction(self, answer) if answer else None)

    def save(self, path: str | Path) -> Path:
        """Write it as Parquet, as `tuningfork embed` does, whole or not at all.

        Parameters
        ----------
        path : str or path
            The file to write.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            If it can't be written.
        """
        with whole_file(Path(path)) as temporary:
            shutil.copyfile(self.path, temporary)
        return Path(path)

    def __repr__(self) -> str:
        n, width = self.features.shape
        return f"Embedding: {n:,} images, {width} features, maps: {', '.join(self.maps) or 'none'}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table.head(5).to_html(index=False)}"


def is_embedding(path: Path) -> bool:
    """Whether a file is an embedding, of whatever version."""
    try:
        return _manifest(path).get("format") == EmbeddingManifest.FORMAT
    except EmbeddingError:
        return False


def read_embedding(path: str | Path, encode: Callable[[Any], np.ndarray] | None = None) -> Embedding:
    """Read an embedding that `TrainedModel.embed` or `tuningfork embed` wrote.

    Parameters
    ----------
    path : str or path
        The Parquet file.
    encode : callable, optional
        As of `Embedding`.

    Returns
    -------
    Embedding

    Raises
    ------
    EmbeddingError
        If it is missing, no embedding, or of a version this software can't read.
    """
    file = Path(path)
    manifest = embedding_manifest(file)
    rows = read_stored(file, EmbeddingError, "embed again")
    described = [schema_from_dict(table, str(file)) for table in manifest["schemas"]]
    schemas = tuple(schema for schema in described if isinstance(schema, ClassSchema))
    try:
        table, features = rows.drop_columns(["features"]).to_pandas(), feature_array(rows["features"])
    except (KeyError, AttributeError, TypeError, ValueError, pa.ArrowException) as error:
        raise EmbeddingError(f"{file} holds no features as an embedding does; embed again") from error
    return Embedding(file, table, features, manifest, schemas, encode)


def embedding_manifest(file: Path) -> dict[str, Any]:
    """What made an embedding.

    Raises
    ------
    EmbeddingError
        As `read_embedding`.
    """
    manifest = _manifest(file)
    if manifest.get("format") != EmbeddingManifest.FORMAT:
        raise EmbeddingError(f"{file} is no embedding; make one with `tuningfork embed`")
    EmbeddingManifest.of(manifest, file)
    return manifest


def write_embedding(out: Path, schema: pa.Schema, rows: Iterable[pa.Table], manifest: dict[str, Any]) -> None:
    """Write tables of rows as one embedding, whole or not at all; `manifest` names the maps."""
    write_parts(schema, rows, out, Origin(manifest))


def feature_array(column: pa.ChunkedArray) -> np.ndarray:
    """A column of features as (N, F) float32, NaN in rows that are null."""
    features = np.full((len(column), column.type.list_size), np.nan, dtype=np.float32)
    start = 0
    for chunk in column.chunks:
        known = np.flatnonzero(chunk.is_valid().to_numpy(zero_copy_only=False))
        # `flatten` leaves the nulls out, whatever lies in their place.
        features[start + known] = chunk.flatten().to_numpy().reshape(-1, features.shape[1])
        start += len(chunk)
    return features


def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise EmbeddingError(f"no embedding at {path}; make it with `tuningfork embed`")
    try:
        text = (pq.read_schema(path).metadata or {}).get(_KEY, b"{}")
        manifest = json.loads(text)
    except (OSError, pa.ArrowException, ValueError, RecursionError) as error:
        raise EmbeddingError(f"{path} can't be read as Parquet; an embedding is made by `tuningfork embed`") from error
    return manifest if isinstance(manifest, dict) else {}
