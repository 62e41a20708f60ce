"""A journal of labels: what people said of galaxies, an event a line, and the table of what counts of it.

The last word counts. Of what one person said of a galaxy it is the last that was not undone, and a skip takes back what
was said before; of several people it is the one who spoke last, and how often they disagree is logged. A line that a
kill tore was never there; one that lacks but its end was.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from tuningfork.errors import CatalogError, SchemaError
from tuningfork.files import LARGEST_TEXT
from tuningfork.manifests import LabelEvent, LabelsManifest
from tuningfork.schemas import ClassSchema, schema_from_dict

log = logging.getLogger(__name__)

BEGINNING = f'{{"format": "{LabelsManifest.FORMAT}"'.encode()


@dataclass
class Labels:
    """What the events of a journal add up to.

    `schemas` by name, the last defined last; `events` in order; `undone` the numbers of those taken back.
    """

    schemas: dict[str, ClassSchema] = field(default_factory=dict)
    events: list[LabelEvent] = field(default_factory=list)
    undone: set[int] = field(default_factory=set)
    votes: dict[str, bool] = field(default_factory=dict)
    _said: dict[tuple[str, str], list[LabelEvent]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The number of the last event, or 0."""
        return self.events[-1].n if self.events else 0

    def add(self, event: LabelEvent, origin: str) -> None:
        """Add the next event, as `check` allows it."""
        self.check(event, origin)
        if event.kind == "schema":
            schema = class_schema(event.definition or {}, origin)
            self.schemas.pop(schema.name, None)
            self.schemas[schema.name] = schema
        elif event.kind == "undo":
            self.undone.add(event.undoes or 0)
        elif event.kind == "vote":
            self.votes[event.id] = bool(event.interesting)
        else:
            self._said.setdefault((event.schema_, event.id), []).append(event)
        self.events.append(event)

    def check(self, event: LabelEvent, origin: str) -> None:
        """Refuse an event that does not follow from those before it; `origin` names its line.

        Raises
        ------
        CatalogError
            If it is out of order, undoes what is no label, has an answer that its schema lacks, or takes classes away.
        """
        if event.n != self.last + 1:
            raise CatalogError(
                f"{origin}: event {event.n} follows event {self.last}; lines are missing or out of order"
            )
        if event.kind == "schema":
            self._check_schema(class_schema(event.definition or {}, origin), origin)
        elif event.kind == "undo":
            undone = event.undoes or 0
            if not 1 <= undone <= self.last or self.event(undone).kind not in ("label", "skip"):
                raise CatalogError(f"{origin}: event {undone} is no label, and can't be undone")
        elif event.kind in ("label", "skip"):
            self._check_answer(event, origin)

    @property
    def schema(self) -> ClassSchema | None:
        """The schema that was last defined or labelled by."""
        names = (event.schema_ or (event.definition or {}).get("name", "") for event in reversed(self.events))
        return next((self.schemas[name] for name in names if name in self.schemas), None)

    def event(self, n: int) -> LabelEvent:
        """The event of this number."""
        return self.events[n - 1]

    def counts(self, schema: str, id_str: str) -> LabelEvent | None:
        """The label that counts of a galaxy, or None."""
        answers = [event for event in self._last_words(schema, id_str) if event.kind == "label"]
        return max(answers, key=lambda event: event.n) if answers else None

    def disagreed(self, schema: str, id_str: str) -> bool:
        """Whether people gave a galaxy different answers."""
        return len({event.answer for event in self._last_words(schema, id_str) if event.kind == "label"}) > 1

    def labelled(self, schema: str) -> Iterator[LabelEvent]:
        """The label that counts of every galaxy that has one, in the order in which galaxies were first looked at."""
        for name, id_str in list(self._said):
            if name == schema and (event := self.counts(schema, id_str)):
                yield event

    def skipped(self, schema: str, user: str) -> Iterator[str]:
        """The galaxies that a person skipped last."""
        for name, id_str in list(self._said):
            if name == schema and any(e.user == user and e.kind == "skip" for e in self._last_words(schema, id_str)):
                yield id_str

    def last_word(self, schema: str, id_str: str) -> LabelEvent | None:
        """The last label or skip of a galaxy, whoever gave it, that was not taken back."""
        said = self._said.get((schema, id_str), ())
        return next((event for event in reversed(said) if event.n not in self.undone), None)

    def judges(self, event: LabelEvent) -> bool:
        """Whether a galaxy is to judge by what is learned: set aside by its hash, and first looked at in the queue.

        One that somebody chose for what it is would flatter, and is learned from.
        """
        return event.set == "validation" and self.first_word(event).queued

    def first_word(self, event: LabelEvent) -> LabelEvent:
        """The first label or skip of the same galaxy that was not taken back: how it came to be looked at."""
        said = self._said.get((event.schema_, event.id), ())
        return next((each for each in said if each.n not in self.undone), event)

    def _last_words(self, schema: str, id_str: str) -> Iterable[LabelEvent]:
        """The last label or skip of each person that was not taken back."""
        said = self._said.get((schema, id_str), ())
        return {event.user: event for event in said if event.n not in self.undone}.values()

    def _check_schema(self, schema: ClassSchema, origin: str) -> None:
        before = self.schemas.get(schema.name, schema)
        if before.label_column != schema.label_column or not set(before.class_names) <= set(schema.class_names):
            raise CatalogError(
                f"{origin}: schema {schema.name!r} has {', '.join(before.class_names)} already; classes can be added "
                "to it, not taken away: choose another name"
            )

    def _check_answer(self, event: LabelEvent, origin: str) -> None:
        schema = self.schemas.get(event.schema_)
        if schema is None:
            raise CatalogError(f"{origin}: schema {event.schema_!r} is not defined before it is used")
        if event.answer is not None and event.answer not in schema.class_names:
            raise CatalogError(
                f"{origin}: {event.answer!r} is no class of {schema.name!r}; it has {', '.join(schema.class_names)}"
            )


