"""Streaming prediction: a row for every image asked about, in constant memory, resumed after a kill."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from tuningfork.engines import use_torch
from tuningfork.errors import NothingReadError
from tuningfork.images import Decoded
from tuningfork.inference.bulk import Bulk, How
from tuningfork.inference.carried import join
from tuningfork.inference.confidence import confidence, confidence_of_other_views
from tuningfork.inference.origin import VERSION, predictions_origin
from tuningfork.inference.output import check_output, chosen_names, write_output
from tuningfork.inference.placed import place_notes, with_notes
from tuningfork.inference.rows import prediction_rows
from tuningfork.inference.shards import BATCH, ROWS_A_SHARD, say_out_of_distribution, shards
from tuningfork.models import DEFAULT_MODEL, Model, load_model
from tuningfork.models.views import check_views
from tuningfork.packs import Pack, PackSource
from tuningfork.progress import progress_bar
from tuningfork.sources import ImageOptions, Images
from tuningfork.uncertainty import Uncertainty

log = logging.getLogger(__name__)


def predict(
    images: Images | Pack,
    out: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    layout: str = "table",
    columns: str = "readable",
    tta: int | None = None,
    device: str = "auto",
    engine: str | Path = "auto",
    options: ImageOptions | None = None,
    workers: int | None = None,
    ray: str | None = None,
    overwrite: bool = False,
    profile: bool = False,
) -> Path:
    """Predict for every image of a source and write one table.

    Parameters
    ----------
    images
        A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.
    out
        The table to write: .parquet, .csv, .fits, .vot or .xml; without an ending, a folder of Parquet files, whose
        names are in the order of their rows.
    layout
        ``table``; ``kaggle``, the challenge's submission (GalaxyID and 37 columns; .csv); or ``spreadsheet``, a .csv in
        which texts that a spreadsheet would run as a formula begin with an apostrophe.
    columns
        The names of the answers' columns: ``readable``, such as ``spiral_arms_yes``, or ``schema``, those of the
        schema's labels, such as ``Class4.1``.

    tta
        Test-time augmentation: over how many views the answers are averaged (1, 2, 4 or 8: quarter turns, mirrored; 16
        or 32: at angles between, too). Default: as many as the model was calibrated with, or one. Intervals, the flag
        for unlike images and calibrated probabilities are for that many alone: with another number their columns are
        null, and probabilities as the network gives them.
    engine
        What runs the networks: ``torch``, ``onnxruntime``, ``openvino``, ``compile``, a plug-in's name, a folder that
        `export_model` wrote, or ``auto``: the quickest in a short trial, where there are images enough to repay it,
        and else torch. On a cluster ``auto`` is torch.
    options
        What is said of the images: which columns name them, where tiles are, how they are to be read.
    ray
        The address of a Ray cluster that does the work, or ``local``: see `inference.ray`. Rows are the same.

    With `profile` it is said at the end what the time went to.

    Rows are kept in shards beside `out` until all are there: the same call after a kill goes on after the last shard.
    An unreadable image is a row with its `error`; where all are, the table is written, and then an error raised. The
    columns of a catalogue come after ours, each with its own name and type; one whose name is ours gets ``_catalogue``
    after it. A file that exists already is kept unless `overwrite`.

    Raises
    ------
    CatalogError, ModelError, OutputError
        If the images or the model can't be opened or the output can't be written. Nothing half-made is left as `out`.
    ImageError
        If not one image could be read.
    """
    target = Path(out)
    network = load_model(model)
    known, views = network.uncertainty, _views(network, tta)
    renamed = chosen_names(columns, network.schemas)
    bulk = Bulk(
        "predict",
        VERSION,
        images,
        target,
        model=model,
        network=network,
        answer=partial(_batch_rows, views=views, known=known),
        views=views,
        how=How(device, engine, options, workers, ray, overwrite, profile),
    )

    def make(shards: list[Path], place: Path) -> None:
        say_out_of_distribution(shards)
        origin = predictions_origin(model, network, bulk.source, views, bulk.engine)
        write_output(join(shards, bulk.source.asked, renamed=renamed), place, layout, network.schemas, origin)

    check = partial(check_output, target, layout, network.schemas, overwrite=overwrite)
    if nothing := bulk.write(make, check, [layout, columns]):
        raise NothingReadError(nothing, target)
    return target


def predict_pack(model: str | Path, pack: Pack, rows: np.ndarray, tta: int | None = None) -> pd.DataFrame:
    """The predictions table of some rows of a pack; `tta` as of `predict`."""
    network = load_model(model)
    known, views = network.uncertainty, _views(network, tta)
    device = use_torch(network)
    source = PackSource(pack, network.spec.geometry, rows, located=network.spec.located)
    with progress_bar("predict", source.n) as advance:
        answered = shards(
            source.decoded(0),
            lambda batch: _batch_rows(batch, network, device, views, known),
            lambda batch: advance(len(batch)),
            network.spec.geometry.at_once(BATCH),
            ROWS_A_SHARD,
        )
        tables = list(answered)
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


def _views(network: Model, asked: int | None) -> int:
    """The number of views; an uncertainty that was measured with another number says nothing of these answers."""
    known = network.uncertainty
    if asked is None:
        return known.views if known else 1
    check_views(asked)
    if known and asked != known.views:
        log.warning(
            "the model was calibrated with %d views, not %d: there are no intervals and no ood flag (their columns are "
            "empty), and probabilities are not calibrated; leave --tta out to have them",
            known.views,
            asked,
        )
        network.uncertainty = None
    return asked


def _batch_rows(
    batch: list[Decoded], network: Model, device: torch.device, views: int, known: Uncertainty | None
) -> pa.Table:
    """The rows of a batch; `known` is the uncertainty of the model, of whatever number of views."""
    pixels = [entry.pixels for entry in batch if entry.pixels is not None]
    side, channels = network.spec.geometry.size, network.spec.geometry.channels
    blank = np.zeros((side, side, channels), np.uint8)  # networks can't look at nothing
    images = torch.from_numpy(np.stack(pixels or [blank])).to(device)
    found = network.infer(images, views).first(len(pixels))
    answers = {name: values.cpu().numpy() for name, values in found.answers.items()}
    schemas = {schema.name: schema for schema in network.schemas}
    if known is None:
        sure = None
    elif known.views == views:
        sure = confidence(found, network.seen(images[: len(pixels)], found.places), known, schemas)
    else:
        sure = confidence_of_other_views(found, known, schemas)
    if found.places is not None:
        batch = with_notes(batch, place_notes(found.places, network.spec))
    return prediction_rows(batch, answers, network.schemas, sure, found.places)
