"""Making a pack: decoded in parallel, survives bad images, killed and resumed, whole or not there."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tuningfork.catalogs import TableLike, check_schemas, find_column, join_labels, listed, name_of, table_of
from tuningfork.errors import CatalogError, OutputError, PackError
from tuningfork.files import (
    TEMPORARY,
    clear_temporaries,
    output_errors,
    read_json,
    sha256,
    sole_run,
    stamp,
    whole_file,
    write_json,
)
from tuningfork.images import Geometry, Reading, decode_stream, next_batch
from tuningfork.images.notes import say_notes
from tuningfork.memory import give_back_freed_memory
from tuningfork.packs.pixels import PixelFile, Progress
from tuningfork.packs.read import FORMAT, VERSION, Pack, open_pack, opened
from tuningfork.packs.splitting import Splitting, plan_splits
from tuningfork.packs.twins import twins
from tuningfork.progress import progress_bar
from tuningfork.schemas import Schema, load_schema, schema_of_column, schema_to_dict
from tuningfork.sources import ImageOptions, Images, Source, introduction, open_source
from tuningfork.timing import Timing

log = logging.getLogger(__name__)

CHUNK = 256
ERRORS_SAID = 20
LEFT_BY_A_KILL = ("pixels.npy", "catalog.parquet")  # by one that comes just before the manifest is written


def make_pack(
    source: Images,
    out: str | Path,
    *,
    labels: TableLike | None = None,
    schemas: Sequence[str | Schema] = (),
    label_columns: Sequence[str] = (),
    geometry: Geometry | None = None,
    split: Mapping[str, float] | None = None,
    seed: int = 0,
    id_column: str | None = None,
    options: ImageOptions | None = None,
    workers: int | None = None,
    profile: bool = False,
) -> Pack:
    """Pack the images of a source, with their labels and splits, into the folder `out`.

    Parameters
    ----------
    source
        As `images.open_source`.
    out
        The folder to make.
    labels
        A table to join by id, in a file or in memory; without it, the source's own columns are the labels.
    schemas
        Names of bundled schemas, paths of TOML files, or schemas, that the labels answer.
    label_columns
        Columns of the labels, each of which makes its own schema (`schemas.schema_of_column`).
    geometry
        The part of each frame to keep, and its size.
    split
        Fractions of train, val and test. Unless given, a `split` column is kept; without one, galaxies are split 0.8,
        0.1, 0.1: seeded, stratified by the first schema, with images that are equal pixel for pixel kept together, and
        neighbours on the sky where there are positions.
    seed
        Of the splits.
    id_column
        The column of ids in the labels, and in the source where it has such a column; it must without `labels`.
    options
        What is said of the images: which columns name them, how they are to be read.
    workers
        Threads that decode; as `images.decode_stream` unless given.
    profile
        Say at the end what the time went to.

    The same call after a kill goes on after the last whole chunk and ends with the same bytes.

    Raises
    ------
    CatalogError, SchemaError
        If the source or the labels are wrong; nothing has been written then.
    PackError
        If no image can be read, `out` holds something else, or another run is packing there.
    OutputError
        If `out` can't be written. What was packed before a full disk is kept for the next run.
    """
    folder = Path(out)
    geometry = geometry or Geometry()
    loaded = [name if isinstance(name, Schema) else load_schema(name) for name in schemas]
    options = options or ImageOptions()
    images = _open(source, options, id_column, strict=labels is None)
    log.info("%s", introduction(images))
    where = images.origin if labels is None else name_of(labels)
    table, loaded, facts = _catalog(images, labels, loaded, label_columns, id_column, where)
    give_back_freed_memory()  # reading a catalog takes twice what it holds
    splitting = plan_splits(table, loaded, split, seed, where)
    facts |= {"split": splitting.as_dict(), "seed": seed, "source": images.describe()}
    reading = options.reading
    reading.check(images.table, where)
    inputs = {"source": facts["source"], "reading": str(reading), "split": facts["split"], "seed": seed}
    job = _fingerprint(inputs, table, loaded, geometry, where)
    if (folder / "pack.json").exists():
        return _already(folder, job)
    with _claim(folder, job) as work:
        pixels = PixelFile(work, geometry, images.n)
        timing, before = Timing(), pixels.progress.read
        _decode(images, pixels, geometry, workers, timing, reading)
        if profile:
            log.info(timing.line(pixels.progress.read - before))
        _say_errors(pixels.progress)
        if pixels.progress.good:
            facts |= {"job": job, "images": replace(reading, usual=pixels.progress.arcsec).as_dict()}
            places = images.table.index.to_numpy()[np.asarray(pixels.progress.good)]
            table = _kept(table, places)
            kept = _finish(
                folder, work, pixels, table, splitting, places, schemas=loaded, geometry=geometry, facts=facts
            )
            return opened(folder, kept)
        shutil.rmtree(work)
    with suppress(OSError):  # a folder that is ours alone goes too
        folder.rmdir()
    first = pixels.progress.errors[0]
    raise PackError(f"none of the {images.n} images can be read; the first, {first['file_loc']}: {first['error']}")


def _open(source: Images, options: ImageOptions, id_column: str | None, *, strict: bool) -> Source:
    """The source, its ids from `id_column`; unless `strict` it need not have that column."""
    if id_column is None:
        return open_source(source, options)
    try:
        return open_source(source, replace(options, id_column=id_column))
    except CatalogError:
        if strict:
            raise
    return open_source(source, options)


def _catalog(
    images: Source,
    labels: TableLike | None,
    schemas: Sequence[Schema],
    label_columns: Sequence[str],
    id_column: str | None,
    where: str,
) -> tuple[pd.DataFrame, list[Schema], dict[str, Any]]:
    """The table in the order asked, with its labels, checked; all schemas; and what the manifest says of them."""
    table, report = images.table.sort_index(), None
    if labels is not None:
        given = table_of(labels, ids=[*([id_column] if id_column else []), *(schema.id_column for schema in schemas)])
        table, report = join_labels(table, given, where, schemas, id_column)
        if not schemas and not label_columns:
            log.warning("without --schema or --label the labels of %s can't be trained on or evaluated", where)
    schemas = [*schemas, *(schema_of_column(table, _column(table, name, where), where) for name in label_columns)]
    table, labelled = check_schemas(table, schemas, where)
    if report is None:
        return table, schemas, {"labelled": labelled}
    log.info(
        "%d images have labels%s; %d images have none, %d labels have no image",
        report.joined,
        f" ({report.by})" if report.by else "",
        report.images_without_labels,
        report.labels_without_images,
    )
    return table, schemas, {"labels": report.as_dict(), "labelled": labelled}


def _column(table: pd.DataFrame, name: str, where: str) -> str:
    found = find_column(table, [name])
    if found is None:
        raise CatalogError(f"{where} has no column {name!r} for --label; it has {listed(table)}")
    return found


def _fingerprint(
    inputs: dict[str, Any], table: pd.DataFrame, schemas: list[Schema], geometry: Geometry, where: str
) -> str:
    """What fixes every byte of the pack, as one hash: the images, their catalog, splits, schemas and geometry."""
    parts = [inputs, geometry.as_dict(), [schema_to_dict(schema) for schema in schemas], list(map(str, table.columns))]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    try:
        rows = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CatalogError(f"{where}: the catalog can't be kept as Parquet ({str(error).splitlines()[0]})") from error
    # Text is hashed as `string`: which of Arrow's kinds a column has depends on how it was read.
    plain = pa.schema([f.with_type(pa.string()) if pa.types.is_large_string(f.type) else f for f in rows.schema])
    for batch in rows.to_batches(max_chunksize=65536):
        digest.update(batch.cast(plain).serialize())
    return digest.hexdigest()


def _already(folder: Path, job: str) -> Pack:
    pack = open_pack(folder)
    if pack.manifest.get("job") != job:
        raise PackError(f"{folder} holds another pack; choose another folder, or remove it")
    shutil.rmtree(folder / ".partial", ignore_errors=True)  # left where a kill came right after the manifest
    log.info("%s is already packed; nothing to do", folder)
    return pack


@contextmanager
def _claim(folder: Path, job: str) -> Iterator[Path]:
    """The working folder of this job, ours alone; what a killed run of the same job left in it is gone on with."""
    work = folder / ".partial"
    held = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    left = {".partial", *LEFT_BY_A_KILL} if work.is_dir() else set()
    odd = next((name for name in held if name not in left and not (left and name.startswith(TEMPORARY))), None)
    if odd is not None or (folder.exists() and not folder.is_dir()):
        raise PackError(f"{folder} holds something that is no pack{f' ({odd})' if odd else ''}; choose another folder")
    with sole_run(work, PackError):
        clear_temporaries(folder)
        _take_up(folder, work, job)
        yield work


def _take_up(folder: Path, work: Path, job: str) -> None:
    """Keep what an unfinished run of this job left; throw away what another job left."""
    claim = work / "job.json"
    if claim.exists() and read_json(claim, OutputError).get("job") == job:
        return
    with output_errors(folder):
        for path in (*(folder / name for name in LEFT_BY_A_KILL), *(p for p in work.iterdir() if p.name != "lock")):
            path.unlink(missing_ok=True)
    write_json(claim, {"job": job})


def _decode(
    images: Source, pixels: PixelFile, geometry: Geometry, workers: int | None, timing: Timing, reading: Reading
) -> None:
    done = pixels.progress.read
    if done:
        log.info("going on after the %d images that an earlier run has read", done)
    decoded = decode_stream(images.items(done), geometry, workers, reading, reading.rows(images.table, done))
    with progress_bar("pack", images.n) as advance, ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        advance(done)
        written: Future[None] | None = None
        while chunk := next_batch(decoded, CHUNK, timing):
            with timing.part("waiting for the disk"):
                if written is not None:
                    written.result()
            written = writer.submit(pixels.append, chunk)  # while the next chunk is decoded
            advance(len(chunk))
        if written is not None:
            written.result()


def _say_errors(progress: Progress) -> None:
    for wrong in progress.errors[:ERRORS_SAID]:
        log.warning("left out %s: %s", wrong["file_loc"], wrong["error"])
    if len(progress.errors) > ERRORS_SAID:
        log.warning("and %d more; all are listed in pack.json", len(progress.errors) - ERRORS_SAID)
    say_notes(progress.notes, progress.arcsec)


def _kept(table: pd.DataFrame, places: np.ndarray) -> pd.DataFrame:
    """The rows of the images that could be read."""
    return table if len(places) == len(table) else table.iloc[np.sort(places)].reset_index(drop=True)


def _finish(
    folder: Path,
    work: Path,
    pixels: PixelFile,
    table: pd.DataFrame,
    splitting: Splitting,
    places: np.ndarray,
    *,
    schemas: list[Schema],
    geometry: Geometry,
    facts: dict[str, Any],
) -> pd.DataFrame:
    """Deal the splits and write the files of the pack; its catalog.

    `places` (N,) are the rows of the catalogue that the images belong to, as they were read; those of `table` are in
    the catalogue's order, and so will the pixels be.
    """
    progress, order = pixels.progress, np.argsort(places)
    pixels_sha256 = pixels.finish(folder / "pixels.npy", order)
    marks = [progress.marks[row] for row in order] if len(progress.marks) == len(order) else []
    pairs = twins(np.load(folder / "pixels.npy", mmap_mode="r"), marks)
    kept = splitting.deal(table, places[order], pairs)
    with whole_file(folder / "catalog.parquet") as temporary:
        kept.to_parquet(temporary, index=False)
    manifest = {
        **stamp(FORMAT, VERSION),
        "n": len(kept),
        "geometry": geometry.as_dict(),
        "schemas": [schema_to_dict(schema) for schema in schemas],
        "splits": {str(k): int(v) for k, v in kept["split"].value_counts().items()},
        "twins": len(pairs),
        **facts,
        "errors": progress.errors,
        "notes": progress.notes,
        "sha256": {"pixels.npy": pixels_sha256, "catalog.parquet": sha256(folder / "catalog.parquet")},
    }
    write_json(folder / "pack.json", manifest)
    shutil.rmtree(work, ignore_errors=True)
    return kept
