"""The final predictions file from its shards, by the ending of its name."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tuningfork.catalogs import write_table
from tuningfork.errors import OutputError, PredictionsError, SchemaError
from tuningfork.files import TEMPORARY, output_errors, refuse_existing, whole_file
from tuningfork.schemas import Schema, check_labels

log = logging.getLogger(__name__)

ENDINGS = (".parquet", ".csv", ".fits", ".vot", ".xml")
ROWS_A_GROUP = 16_384
CHALLENGE = "gz-challenge"


def check_output(out: Path, layout: str, schemas: Sequence[Schema], *, overwrite: bool = False) -> None:
    """Refuse, before any work, an output that could not be written at the end."""
    if layout not in ("table", "kaggle"):
        raise OutputError(f"no format {layout!r}; use table or kaggle")
    if layout == "kaggle":
        if out.suffix != ".csv":
            raise OutputError(f"{out}: the challenge's submission is a .csv file")
        if CHALLENGE not in [schema.name for schema in schemas]:
            raise PredictionsError(f"--format kaggle needs a model that answers {CHALLENGE!r}; this one does not")
    check_target(out, (*ENDINGS, ""), overwrite=overwrite)


def check_target(out: Path, endings: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a file of another ending, one that stands there already, and one that can't be written."""
    if out.suffix not in endings:
        raise OutputError(f"{out}: the ending {out.suffix!r} is not one of {', '.join(filter(None, endings))}")
    if out.is_dir() and not out.suffix:
        raise OutputError(f"{out} exists; name a folder that does not, or a file with an ending")
    if out.is_dir():
        raise OutputError(f"{out} is a folder; name a file in it")
    refuse_existing([out], overwrite=overwrite)
    with whole_file(out.parent / f".{out.name}.probe") as probe:  # raises where the folder can't be written
        probe.touch()
    (out.parent / f".{out.name}.probe").unlink(missing_ok=True)


def write_output(shards: list[Path], out: Path, layout: str, schemas: Sequence[Schema]) -> None:
    """Join the shards into one file, or into a folder as they are.

    Parquet and CSV are streamed; FITS and VOTable hold the whole table in memory.
    """
    if not out.suffix:
        _write_folder(shards, out)
    elif layout == "kaggle":
        _write_kaggle(shards, out, next(schema for schema in schemas if schema.name == CHALLENGE))
    elif out.suffix == ".parquet":
        with whole_file(out) as temporary, pq.ParquetWriter(temporary, pq.read_schema(shards[0])) as writer:
            for group in _groups(shards):
                writer.write_table(group)
    elif out.suffix == ".csv":
        with whole_file(out) as temporary, pyarrow.csv.CSVWriter(temporary, pq.read_schema(shards[0])) as csv:
            for shard in shards:
                csv.write_table(pq.read_table(shard))
    else:
        write_table(pd.concat([pd.read_parquet(shard) for shard in shards], ignore_index=True), out)


def _groups(shards: Sequence[Path]) -> Iterator[pa.Table]:
    """The shards, as many at once as make a row group: a reader holds what is written about every group of a file."""
    tables: list[pa.Table] = []
    for shard in shards:
        tables.append(pq.read_table(shard))
        if sum(map(len, tables)) >= ROWS_A_GROUP:
            yield pa.concat_tables(tables)
            tables = []
    if tables:
        yield pa.concat_tables(tables)


def _write_folder(shards: list[Path], out: Path) -> None:
    """A folder of the shards, which stay where they are until it is whole."""
    making = out.parent / f"{TEMPORARY}{out.name}"
    with output_errors(out):
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        for index, shard in enumerate(shards):
            place = making / f"part-{index:05d}-of-{len(shards):05d}.parquet"
            try:
                place.hardlink_to(shard)
            except OSError:  # not every file system has links
                shutil.copy2(shard, place)
        making.replace(out)


def _say_disobedience(table: pd.DataFrame, schema: Schema, where: str) -> None:
    """Check fractions against the tree: a head of independent sigmoids breaks it, and the challenge takes them so."""
    try:
        check_labels(table, schema, where)
    except SchemaError as error:
        log.warning("%s (a head of independent sigmoids makes no promise; a tree head does)", error)


def _write_kaggle(shards: list[Path], out: Path, schema: Schema) -> None:
    """The challenge's submission: GalaxyID and the 37 fractions, checked against the tree."""
    with whole_file(out) as temporary:
        for index, shard in enumerate(shards):
            table = pd.read_parquet(shard, columns=["id_str", *schema.columns, "error"])
            unread = table["error"].notna()
            if unread.any():
                log.warning("%d unreadable images have empty fractions in %s", int(unread.sum()), out)
            if not unread.all():
                _say_disobedience(table[~unread].reset_index(drop=True), schema, str(out))
            columns = {"GalaxyID": table["id_str"]} | {c: np.round(table[c].astype(float), 6) for c in schema.columns}
            pd.DataFrame(columns).to_csv(temporary, mode="a", header=index == 0, index=False)
