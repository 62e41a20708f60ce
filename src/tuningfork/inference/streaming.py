"""Streaming prediction: a row for every image asked about, in constant memory, resumed after a kill."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from tuningfork.errors import OutputError
from tuningfork.files import sole_run
from tuningfork.images import Decoded
from tuningfork.inference.device import choose_device
from tuningfork.inference.output import check_output, write_output
from tuningfork.inference.rows import prediction_rows
from tuningfork.inference.shards import BATCH, ROWS_A_SHARD, shards, write_shards
from tuningfork.models import DEFAULT_MODEL, GalaxyModel, load_model, read_manifest
from tuningfork.packs import Pack, PackSource, open_images
from tuningfork.progress import progress_bar


def predict(
    images: str | Path,
    out: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    layout: str = "table",
    device: str = "auto",
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Predict for every image of a source and write one table.

    Parameters
    ----------
    images
        A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.
    out
        The table to write: .parquet, .csv, .fits, .vot or .xml.
    layout
        ``table``, or ``kaggle``: the challenge's submission (GalaxyID and 37 columns; .csv).

    Rows are kept in shards beside `out` until all are there: the same call after a kill goes on after the last shard.
    An unreadable image is a row with its `error`. A file that stands there already is kept unless `overwrite`.

    Raises
    ------
    CatalogError, ImageError, ModelError, OutputError
        If the images or the model can't be opened or the output can't be written. Nothing half-made is left as `out`.
    """
    target = Path(out)
    network = load_model(model)
    source = open_images(images, network.spec.geometry, workers)
    check_output(target, layout, network.schemas, overwrite=overwrite)
    chosen = choose_device(device)
    network.to(chosen)
    job = {"images": source.describe(), "model": read_manifest(model)["sha256"]}
    folder = target.parent / f".{target.name}.partial"
    with sole_run(folder, OutputError):
        done = write_shards(
            folder,
            source,
            lambda batch: _batch_rows(batch, network, chosen),
            job,
            verb="predict",
            batch=BATCH,
            rows_a_shard=ROWS_A_SHARD,
        )
        write_output(done, target, layout, network.schemas)
        shutil.rmtree(folder)
    return target


def predict_pack(model: str | Path, pack: Pack, rows: np.ndarray) -> pd.DataFrame:
    """The predictions table of some rows of a pack."""
    network = load_model(model)
    chosen = choose_device("auto")
    network.to(chosen)
    source = PackSource(pack, network.spec.geometry, rows)
    with progress_bar("predict", source.n) as advance:
        answered = shards(
            source.decoded(0),
            lambda batch: _batch_rows(batch, network, chosen),
            lambda batch: advance(len(batch)),
            BATCH,
            ROWS_A_SHARD,
        )
        tables = list(answered)
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


def _batch_rows(batch: list[Decoded], network: GalaxyModel, device: torch.device) -> pa.Table:
    pixels = [entry.pixels for entry in batch if entry.pixels is not None]
    answers = {schema.name: np.empty((0, len(schema.prediction_columns)), np.float32) for schema in network.schemas}
    if pixels:
        stacked = torch.from_numpy(np.stack(pixels)).to(device)
        answers = {name: values.cpu().numpy() for name, values in network.predict(stacked).items()}
    return prediction_rows(
        [entry.id_str for entry in batch],
        [entry.file_loc for entry in batch],
        [entry.note for entry in batch],
        [entry.error for entry in batch],
        answers,
        network.schemas,
    )
