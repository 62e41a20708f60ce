"""Rows of a table in shards beside the output: constant memory, and a killed run goes on after the last shard."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.errors import OutputError
from tuningfork.files import clear_temporaries, output_errors, read_json, whole_file, write_json
from tuningfork.images import Decoded, next_batch
from tuningfork.images.notes import Angles, count_notes, say_notes, widest
from tuningfork.packs import ImageSource, PackSource
from tuningfork.progress import progress_bar
from tuningfork.timing import Timing

log = logging.getLogger(__name__)

BATCH = 256
ROWS_A_SHARD = 4 * BATCH
SECONDS_A_SHARD = 30.0  # what a kill may cost where a galaxy takes long
Rows = Callable[[list[Decoded]], pa.Table]


def write_shards(
    folder: Path,
    source: ImageSource | PackSource,
    rows: Rows,
    job: dict[str, Any],
    *,
    verb: str,
    batch: int,
    rows_a_shard: int,
    profile: bool = False,
) -> list[Path]:
    """Write the rows that are not in `folder` yet, a shard at a time; all the shards, in order.

    Parameters
    ----------
    rows
        Makes the rows of a batch of images, unreadable ones among them.
    job
        What fixes the rows; shards of another job are thrown away.
    verb
        The name of the progress bar.
    batch, rows_a_shard
        How many images at once, and how many rows a kill may cost.
    profile
        Say at the end what the time went to.
    """
    timing = Timing()
    done = before = claim(folder, job)
    tally = Tally()
    with progress_bar(verb, source.n) as advance:
        advance(done)

        def seen(part: list[Decoded]) -> None:
            tally.count(part)
            advance(len(part))

        for shard in shards(source.decoded(done), rows, seen, batch, rows_a_shard, timing, SECONDS_A_SHARD):
            with timing.part("writing"), whole_file(shard_path(folder, done)) as temporary:
                pq.write_table(shard, temporary)
            done += len(shard)
    tally.say()
    if profile:
        log.info(timing.line(done - before))
    return sorted(folder.glob("[0-9]*.parquet"))


def shards(
    decoded: Iterator[Decoded],
    rows: Rows,
    seen: Callable[[list[Decoded]], None],
    batch: int,
    rows_a_shard: int,
    timing: Timing | None = None,
    seconds_a_shard: float = math.inf,
) -> Iterator[pa.Table]:
    """Tables of at most `rows_a_shard` rows, fewer where these take longer than `seconds_a_shard`.

    `seen` is told of each batch that has been worked off.
    """
    tables: list[pa.Table] = []
    timing, begun = timing or Timing(), time.monotonic()
    while part := next_batch(decoded, batch, timing):
        with timing.part("model"):
            tables.append(rows(part))
        seen(part)
        if len(tables) * batch >= rows_a_shard or time.monotonic() - begun > seconds_a_shard:
            yield pa.concat_tables(tables)
            tables, begun = [], time.monotonic()
    if tables:
        yield pa.concat_tables(tables)


def nothing_read(done: Sequence[Path]) -> str:
    """What to say where not one image of these shards could be read; empty where one could."""
    first, rows = None, 0
    for shard in done:
        table = pq.read_table(shard, columns=["id_str", "error"])
        if table["error"].null_count:
            return ""
        first, rows = first or table.slice(0, 1).to_pylist()[0], rows + len(table)
    return f"none of the {rows:,} images could be read; the first, {first['id_str']}: {first['error']}" if first else ""


def shard_path(folder: Path, start: int) -> Path:
    """The shard whose first row is `start` of the table."""
    return folder / f"{start:012d}.parquet"


def claim(folder: Path, job: dict[str, Any]) -> int:
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
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(claim, {"job": key})
    return 0


@dataclass
class Tally:
    """What to say of `rows` images: how often each note, the first few unreadable ones, and the number of all these."""

    rows: int = 0
    unreadable: int = 0
    first: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    arcsec: Angles | None = None  # the smallest and largest angle that was looked at, where known

    def count(self, batch: list[Decoded]) -> None:
        """Count a batch."""
        wrong = [f"{entry.id_str} ({entry.file_loc}): {entry.error}" for entry in batch if entry.error is not None]
        notes: dict[str, int] = {}
        for entry in batch:
            if entry.note:
                count_notes(notes, entry.note)
        self.add(Tally(len(batch), len(wrong), wrong, notes, widest(entry.field_arcsec for entry in batch)))

    def add(self, other: Tally) -> None:
        """Count what another has counted."""
        self.rows += other.rows
        self.unreadable += other.unreadable
        self.first = (self.first + other.first)[:10]
        for note, count in other.notes.items():
            count_notes(self.notes, note, count)
        self.arcsec = widest(other.arcsec or (), self.arcsec)

    def say(self) -> None:
        """Log it; the table holds every one."""
        say_notes(self.notes, self.arcsec)
        for line in self.first:
            log.warning("unreadable: %s", line)
        if self.unreadable:
            log.warning("%d of %d images could not be read; their rows hold the error", self.unreadable, self.rows)
