"""Labelling a catalogue: by which schema, in which journal, and which rows its galaxies are."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.catalogs.journal import Labels
from tuningfork.errors import CatalogError, SchemaError
from tuningfork.explore.filters import AskedWrongError
from tuningfork.explore.journal import Journal, Queued
from tuningfork.explore.state import ExploreState
from tuningfork.manifests import LabelEvent
from tuningfork.schemas import ClassSchema


class Labelling:
    """The labels of a catalogue, which others may add to at the same time.

    Raises
    ------
    SchemaError
        If the schema to label by is no list of classes.
    CatalogError
        If the journal can't be read.
    """

    def __init__(self, state: ExploreState) -> None:
        self.state, self.catalogue = state, state.catalogue
        if state.question is not None and not isinstance(state.question, ClassSchema):
            raise SchemaError(
                f"--schema {state.question.name}: galaxies are labelled by a list of classes, which this is not; "
                "see `tuningfork schemas`, or make a list on the page"
            )
        self.journal = Journal(state.journal or default_journal(self.catalogue.path))
        self.asked = state.question
        self._rows: dict[str, int] = {}

    @property
    def labels(self) -> Labels:
        """What the journal adds up to now."""
        return self.journal.refresh()

    def schema(self, name: str | None = None) -> ClassSchema | None:
        """The schema of a name; without one that of --schema, or the last that somebody used; None: there is none."""
        if name is None:
            return self.asked or self.labels.schema
        kept, asked = self.labels.schemas.get(name), self.asked
        if asked is None or asked.name != name:
            return kept
        return kept if kept and set(asked.class_names) < set(kept.class_names) else asked  # classes may have come to it

    def required(self, name: str | None = None) -> ClassSchema:
        """The schema of a name, or without one as `schema`.

        Raises
        ------
        AskedWrongError
            If there is none yet.
        CatalogError
            If the one named is not in the journal.
        """
        schema = self.schema(name)
        if schema is not None:
            return schema
        if name is None:
            raise AskedWrongError("there are no classes to label by yet; make a list of two or more first")
        raise CatalogError(
            f"{self.journal.path.name} has no question {name[:80]!r} (any more); load the page again, and make it anew"
        )

    def label(self, schema: ClassSchema, row: int, answer: str | None, queue: Queued) -> LabelEvent:
        """Label a row by the name of a class of a schema, or skip it; `queue` is how it came to be looked at.

        Raises
        ------
        AskedWrongError
            If the class is not known, or the catalogue has no ids by which one galaxy alone would be found again.
        """
        if self.refused:
            raise AskedWrongError(self.refused)
        if answer is not None and answer not in schema.class_names:
            raise AskedWrongError(f"{answer[:80]!r} is no class of {schema.name}: {', '.join(schema.class_names)}")
        if schema != self.labels.schemas.get(schema.name):
            self.journal.define(schema)
        return self.journal.label(schema.name, self.id_of(row), answer, queue)

    def check(self, row: int, id_str: str) -> None:
        """Refuse a row that is another galaxy than the one that was looked at.

        Raises
        ------
        CatalogError
            If it is.
        """
        found = self.catalogue.ids(np.array([row]))[0]
        if found != id_str:
            raise CatalogError(
                f"row {row} of {self.catalogue.name} is the galaxy {found[:80]!r}, not {id_str[:80]!r}, which was "
                "shown: the catalogue is another; load the page again"
            )

    def id_of(self, row: int) -> str:
        """The id of a row, by which it is found again.

        Raises
        ------
        AskedWrongError
            If it has none.
        """
        if not 0 <= row < self.catalogue.rows:
            raise AskedWrongError(f"there is no row {row}; the catalogue has {self.catalogue.rows:,}")
        id_str = self.catalogue.ids(np.array([row]))[0] if self.catalogue.id_column else ""
        if not id_str:
            raise AskedWrongError("this galaxy has no id (id_str), and its label could not be found again")
        self._rows.setdefault(id_str, row)
        return id_str

    def rows_of(self, ids: Iterable[str]) -> list[int | None]:
        """The rows of galaxies by their ids; None of those that this catalogue lacks."""
        wanted = list(ids)
        unknown = [id_str for id_str in dict.fromkeys(wanted) if id_str not in self._rows]
        if unknown:
            found = pc.index_in(pa.array(unknown, pa.string()), value_set=self.catalogue.all_ids())
            self._rows |= {
                name: -1 if row is None else row for name, row in zip(unknown, found.to_pylist(), strict=True)
            }
        return [None if self._rows[id_str] < 0 else self._rows[id_str] for id_str in wanted]

    def labelled_rows(self, schema: ClassSchema | None) -> list[int]:
        """The rows that have a label by a schema, whoever gave it."""
        return self._there(event.id for event in self.labels.labelled(schema.name)) if schema else []

    def seen(self, schema: ClassSchema | None) -> list[int]:
        """The rows that somebody has labelled by a schema, or that this person has skipped."""
        skipped = self.labels.skipped(schema.name, self.journal.user) if schema else ()
        return [*self.labelled_rows(schema), *self._there(skipped)]

    @cached_property
    def refused(self) -> str | None:
        """Why the catalogue can't be labelled: ids that stand twice; None where it can."""
        ids = self.catalogue.all_ids() if self.catalogue.id_column else pa.array([], pa.string())
        counts = pc.value_counts(ids.filter(pc.fill_null(pc.not_equal(ids, ""), False)))
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        if not len(twice):
            return None
        name = twice.field("values")[0].as_py()
        return (
            f"{self.catalogue.name} has the galaxy {name[:80]!r} more than once, so that it is not known which row a "
            "label is of; keep one row of each galaxy to label them"
        )

    def _there(self, ids: Iterable[str]) -> list[int]:
        return [row for row in self.rows_of(ids) if row is not None]


def default_journal(catalogue: Path) -> Path:
    """Where the labels of a catalogue are kept unless another place is named."""
    return catalogue.parent / f"{catalogue.stem}-labels.jsonl"
