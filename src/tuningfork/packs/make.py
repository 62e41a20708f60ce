"""Making a pack: decoded in parallel, survives bad images, killed and resumed, whole or not there."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tuningfork.catalogs import TableLike, check_schemas, find_column, join_labels, listed, name_of, table_of
from tuningfork.errors import CatalogError, PackError, first_line
from tuningfork.files import sha256, whole_file
from tuningfork.images import Field, Geometry, Reading, Survey, decode_stream, next_batch
from tuningfork.images.notes import counted, say_notes
from tuningfork.jobs import Inputs, Job, fingerprint, within
from tuningfork.manifests import PackManifest
from tuningfork.memory import give_back_freed_memory
from tuningfork.packs.pixels import PixelFile, Progress, sampled_hash
from tuningfork.packs.read import Pack, open_pack, opened
from tuningfork.packs.splitting import Splitting, plan_splits
from tuningfork.packs.twins import MARK, twins
from tuningfork.progress import progress_bar
from tuningfork.schemas import Schema, load_schema, schema_of_column, schema_to_dict
from tuningfork.sources import ImageOptions, Images, Source, decoding_threads, introduce, open_source
from tuningfork.sources.layout import CLASS_FOLDERS
from tuningfork.timing import Timing

log = logging.getLogger(__name__)

CHUNK = 256
ERRORS_SAID = 20


def frame_geometry(options: ImageOptions, size: int, channels: int) -> tuple[Geometry, ImageOptions]:
    """The geometry of a pack, and what is left to say of its images: a fraction of the frame is the geometry's."""
    kept = options.reading.field
    if kept.is_angle:
        return Geometry(1.0, size, channels), options
    return Geometry(kept.number, size, channels), replace(options, reading=replace(options.reading, field=Field()))


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
    verify: bool = False,
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
        Threads that decode. Default: cores + 1; for tiles, 1.
    profile
        Say at the end what the time went to.
    verify
        Read every byte of a pack that is there already, as `open_pack` does.

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
    log.info("%s", introduce(images))
    where = images.origin if labels is None else name_of(labels)
    table, loaded, facts = _catalog(images, labels, loaded, label_columns, id_column, where)
    give_back_freed_memory()  # reading a catalog takes twice what it holds
    splitting = plan_splits(table, loaded, split, seed, where)
    facts |= {"split": splitting.as_dict(), "seed": seed, "source": images.describe()}
    reading = options.reading
    reading.check(images.table, where)
    asked = {
        "reading": str(reading),
        "split": facts["split"],
        "seed": seed,
        "geometry": geometry.as_dict(),
        "schemas": fingerprint([schema_to_dict(schema) for schema in loaded]),
        "catalog": _hash_of(table, where),
    }
    job = Job(
        Inputs("pack", PackManifest.VERSION, asked, images=facts["source"]), folder, within(folder), error=PackError
    )
    if (folder / PackManifest.NAME).exists():
        return _already(folder, job, verify=verify)
    job.refuse_others()
    with job.run():
        pixels = PixelFile(job.work, geometry, images.n)
        timing, before = Timing(), pixels.progress.read
        _decode(images, pixels, geometry, workers, timing, reading)
        if profile:
            log.info(timing.line(pixels.progress.read - before))
        _say_errors(pixels.progress)
        if pixels.progress.good:
            facts |= {"job": job.fingerprint, "images": _as_read(reading, pixels.progress).as_dict()}
            places = images.table.index.to_numpy()[np.asarray(pixels.progress.good)]
            table = _kept(table, places)
            kept = _finish(folder, pixels, table, splitting, places, schemas=loaded, geometry=geometry, facts=facts)
        job.finish()
    if pixels.progress.good:
        return opened(folder, kept)
    first = pixels.progress.errors[0]
    raise PackError(f"none of {counted(images.n)} can be read; the first, {first['file_loc']}: {first['error']}")


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
    origin: str,
) -> tuple[pd.DataFrame, list[Schema], dict[str, Any]]:
    """The table in the order asked, with its labels, checked; all schemas; and what the manifest says of them."""
    table, report = images.table.sort_index(), None
    if labels is not None:
        given = table_of(labels, ids=[*([id_column] if id_column else []), *(schema.id_column for schema in schemas)])
        table, report = join_labels(table, given, origin, schemas, id_column)
        if not schemas and not label_columns:
            log.warning("without --schema or --label the labels of %s can't be trained on or evaluated", origin)
    schemas = [*schemas, *(schema_of_column(table, _column(table, name, origin), origin) for name in label_columns)]
    table, labelled = check_schemas(table, schemas, origin)
    if report is None:
        if not schemas and any(note.startswith(CLASS_FOLDERS) for note in images.introduction.notes):
            log.warning("the folders of %s look like classes: pack with --label class to train on them", origin)
        return table, schemas, {"labelled": labelled}
    log.info(
        "%d images have labels%s; %d images have none, %d labels have no image",
        report.joined,
        f" ({report.by})" if report.by else "",
        report.images_without_labels,
        report.labels_without_images,
    )
    return table, schemas, {"labels": report.as_dict(), "labelled": labelled}


