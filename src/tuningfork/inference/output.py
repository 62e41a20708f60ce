"""The final predictions file from its shards, by the ending of its name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.catalogs import Origin, write_parts
from tuningfork.errors import OutputError, PredictionsError, SchemaError
from tuningfork.files import refuse_existing, refuse_irregular, whole_file, whole_folder
from tuningfork.inference.carried import Joined
from tuningfork.inference.described import published_names
from tuningfork.schemas import Schema, check_labels

log = logging.getLogger(__name__)

ENDINGS = (".parquet", ".csv", ".fits", ".vot", ".xml")
LAYOUTS = ("table", "kaggle", "spreadsheet")
CHALLENGE = "gz-challenge"
FORMULA = r"^([=+\-@\t\r])"  # how a text begins that a spreadsheet would run


def check_output(out: Path, layout: str, schemas: Sequence[Schema], *, overwrite: bool = False) -> None:
    """Refuse, before any work, an output that could not be written at the end."""
    if layout not in LAYOUTS:
        raise OutputError(f"--format {layout}: use {', '.join(LAYOUTS[:-1])} or {LAYOUTS[-1]}")
    if layout == "spreadsheet" and out.suffix != ".csv":
        raise OutputError(f"{out}: a table for a spreadsheet is a .csv file")
    if layout == "kaggle":
        if out.suffix != ".csv":
            raise OutputError(f"{out}: the challenge's submission is a .csv file")
        if CHALLENGE not in [schema.name for schema in schemas]:
            raise PredictionsError(f"--format kaggle needs a model that answers {CHALLENGE!r}; this one does not")
    check_target(out, (*ENDINGS, ""), overwrite=overwrite)


def chosen_names(columns: str, schemas: Sequence[Schema]) -> dict[str, str]:
    """Other names for columns of answers, as ``--columns`` asks for.

    Raises
    ------
    OutputError
        If `columns` is neither ``readable`` nor ``schema``.
    """
    if columns not in ("readable", "schema"):
        raise OutputError(f"no names of columns {columns!r}; use readable or schema")
    return published_names(schemas) if columns == "schema" else {}


def check_target(out: Path, endings: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a file of another ending, one that exists already, and one that can't be written."""
    if out.suffix not in endings:
        raise OutputError(f"{out}: the ending {out.suffix!r} is not one of {', '.join(filter(None, endings))}")
    if out.is_dir() and not out.suffix:
        raise OutputError(f"{out} exists; name a folder that does not, or a file with an ending")
    if out.is_dir():
        raise OutputError(f"{out} is a folder; name a file in it")
    refuse_existing([out], overwrite=overwrite)
    refuse_irregular(out)
    with whole_file(out.parent / f".{out.name}.probe") as probe:  # raises where the folder can't be written
        probe.touch()
    (out.parent / f".{out.name}.probe").unlink(missing_ok=True)


def write_output(rows: Joined, out: Path, layout: str, schemas: Sequence[Schema], origin: Origin) -> None:
    """Join the shards into one file, or into a folder of one file a shard, part after part."""
    if not out.suffix:
        _write_folder(rows, out, origin)
    elif layout == "kaggle":
        _write_kaggle(rows.shards, out, next(schema for schema in schemas if schema.name == CHALLENGE))
    else:
        parts = map(_without_formulas, rows) if layout == "spreadsheet" else rows
        write_parts(rows.schema, parts, out, origin)


def _without_formulas(part: pa.Table) -> pa.Table:
    """Texts that a spreadsheet would run as a formula, with an apostrophe before them."""
    for index, field in enumerate(part.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            guarded = pc.replace_substring_regex(part.column(index), FORMULA, r"'\1")
            part = part.set_column(index, field, guarded)
    return part


def _write_folder(rows: Joined, out: Path, origin: Origin) -> None:
    with whole_folder(out) as making:
        for index, part in enumerate(rows):
            place = making / f"part-{index:05d}-of-{len(rows.shards):05d}.parquet"
            write_parts(rows.schema, [part], place, origin)


def _say_disobedience(table: pd.DataFrame, schema: Schema, origin: str) -> None:
    """Check fractions against the tree: a head of independent sigmoids breaks it, and the challenge takes them so."""
    try:
        check_labels(table, schema, origin)
    except SchemaError as error:
        log.warning("%s (a head of independent sigmoids makes no promise; a tree head does)", error)


def _write_kaggle(shards: Sequence[Path], out: Path, schema: Schema) -> None:
    """The challenge's submission: GalaxyID and the 37 fractions, checked against the tree."""
    with whole_file(out) as temporary:
        for index, shard in enumerate(shards):
            table = pd.read_parquet(shard, columns=["id_str", *schema.prediction_columns, "error"])
            table.columns = pd.Index(["id_str", *schema.columns, "error"])
            unread = table["error"].notna()
            if unread.any():
                log.warning("%d unreadable images have empty fractions in %s", int(unread.sum()), out)
            if not unread.all():
                _say_disobedience(table[~unread].reset_index(drop=True), schema, str(out))
            columns = {"GalaxyID": table["id_str"]} | {c: np.round(table[c].astype(float), 6) for c in schema.columns}
            pd.DataFrame(columns).to_csv(temporary, mode="a", header=index == 0, index=False)