def class_schema(definition: dict[str, object], origin: str) -> ClassSchema:
    """The class schema that a journal defines.

    Raises
    ------
    CatalogError
        If it is none.
    """
    try:
        schema = schema_from_dict(definition, origin)
    except SchemaError as error:
        raise CatalogError(str(error)) from error
    if not isinstance(schema, ClassSchema):
        raise CatalogError(f"{origin}: schema {schema.name!r} is no list of classes, and only such are labelled")
    return schema


def first_line(line: str, origin: Path) -> LabelsManifest:
    """What the first line of a journal says.

    Raises
    ------
    CatalogError
        If it is no journal's, or of a version that this software does not read.
    """
    return LabelsManifest.of(_parsed(line, str(origin)), origin)


def parse_event(line: str, origin: str) -> LabelEvent:
    """The event of a line; `origin` names it in errors.

    Raises
    ------
    CatalogError
        If it is none.
    """
    try:
        return LabelEvent.model_validate(_parsed(line, origin))
    except ValueError as error:
        raise CatalogError(f"{origin}: no event of a journal; remove the line, or copy the file again") from error


def is_whole(line: str | bytes) -> bool:
    """Whether a line without an end is a whole one: cut at any other place it would be no JSON."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(line: str, origin: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{origin}: no JSON; remove the line, or copy the file again") from error


def read_labels(text: str, path: Path) -> Labels:
    """What the whole lines of a journal add up to; the last may lack its end, as an editor leaves it.

    Raises
    ------
    CatalogError
        If a line is no event, or does not follow from those before it; it is named.
    """
    *lines, rest = text.split("\n")  # at no other sign that ends lines: a name may hold one
    lines += [rest] if is_whole(rest) else []
    labels = Labels()
    if lines:
        first_line(lines[0], path)
    for number, line in enumerate(lines[1:], start=2):
        labels.add(parse_event(line, f"{path}, line {number}"), f"{path}, line {number}")
    return labels


def read_journal(source: BinaryIO, path: Path) -> pd.DataFrame:
    """The table of a journal: a row for every galaxy that has a label.

    `id_str`; for each schema its label column (the name of the class) and `<label column>_disagreed`, whether people
    gave different answers; `split`, which is ``val`` for galaxies set aside for validation (by one schema at
    least, as `Labels.judges` has it) and else ``train``.

    Raises
    ------
    CatalogError
        As `read_labels`; or if there is no label yet.
    """
    try:
        labels = read_labels(source.read(LARGEST_TEXT).decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path} is not UTF-8 text; copy it again") from error
    rows: dict[str, dict[str, object]] = {}
    for schema in labels.schemas.values():
        disputed = 0
        for event in labels.labelled(schema.name):
            row = rows.setdefault(event.id, {"id_str": event.id, "split": "train"})
            row["split"] = "val" if labels.judges(event) else row["split"]
            row[schema.label_column] = event.answer
            row[f"{schema.label_column}_disagreed"] = labels.disagreed(schema.name, event.id)
            disputed += bool(row[f"{schema.label_column}_disagreed"])
        if disputed:
            log.warning("%s: people disagree on %d galaxies of %s; the last answer counts", path, disputed, schema.name)
    if not rows:
        raise CatalogError(f"{path} has no label yet; label galaxies with `tuningfork explore`")
    return pd.DataFrame(list(rows.values()))