def _column(table: pd.DataFrame, name: str, origin: str) -> str:
    found = find_column(table, [name])
    if found is None:
        raise CatalogError(f"{origin} has no column {name!r} for --label; it has {listed(table)}")
    return found


def _hash_of(table: pd.DataFrame, origin: str) -> str:
    """Of the names, types and values of a catalog."""
    try:
        rows = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CatalogError(f"{origin}: the catalog can't be kept as Parquet ({first_line(error)})") from error
    # Text is hashed as `string`: which of Arrow's kinds a column has depends on how it was read.
    plain = pa.schema([f.with_type(pa.string()) if pa.types.is_large_string(f.type) else f for f in rows.schema])
    digest = hashlib.sha256(plain.remove_metadata().to_string().encode())
    for batch in rows.to_batches(max_chunksize=65536):
        digest.update(batch.cast(plain).serialize())
    return digest.hexdigest()


def _already(folder: Path, job: Job, *, verify: bool) -> Pack:
    pack = open_pack(folder, verify=verify)
    if pack.manifest.get("job") != job.fingerprint:
        raise PackError(f"{folder} holds another pack; choose another folder, or remove it")
    job.clear()
    log.info("%s is already packed%s; nothing to do", folder, ", and every byte is as it was written" if verify else "")
    return pack


def _decode(
    images: Source, pixels: PixelFile, geometry: Geometry, workers: int | None, timing: Timing, reading: Reading
) -> None:
    done = pixels.progress.read
    if done:
        log.info("going on after the %d images that an earlier run has read", done)
    workers = workers or decoding_threads(images)
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


def _as_read(reading: Reading, progress: Progress) -> Reading:
    """How images were read, to be assumed of others: with the three bands that the files of all of them name."""
    bands = next(iter(progress.bands), ()) if len(progress.bands) == 1 else ()
    named = Survey(bands=bands if len(bands) == 3 else ())
    return replace(reading, assumed=reading.assumed.or_else(named), usual=progress.arcsec)


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
    marks = np.frombuffer(progress.marks, MARK)
    marks = marks[order] if len(marks) == len(order) else marks[:0]
    pairs = twins(np.load(folder / "pixels.npy", mmap_mode="r"), marks)
    kept = splitting.deal(table, places[order], pairs)
    with whole_file(folder / "catalog.parquet") as temporary:
        kept.to_parquet(temporary, index=False)
    manifest = {
        "n": len(kept),
        "geometry": geometry.as_dict(),
        "schemas": [schema_to_dict(schema) for schema in schemas],
        "splits": {str(k): int(v) for k, v in kept["split"].value_counts().items()},
        "twins": len(pairs),
        **facts,
        "errors": progress.errors,
        "notes": progress.notes,
        "sampled": sampled_hash(folder / "pixels.npy"),
        "sha256": {"pixels.npy": pixels_sha256, "catalog.parquet": sha256(folder / "catalog.parquet")},
    }
    PackManifest.write(folder, manifest)
    return kept
