"""Making a pack: decoded in parallel, survives bad images, killed and resumed, whole or not there."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.catalogs import (
    assign_splits,
    check_schemas,
    check_splits,
    find_id_column,
    join_labels,
    read_table,
)
from tuningfork.errors import OutputError, PackError
from tuningfork.files import output_errors, read_json, sha256, software_version, whole_file, write_json
from tuningfork.images import Geometry, Source, decode_stream, open_source
from tuningfork.packs.pixels import PixelFile, Progress
from tuningfork.packs.read import FORMAT, VERSION, Pack, open_pack
from tuningfork.progress import progress_bar
from tuningfork.schemas import Schema, load_schema, schema_to_dict

log = logging.getLogger(__name__)

CHUNK = 512
DEFAULT_SPLIT = {"train": 0.8, "val": 0.1, "test": 0.1}
ERRORS_SAID = 20


def make_pack(
    source: str | Path,
    out: str | Path,
    *,
    labels: str | Path | None = None,
    schemas: Sequence[str] = (),
    geometry: Geometry | None = None,
    split: Mapping[str, float] | None = None,
    seed: int = 0,
    id_column: str | None = None,
    workers: int | None = None,
) -> Pack:
    """Pack the images of a source, with their labels and splits, into the folder `out`.

    Parameters
    ----------
    labels
        A table to join by id; without it, the source's own columns are the labels.
    schemas
        Names of bundled schemas or paths of TOML files that the labels answer.
    split
        Fractions of train, val and test. Unless given, a `split` column is kept; without one, labelled galaxies are
        split 0.8, 0.1, 0.1, seeded and stratified by the first schema.

    The same call after a kill goes on after the last whole chunk and ends with the same bytes.

    Raises
    ------
    CatalogError, SchemaError
        If the source or the labels are wrong; nothing has been written then.
    PackError
        If no image can be read, or `out` holds something else.
    """
    folder = Path(out)
    geometry = geometry or Geometry()
    loaded = [load_schema(name) for name in schemas]
    images = open_source(source)
    table, facts = _catalog(images, labels, loaded, id_column)
    table = _split(table, loaded, split, seed, str(labels or source))
    job = _fingerprint(images, table, loaded, geometry)
    if (folder / "pack.json").exists():
        return _already(folder, job)
    work = _claim(folder, job)
    pixels = PixelFile(work, geometry)
    _decode(images, pixels, geometry, workers)
    _say_errors(pixels.progress)
    if not pixels.progress.good:
        shutil.rmtree(work)
        first = pixels.progress.errors[0]
        raise PackError(f"none of the {images.n} images can be read; the first, {first['file_loc']}: {first['error']}")
    facts |= {"job": job, "seed": seed, "source": images.describe()}
    return _finish(folder, work, pixels, table, loaded, geometry, facts)


def _catalog(
    images: Source, labels: str | Path | None, schemas: list[Schema], id_column: str | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    table, where, facts = images.table, str(images.describe()["origin"]), {}
    if labels is not None:
        where = str(labels)
        given = read_table(labels)
        find_id_column(given, where, schemas, id_column)
        table, report = join_labels(table, given, where, schemas, id_column)
        facts["labels"] = report.as_dict()
        log.info(
            "%d images have labels; %d images have none, %d labels have no image",
            report.joined,
            report.images_without_labels,
            report.labels_without_images,
        )
    facts["labelled"] = check_schemas(table, schemas, where)
    return table, facts


def _split(
    table: pd.DataFrame, schemas: list[Schema], split: Mapping[str, float] | None, seed: int, where: str
) -> pd.DataFrame:
    if "split" in table and split is None:
        check_splits(table, where)
        return table
    return table.assign(split=assign_splits(table, split or DEFAULT_SPLIT, seed, schemas[0] if schemas else None))


def _fingerprint(images: Source, table: pd.DataFrame, schemas: list[Schema], geometry: Geometry) -> str:
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy()
    parts = [images.describe(), geometry.as_dict(), [schema_to_dict(schema) for schema in schemas]]
    text = json.dumps(parts, sort_keys=True, default=str).encode()
    return hashlib.sha256(text + rows.tobytes() + json.dumps(list(map(str, table.columns))).encode()).hexdigest()


def _already(folder: Path, job: str) -> Pack:
    pack = open_pack(folder)
    if pack.manifest.get("job") != job:
        raise PackError(f"{folder} holds another pack; choose another folder, or remove it")
    log.info("%s is already packed; nothing to do", folder)
    return pack


def _claim(folder: Path, job: str) -> Path:
    """The working folder of this job; one left by a killed run of the same job is gone on with."""
    work = folder / ".partial"
    claim = work / "job.json"
    if folder.exists() and (not folder.is_dir() or any(p.name != ".partial" for p in _unfinished(folder))):
        raise PackError(f"{folder} exists and is not a pack; choose another folder")
    if claim.exists() and read_json(claim, OutputError).get("job") == job:
        return work
    with output_errors(work):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    write_json(claim, {"job": job})
    return work


def _unfinished(folder: Path) -> list[Path]:
    """What lies in a folder apart from files that a kill between the last renames may have left."""
    ours = (folder / ".partial" / "job.json").exists()
    return [p for p in folder.iterdir() if not (ours and p.name in ("pixels.npy", "catalog.parquet"))]


def _decode(images: Source, pixels: PixelFile, geometry: Geometry, workers: int | None) -> None:
    done = pixels.progress.read
    if done:
        log.info("going on after the %d images that an earlier run has read", done)
    decoded = decode_stream(images.items(done), geometry, workers)
    with progress_bar("pack", images.n) as advance:
        advance(done)
        while chunk := list(islice(decoded, CHUNK)):
            pixels.append(chunk)
            advance(len(chunk))


def _say_errors(progress: Progress) -> None:
    for wrong in progress.errors[:ERRORS_SAID]:
        log.warning("left out %s: %s", wrong["file_loc"], wrong["error"])
    if len(progress.errors) > ERRORS_SAID:
        log.warning("and %d more; all are listed in pack.json", len(progress.errors) - ERRORS_SAID)
    for note, count in progress.notes.items():
        log.info("%d images: %s", count, note)


def _finish(
    folder: Path,
    work: Path,
    pixels: PixelFile,
    table: pd.DataFrame,
    schemas: list[Schema],
    geometry: Geometry,
    facts: dict[str, Any],
) -> Pack:
    progress = pixels.progress
    kept = table.iloc[progress.good].reset_index(drop=True)
    if not (folder / "pixels.npy").exists():  # a kill may have come after this rename
        pixels.finish().replace(folder / "pixels.npy")
    with whole_file(folder / "catalog.parquet") as temporary:
        kept.to_parquet(temporary, index=False)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"tuningfork {software_version()}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "n": len(kept),
        "geometry": geometry.as_dict(),
        "schemas": [schema_to_dict(schema) for schema in schemas],
        "splits": {str(k): int(v) for k, v in kept["split"].value_counts().items()},
        **facts,
        "errors": progress.errors,
        "notes": dict(progress.notes),
        "sha256": {name: sha256(folder / name) for name in ("pixels.npy", "catalog.parquet")},
    }
    write_json(folder / "pack.json", manifest)
    shutil.rmtree(work)
    return open_pack(folder)
