"""Shards in the order asked, where the images came in another: those cut out of tiles come tile by tile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.files import output_errors

ROWS = 65_536  # that are put in order at once, in memory
MOST_FILES = 256  # open at once
PLACE = "place asked"


def in_order(shards: list[Path], places: np.ndarray, folder: Path) -> list[Path]:
    """The rows of shards in the order of `places`, (N,): where each row is to stand, from 0.

    Rows are dealt into files of neighbouring places in `folder`, which is made anew, and each file is sorted.
    """
    if (np.diff(places) > 0).all():
        return shards
    size = max(ROWS, -(-len(places) // MOST_FILES))
    with output_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        dealt = _deal(shards, places, size, folder)
        return [_sorted(path) for path in dealt]


def _deal(shards: Sequence[Path], places: np.ndarray, size: int, folder: Path) -> list[Path]:
    schema = pq.read_schema(shards[0]).append(pa.field(PLACE, pa.int64()))
    paths = [folder / f"{number:06d}.arrow" for number in range(-(-len(places) // size))]
    start = 0
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(path, schema)) for path in paths]
        for shard in shards:
            table = pq.read_table(shard)
            to = places[start : start + len(table)]
            start += len(table)
            table = table.append_column(schema.field(PLACE), pa.array(to, pa.int64()))
            for number in np.unique(to // size):
                writers[number].write_table(table.filter(pa.array(to // size == number)))
    return paths


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatchStreamWriter]:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        yield writer


def _sorted(path: Path) -> Path:
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_stream(file).read_all()
    target = path.with_suffix(".parquet")
    pq.write_table(table.sort_by(PLACE).drop_columns([PLACE]), target)
    path.unlink()
    return target
