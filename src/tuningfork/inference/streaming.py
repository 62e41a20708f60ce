"""Streaming prediction: a row for every image asked about, in constant memory, resumed after a kill."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tuningfork.errors import ModelError, OutputError, PackError
from tuningfork.files import clear_temporaries, output_errors, read_json, sole_run, whole_file, write_json
from tuningfork.images import Decoded, decode_stream, open_source
from tuningfork.inference.output import check_output, write_output
from tuningfork.inference.rows import prediction_rows
from tuningfork.models import DEFAULT_MODEL, GalaxyModel, load_model, read_manifest
from tuningfork.packs import Pack, open_pack
from tuningfork.progress import progress_bar

log = logging.getLogger(__name__)

BATCH = 256
ROWS_A_SHARD = 4 * BATCH


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
        A folder, a glob, a catalog, Parquet with embedded images, or a pack.
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
    source = _PackSource(open_pack(images), network) if _is_pack(images) else _ImageSource(images, network, workers)
    check_output(target, layout, network.schemas, overwrite=overwrite)
    chosen = _device(device)
    network.to(chosen)
    job = {"images": source.describe(), "model": read_manifest(model)["sha256"]}
    folder = target.parent / f".{target.name}.partial"
    with sole_run(folder, OutputError):
        _write_shards(folder, source, network, chosen, job)
        write_output(sorted(folder.glob("[0-9]*.parquet")), target, layout, network.schemas)
        shutil.rmtree(folder)
    return target


def _write_shards(
    folder: Path, source: _ImageSource | _PackSource, network: GalaxyModel, device: torch.device, job: dict[str, Any]
) -> None:
    """Write the rows that are not there yet, a shard at a time."""
    done = _resume(folder, job)
    failed = _Unreadable()
    with progress_bar("predict", source.n) as advance:
        advance(done)
        for shard in _shards(source.decoded(done), network, device, advance, failed):
            with whole_file(folder / f"{done:012d}.parquet") as temporary:
                pq.write_table(shard, temporary)
            done += len(shard)
    failed.say(done)


def predict_pack(model: str | Path, pack: Pack, rows: np.ndarray) -> pd.DataFrame:
    """The predictions table of some rows of a pack."""
    network = load_model(model)
    chosen = _device("auto")
    network.to(chosen)
    source = _PackSource(pack, network, rows)
    with progress_bar("predict", source.n) as advance:
        tables = list(_shards(source.decoded(0), network, chosen, advance, _Unreadable()))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


class _ImageSource:
    """Images of any source, decoded in threads to the model's geometry."""

    def __init__(self, images: str | Path, network: GalaxyModel, workers: int | None) -> None:
        self.source = open_source(images)
        self.n = self.source.n
        self.geometry = network.spec.geometry
        self.workers = workers

    def describe(self) -> Any:
        return self.source.describe()

    def decoded(self, start: int) -> Iterator[Decoded]:
        return decode_stream(self.source.items(start), self.geometry, self.workers)


class _PackSource:
    """Rows of a pack, whose geometry must be the model's."""

    def __init__(self, pack: Pack, network: GalaxyModel, rows: np.ndarray | None = None) -> None:
        wanted = network.spec.geometry
        if pack.geometry != wanted:
            raise PackError(
                f"{pack.path} has geometry {pack.geometry.as_dict()}, the model (`default` unless --model names "
                f"another) was trained on {wanted.as_dict()}; pack again with "
                f"--field {wanted.field:g} --size {wanted.size}"
            )
        self.pack = pack
        self.rows = np.arange(len(pack.pixels)) if rows is None else rows
        self.n = len(self.rows)

    def describe(self) -> Any:
        return self.pack.manifest["sha256"]

    def decoded(self, start: int) -> Iterator[Decoded]:
        catalog = self.pack.catalog
        for row in self.rows[start:]:
            location = catalog["file_loc"].iloc[row] if "file_loc" in catalog else ""
            yield Decoded(catalog["id_str"].iloc[row], location, self.pack.pixels[row])


def _is_pack(images: str | Path) -> bool:
    return (Path(images) / "pack.json").exists()


def _device(name: str) -> torch.device:
    if name != "auto":
        try:
            return torch.empty(0, device=name).device
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"no device {name!r} here ({str(error).splitlines()[0]}); use cpu or auto") from error
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _resume(folder: Path, job: dict[str, Any]) -> int:
    """Open the folder of shards; how many rows are there already. Another job's shards are thrown away."""
    key = hashlib.sha256(json.dumps(job, sort_keys=True, default=str).encode()).hexdigest()
    claim = folder / "job.json"
    clear_temporaries(folder)
    if claim.exists() and read_json(claim, OutputError).get("job") == key:
        rows = sum(pq.read_metadata(shard).num_rows for shard in folder.glob("[0-9]*.parquet"))
        if rows:
            log.info("going on after the %d rows that an earlier run left in %s", rows, folder)
        return rows
    with output_errors(folder):
        for path in folder.iterdir():
            if path.name != "lock":
                path.unlink()
    write_json(claim, {"job": key})
    return 0


def _shards(
    decoded: Iterator[Decoded], network: GalaxyModel, device: torch.device, advance: Any, failed: _Unreadable
) -> Iterator[pa.Table]:
    """Tables of at most `ROWS_A_SHARD` rows."""
    notes: Counter[str] = Counter()
    tables: list[pa.Table] = []
    while batch := list(islice(decoded, BATCH)):
        tables.append(_batch_rows(batch, network, device))
        notes.update(entry.note for entry in batch if entry.note)
        failed.count(batch)
        advance(len(batch))
        if len(tables) * BATCH >= ROWS_A_SHARD:
            yield pa.concat_tables(tables)
            tables = []
    if tables:
        yield pa.concat_tables(tables)
    for note, count in notes.items():
        log.info("%d images: %s", count, note)


def _batch_rows(batch: list[Decoded], network: GalaxyModel, device: torch.device) -> pa.Table:
    pixels = [entry.pixels for entry in batch if entry.pixels is not None]
    answers = {schema.name: np.empty((0, len(schema.prediction_columns)), np.float32) for schema in network.schemas}
    if pixels:
        stacked = torch.from_numpy(np.stack(pixels)).to(device)
        answers = {name: values.cpu().numpy() for name, values in network.predict(stacked).items()}
    return prediction_rows(
        [entry.id_str for entry in batch],
        [entry.file_loc for entry in batch],
        [entry.error for entry in batch],
        answers,
        network.schemas,
    )


class _Unreadable:
    """The first few unreadable images and the number of all; the table holds every one."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.n = 0

    def count(self, batch: list[Decoded]) -> None:
        wrong = [f"{entry.file_loc or entry.id_str}: {entry.error}" for entry in batch if entry.error is not None]
        self.n += len(wrong)
        self.first = (self.first + wrong)[:10]

    def say(self, total: int) -> None:
        for line in self.first:
            log.warning("unreadable: %s", line)
        if self.n:
            log.warning("%d of %d images could not be read; their rows hold the error", self.n, total)
