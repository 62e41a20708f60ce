"""Labelling a catalogue: by which schema, in which journal, and which rows its galaxies are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.catalogs.journal import Labels
from tuningfork.errors import SchemaError
from tuningfork.explore.filters import AskedWrongError
from tuningfork.explore.journal import Journal
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
        self._asked = state.question
        self._rows: dict[str, int] = {}

    @property
    def labels(self) -> Labels:
        """What the journal adds up to now."""
        return self.journal.refresh()

    @property
    def schema(self) -> ClassSchema | None:
        """The schema that is labelled by; None before one is made."""
        return self._asked or self.labels.schema

    def required(self) -> ClassSchema:
        """The schema that is labelled by.

        Raises
        ------
        AskedWrongError
            If there is none.
        """
        schema = self.schema
        if schema is None:
            raise AskedWrongError("there are no classes to label by yet; make a list of two or more first")
        return schema

    def ask(self, schema: ClassSchema) -> None:
        """Label by this schema from now on.

        Raises
        ------
        CatalogError
            If the journal has one of that name with other classes.
        """
        self.journal.define(schema)
        self._asked = None  # as the journal says, which others may change

    def label(self, row: int, answer: str | None, *, queued: bool) -> LabelEvent:
        """Label a row by the name of a class, or skip it; `queued` is whether it came from the queue.

        Raises
        ------
        AskedWrongError
            If the class is not known, or the catalogue has no ids by which the galaxy would be found again.
        """
        schema = self.required()
        if answer is not None and answer not in schema.class_names:
            raise AskedWrongError(f"{answer[:80]!r} is no class of {schema.name}: {', '.join(schema.class_names)}")
        if schema != self.labels.schemas.get(schema.name):
            self.journal.define(schema)
        return self.journal.label(schema.name, self.id_of(row), answer, queued=queued)

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

    def labelled_rows(self) -> list[int]:
        """The rows that have a label by the schema, whoever gave it."""
        schema = self.schema
        return self._there(event.id for event in self.labels.labelled(schema.name)) if schema else []

    def seen(self) -> list[int]:
        """The rows that somebody has labelled, or that this person has skipped."""
        schema = self.schema
        skipped = self.labels.skipped(schema.name, self.journal.user) if schema else ()
        return [*self.labelled_rows(), *self._there(skipped)]

    def _there(self, ids: Iterable[str]) -> list[int]:
        return [row for row in self.rows_of(ids) if row is not None]


def default_journal(catalogue: Path) -> Path:
    """Where the labels of a catalogue are kept unless another place is named."""
    return catalogue.parent / f"{catalogue.stem}-labels.jsonl"
