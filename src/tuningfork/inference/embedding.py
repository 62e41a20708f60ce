"""Images to features and their maps: streaming as prediction does, a row for every image asked about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tuningfork.embeddings import check_maps, make_maps, summary_files, write_embedding, write_summary
from tuningfork.embeddings.embedding import feature_array
from tuningfork.errors import ImageError
from tuningfork.files import refuse_existing, stamp
from tuningfork.images import Decoded
from tuningfork.inference.bulk import Bulk, How
from tuningfork.inference.carried import join
from tuningfork.inference.described import (
    SPLIT,
    Columns,
    features_column,
    label_column,
    map_column,
    names,
    remarks,
    table_of,
)
from tuningfork.inference.leading import leading_answers, predicted_manifest
from tuningfork.inference.origin import model_origin
from tuningfork.inference.output import check_target
from tuningfork.inference.shards import nothing_read
from tuningfork.manifests import EmbeddingManifest
from tuningfork.models import DEFAULT_MODEL, Model, load_model
from tuningfork.packs import Pack, PackSource
from tuningfork.plotting.style import check_format
from tuningfork.schemas import ClassSchema, Schema, class_indices, schema_to_dict
from tuningfork.sources import ImageOptions, Images


def embed(
    images: Images | Pack,
    out: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    maps: Sequence[str] = ("pca",),
    seed: int = 0,
    plots: str = "png",
    device: str = "auto",
    engine: str | Path = "auto",
    options: ImageOptions | None = None,
    workers: int | None = None,
    ray: str | None = None,
    overwrite: bool = False,
    profile: bool = False,
) -> Path:
    """The features of every image of a source, and where each lies on the maps, as one Parquet table.

    Parameters
    ----------
    images
        A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.
    out
        The embedding to write (.parquet). A row for every image: `id_str`, `ra`, `dec`, `file_loc`;
        `predicted_<schema>`, the model's leading answer; `features` (F float32, what the encoder makes of the image);
        `error`, null where the image was read; `split` and class names, where a pack or catalog gives them (by the
        schemas of the pack, or else of the model); `<map>_x` and `<map>_y`; and the catalogue's columns, as in
        `predict`. Plots of the maps and the purity of the classes are written beside it.
    maps
        Any of ``pca``, ``tsne``, ``umap``; empty for the features alone.
    seed
        Of the maps and of the intervals of the purity.
    plots
        Plots are PNG; ``pdf`` or ``svg`` lie beside it.
    engine
        As of `predict`.
    options
        As of `predict`.
    ray
        The address of a Ray cluster that finds the features, or ``local``: see `inference.ray`. Rows are the same.

    With `profile` it is said at the end what the time went to.

    Rows are kept in shards beside `out` until all are there: the same call after a kill goes on after the last shard.
    A file that exists already is kept unless `overwrite`.

    Raises
    ------
    CatalogError, ModelError, OutputError, PackError, SchemaError
        If the images, their labels or the model can't be read, or the output can't be written.
    ImageError
        If not one image could be read.
    TuningforkError
        If a map needs a library that is not installed, or there are too few images for one.
    """
    target = Path(out)
    network = load_model(model)
    check_maps(maps)
    check_format(plots)
    bulk = Bulk(
        "embed",
        EmbeddingManifest.VERSION,
        images,
        target,
        model=model,
        network=network,
        answer=_batch_rows,
        views=1,
        how=How(device, engine, options, workers, ray, overwrite, profile),
    )
    source = bulk.source
    asked = source.pack.schemas if isinstance(source, PackSource) else network.schemas
    labels, schemas = _labels(source.asked, asked, "the images")

    def make(shards: list[Path], place: Path) -> None:
        if nothing := nothing_read(shards):
            bulk.job.finish()
            raise ImageError(nothing)
        positions, settings = _positions(shards, maps, seed)
        manifest = stamp(EmbeddingManifest.FORMAT, EmbeddingManifest.VERSION) | {
            "n": source.n,
            "n_features": pq.read_schema(shards[0]).field("features").type.list_size,
            "inputs": {"images": source.origin(), "model": model_origin(model)},
            "geometry": network.spec.geometry.as_dict(),
            "seed": seed,
            "maps": settings,
            "schemas": [schema_to_dict(schema) for schema in schemas],
            "predicted": predicted_manifest(network.schemas),
        }
        catalogue = source.asked.drop(columns="split", errors="ignore")
        rows = join(shards, catalogue, table_of([*labels, *positions]))
        write_embedding(place, rows.schema, rows, manifest)
        write_summary(place, seed=seed, plots=plots)

    bulk.write(make, partial(_check, target, overwrite=overwrite), [list(maps), seed, plots])
    return target


def _check(target: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, a file that exists or can't be written, and what is written beside it."""
    check_target(target, (".parquet",), overwrite=overwrite)
    refuse_existing(summary_files(target), overwrite=overwrite)


def _labels(table: pd.DataFrame, asked: Sequence[Schema], origin: str) -> tuple[Columns, list[ClassSchema]]:
    """What is known of each galaxy, as text columns: its split, and the name of its class by each class list."""
    columns: Columns = []
    if "split" in table:
        columns.append((SPLIT, pa.array(table["split"], SPLIT.type)))
    schemas = [s for s in asked if isinstance(s, ClassSchema) and s.label_column in table]
    for schema in schemas:
        classes = class_indices(table, schema, origin)
        called = np.array([*schema.class_names, None], dtype=object)
        columns.append((label_column(schema), pa.array(called[classes], pa.string())))
    return columns, schemas


def _batch_rows(batch: list[Decoded], network: Model, device: torch.device) -> pa.Table:
    readable = np.array([entry.pixels is not None for entry in batch])
    features = np.zeros((len(batch), network.n_features), np.float32)
    answers = {schema.name: np.zeros((0, len(schema.prediction_columns))) for schema in network.schemas}
    if readable.any():
        pixels = torch.from_numpy(np.stack([entry.pixels for entry in batch if entry.pixels is not None]))
        found = network.infer(pixels.to(device))
        features[readable] = found.features.cpu().numpy()
        answers = {name: values.cpu().numpy() for name, values in found.answers.items()}
    values = pa.FixedSizeListArray.from_arrays(features.ravel(), features.shape[1], mask=pa.array(~readable))
    leading = leading_answers(network.schemas, answers, readable)
    return table_of([*names(batch), *leading, (features_column(values.type), values), *remarks(batch)])


def _positions(shards: Sequence[Path], maps: Sequence[str], seed: int) -> tuple[Columns, dict[str, Any]]:
    """A column for each axis of each map, null where the image could not be read; and the maps' settings."""
    if not maps:
        return [], {}
    features = feature_array(
        pa.concat_tables(pq.read_table(shard, columns=["features"]) for shard in shards)["features"]
    )
    readable = np.isfinite(features).all(axis=1)
    positions, settings = make_maps(features[readable], maps, seed)
    columns: Columns = []
    for name, drawn in positions.items():
        everyone = np.full((len(features), 2), np.nan, np.float32)
        everyone[readable] = drawn
        for axis, values in zip("xy", everyone.T, strict=True):
            columns.append((map_column(name, axis), pa.array(values, mask=~readable)))
    return columns, settings
