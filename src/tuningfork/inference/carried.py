"""The columns of the user's catalogue beside those of the prediction: each with its own name and type."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import ABOUT, STORED, About, about, arrow_table, column, find_position_columns
from tuningfork.inference.described import DEC, FILE, ID, RA

log = logging.getLogger(__name__)

CLASH = "_catalogue"  # added to a name that is one of ours already
EXAMPLES = 3


@dataclass(frozen=True)
class Joined:
    """The shards of a job with further columns of all its rows, one table a shard; gone through as often as wanted.

    `names` are the columns of the shards that stay, `added` those that come after them; `renamed` gives some of the
    first another name.
    """

    shards: Sequence[Path]
    names: Sequence[str]
    added: pa.Table
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> pa.Schema:
        """All the columns."""
        ours = pq.read_schema(self.shards[0])
        kept = (ours.field(name).with_name(self.renamed.get(name, name)) for name in self.names)
        return pa.schema([*kept, *self.added.schema])

    def __iter__(self) -> Iterator[pa.Table]:
        start, schema = 0, self.schema
        for shard in self.shards:
            table = pq.read_table(shard, columns=list(self.names))
            further = self.added.slice(start, len(table)).columns
            yield pa.Table.from_arrays([*table.columns, *further], schema=schema)
            start += len(table)


def join(
    shards: Sequence[Path],
    catalogue: pd.DataFrame,
    further: pa.Table | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Joined:
    """The shards of a job, `further` columns of ours, and then those of the catalogue, whose row i is row i.

    Columns of the shards get the names that `renamed` gives them.

    A catalogue that has positions has them alone: the images' are left out. A column of the catalogue whose name is one
    of ours, in whatever case, gets ``_catalogue`` after it, which is said.
    """
    names, position = pq.read_schema(shards[0]).names, find_position_columns(catalogue)
    if position is not None:
        names = [name for name in names if name not in (RA.name, DEC.name)]
    further = pa.table({}) if further is None else further
    carried = _with_stored_types(arrow_table(catalogue.drop(columns=[ID.name, FILE.name], errors="ignore")), catalogue)
    renamed = renamed or {}
    ours = [renamed.get(name, name) for name in names]
    called = _free_names(carried.column_names, [*ours, *further.column_names])
    described = _described(carried.schema, catalogue, position)
    fields = [*further.schema, *(entry.with_name(name) for entry, name in zip(described, called, strict=True))]
    columns = [*further.columns, *carried.columns]
    return Joined(shards, names, pa.Table.from_arrays(columns, schema=pa.schema(fields)), renamed)


def _with_stored_types(table: pa.Table, catalogue: pd.DataFrame) -> pa.Table:
    """Ids that were read as text, in the type that the catalogue has them in."""
    for name, kind in catalogue.attrs.get(STORED, {}).items():
        if name in table.column_names:
            column = table[name].cast(pa.type_for_alias(kind))
            table = table.set_column(table.column_names.index(name), name, column)
    return table


def _free_names(names: Sequence[str], ours: Sequence[str]) -> list[str]:
    """The names of the catalogue's columns, other than ours."""
    taken, free = {name.casefold() for name in ours}, []
    for name in names:
        new = name
        while new.casefold() in taken:
            new += CLASH
        taken.add(new.casefold())
        free.append(new)
    changed = [name for name, new in zip(names, free, strict=True) if name != new]
    if changed:
        some = ", ".join(changed[:EXAMPLES]) + (", ..." if len(changed) > EXAMPLES else "")
        log.info("%d columns of the catalogue have names of ours (%s): kept as <name>%s", len(changed), some, CLASH)
    return free


def _described(schema: pa.Schema, catalogue: pd.DataFrame, position: tuple[str, str] | None) -> list[pa.Field]:
    """The catalogue's columns as it describes them itself; its positions, where it does not, as positions."""
    known: dict[str, list[str]] = catalogue.attrs.get(ABOUT, {})
    fields = []
    for entry in schema:
        said = About(*known.get(entry.name, ()))
        said = replace(said, description=said.description or "As in the catalogue")
        if position is not None and entry.name in position and pa.types.is_floating(entry.type):
            usual = about(RA if entry.name == position[0] else DEC)
            said = About(said.description, said.unit or usual.unit, said.ucd or usual.ucd)
        fields.append(column(entry.name, entry.type, said))
    return fields
