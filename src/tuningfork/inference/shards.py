"""Rows of a table in shards beside the output: constant memory, and a killed run goes on after the last shard."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuningfork.files import whole_file
from tuningfork.images import Decoded, next_batch
from tuningfork.images.notes import Angles, count_notes, counted, say_notes, widest
from tuningfork.inference.described import OOD
from tuningfork.jobs import DIGITS, fingerprint
from tuningfork.packs import ImageSource, PackSource
from tuningfork.progress import progress_bar
from tuningfork.timing import Timing

log = logging.getLogger(__name__)

BATCH = 256
ROWS_A_SHARD = 4 * BATCH
SECONDS_A_SHARD = 30.0  # what a kill may cost where a galaxy takes long
MANY, MANY_SHARE = 10, 0.2  # images out of distribution; of single galaxies about 0.02 are
Rows = Callable[[list[Decoded]], pa.Table]
NAME = re.compile(rf"\d{{12,}}-\d{{12,}}-[0-9a-f]{{{DIGITS}}}\.parquet")  # first row, end, what they were made of


class Shards:
    """The shards of a job, in its work folder: each names its rows and vouches for the images they were made of.

    `stamp` and `missing` speak of the images as they were when this was made.
    """

    def __init__(self, folder: Path, source: ImageSource | PackSource, batch: int) -> None:
        self.folder, self.source, self.batch = folder, source, batch
        self.stamps = source.stamps(0, source.n, batch)

    @property
    def paths(self) -> list[Path]:
        """Those that are there, in the order of their rows."""
        return sorted(path for path in self.folder.glob("*.parquet") if NAME.fullmatch(path.name))

    def path(self, start: int, stop: int) -> Path:
        """The shard of the rows from `start` to `stop`."""
        return self.folder / f"{start:012d}-{stop:012d}-{self.stamp(start, stop)[:DIGITS]}.parquet"

    def stamp(self, start: int, stop: int) -> str:
        """A hash of what the rows from `start` to `stop` were made of."""
        if start % self.batch == 0 and (stop % self.batch == 0 or stop == self.source.n):
            return fingerprint(self.stamps[start // self.batch : -(-stop // self.batch)])
        return fingerprint(self.source.stamps(start, stop, self.batch))

    def missing(self) -> list[range]:
        """The rows that are to be made: all that no shard holds. A shard of images that have changed is removed."""
        gaps, end, lost = [], 0, 0
        for path in self.paths:
            start, stop = map(int, path.stem.split("-")[:2])
            if end <= start < stop <= self.source.n and path == self.path(start, stop):
                gaps += [range(end, start)] if start > end else []
                end = stop
            else:
                lost += stop - start
                path.unlink()
        gaps += [range(end, self.source.n)] if end < self.source.n else []
        kept = self.source.n - sum(map(len, gaps))
        if kept:
            log.info("going on after the %d rows that an earlier run left in %s", kept, self.folder)
        if lost:
            log.warning("%d rows that an earlier run left are made again: their images have changed since", lost)
        return gaps


def write_shards(
    there: Shards, make_rows: Callable[[], Rows], *, verb: str, rows_a_shard: int, profile: bool = False
) -> None:
    """Write the rows that are not there yet, a shard at a time.

    Parameters
    ----------
    make_rows
        Gives what makes the rows of a batch of images, unreadable ones among them.
    verb
        The name of the progress bar.
    rows_a_shard
        How many rows a kill may cost.
    profile
        Say at the end what the time went to.
    """
    timing, tally, source = Timing(), Tally(), there.source
    gaps = there.missing()
    if not gaps:
        return
    rows = make_rows()
    with progress_bar(verb, source.n) as advance:
        advance(source.n - sum(map(len, gaps)))

        def seen(part: list[Decoded]) -> None:
            tally.count(part)
            advance(len(part))

        for gap in gaps:
            done = gap.start
            with closing(source.decoded(gap.start)) as decoded:
                asked = islice(decoded, len(gap))
                for shard in shards(asked, rows, seen, there.batch, rows_a_shard, timing, SECONDS_A_SHARD):
                    with timing.part("writing"), whole_file(there.path(done, done + len(shard))) as temporary:
                        pq.write_table(shard, temporary)
                    done += len(shard)
    tally.say()
    if profile:
        log.info(timing.line(tally.rows))


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

    `seen` is called with each batch that is done.
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
    return f"none of {counted(rows)} could be read; the first, {first['id_str']}: {first['error']}" if first else ""


def say_out_of_distribution(done: Sequence[Path]) -> None:
    """Warn where so many images are flagged that it is no matter of single galaxies."""
    flags = [
        pq.read_table(shard, columns=[OOD.name])[OOD.name].drop_null()
        for shard in done
        if OOD.name in pq.read_schema(shard).names
    ]
    flagged, known = sum(pc.sum(part).as_py() or 0 for part in flags), sum(map(len, flags))
    if flagged >= MANY and flagged > MANY_SHARE * known:
        log.warning(
            "%d of %s (%.0f %%) are out of distribution: as a whole they look unlike those the model was trained on. "
            "Look at some of them, and check the order of their bands, their field of view and how they were "
            "stretched",
            flagged,
            counted(known),
            100 * flagged / known,
        )


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
            log.warning("%d of %s could not be read; the rows hold the error", self.unreadable, counted(self.rows))
