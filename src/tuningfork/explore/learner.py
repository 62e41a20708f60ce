"""What to label next, and what is learned from the labels so far."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.compute as pc

from tuningfork.catalogs import About
from tuningfork.errors import TuningforkError
from tuningfork.explore import queue
from tuningfork.explore.columns import LEARNED, Column
from tuningfork.explore.features import Features
from tuningfork.explore.filters import AskedWrongError, Filter
from tuningfork.explore.journal import Counted
from tuningfork.explore.labelling import Labelling
from tuningfork.explore.learn import Examples, Learned, Scale, learn, scale_of
from tuningfork.explore.queue import Rows, Values
from tuningfork.manifests import LabelEvent
from tuningfork.schemas import ClassSchema
from tuningfork.schemas.schema import identifiers

CENTRES = 1_000  # labelled galaxies, the last, that the most different ones are to differ from
CHUNK = 1 << 16


@dataclass(frozen=True)
class Fit:
    """A head that was learned, the columns of its probabilities, and what it knows of each row.

    `entropy` (N,) is how unsure it is; `journal` the SHA-256 of the journal whose labels it was learned from; of those
    it was judged by `filtered` came from a queue that a filter had narrowed.
    """

    learned: Learned
    columns: tuple[str, ...]
    entropy: Values
    journal: str
    filtered: int


@dataclass(frozen=True)
class Placed:
    """A label that counts, the row of its galaxy, and the first label of it where it is to judge by."""

    row: int
    event: LabelEvent
    judges: LabelEvent | None


class Learner:
    """The queue of galaxies to label, and the head that is refitted to the labels of a catalogue.

    `fits` are the last head of each schema.
    """

    def __init__(self, labelling: Labelling) -> None:
        self.labelling, self.catalogue = labelling, labelling.catalogue
        self.fits: dict[str, Fit] = {}
        self._queued = False
        self._learning = threading.Lock()

    def orders(self, schema: ClassSchema | None) -> list[str]:
        """The orders that can be had of this catalogue, to label by a schema."""
        known = {
            "uncertainty": self._doubt(schema) is not None,
            "ood": self.unusual is not None,
            "diversity": self.labelling.state.embedding is not None,
            "random": True,
        }
        return [order for order in queue.ORDERS if known[order]]

    def next(self, schema: ClassSchema | None, order: str, chosen: Filter, n: int) -> list[tuple[int, bool]]:
        """The next `n` galaxies to label by a schema among those that a filter keeps; whether each is for validation.

        Raises
        ------
        AskedWrongError
            If there is no such order.
        """
        if order not in (orders := self.orders(schema)):
            raise AskedWrongError(
                f"the order {order[:40]!r} can't be had of this catalogue; choose {', '.join(orders)}"
            )
        free = self.catalogue.mask(chosen) & self._labellable
        seen = self.labelling.seen(schema)
        free[seen] = False
        train, validation = (np.flatnonzero(free & part) for part in (~self._aside, self._aside))
        ordered = self._different(train, seen, n) if order == "diversity" else self._ordered(schema, order, train, n)
        rows = queue.interleaved(ordered, queue.at_random(self._hashes, validation, n), n)
        return [(row, bool(self._aside[row])) for row in rows]

    def _ordered(self, schema: ClassSchema | None, order: str, rows: Rows, n: int) -> Rows:
        scores = {"uncertainty": self._doubt(schema), "ood": self.unusual}.get(order)
        return queue.at_random(self._hashes, rows, n) if scores is None else queue.highest(scores, rows, n)

    def _different(self, rows: Rows, seen: Sequence[int], n: int) -> Rows:
        features = self.features
        pool = queue.at_random(self._hashes, rows[features.known[rows]], queue.POOL)
        centres = np.array([row for row in seen if features.known[row]][-CENTRES:], np.int64)
        points = self.scale.of(features.values[np.concatenate([pool, centres])])
        return pool[queue.most_different(points[: len(pool)], points[len(pool) :], n)]

    @cached_property
    def _hashes(self) -> np.ndarray:
        return queue.hashes(
            self.labelling.journal.seed, ["" if each is None else each for each in self.catalogue.all_ids().to_pylist()]
        )

    @cached_property
    def _aside(self) -> np.ndarray:
        """Which rows are set aside for validation, (N,) bool."""
        return queue.is_validation(self._hashes)

    @cached_property
    def _labellable(self) -> np.ndarray:
        """Which rows have an id, and an image that was read, (N,) bool."""
        column = self.catalogue.find("error")
        named = np.asarray(
            pc.fill_null(pc.not_equal(self.catalogue.all_ids(), ""), False).to_numpy(zero_copy_only=False)
        )
        return named & ~self.catalogue.values(column.name).known if column else named

    # --- scores

    def _doubt(self, schema: ClassSchema | None) -> Values | None:
        """How unsure the head of a schema is of each row, or before there is one the catalogue's own answers."""
        fit = self.fits.get(schema.name) if schema else None
        return fit.entropy if fit else self._first_doubt

    @cached_property
    def _first_doubt(self) -> Values | None:
        """By the catalogue's predictions: the entropy of its first classes or answers, or an interval's width."""
        for question in sorted(self.catalogue.questions, key=lambda each: each.kind != "classes"):
            if question.kind in ("classes", "tree") and len(question.answers) > 1:
                fractions = [self.catalogue.numbers(answer.column).floats() for answer in question.answers]
                return queue.entropy(np.stack(fractions, axis=1))
        width = self.catalogue.find("width")
        return None if width is None else self.catalogue.numbers(width.name).floats().astype(np.float64)

    @cached_property
    def unusual(self) -> Values | None:
        """The OOD score of each row; where the catalogue has none, how far its features lie from their mean."""
        column = self.catalogue.find("ood_score")
        if column is not None:
            return self.catalogue.numbers(column.name).floats().astype(np.float64)
        if self.labelling.state.embedding is None:
            return None
        far, values = np.empty(self.catalogue.rows), self.labelling.state.embedding.values
        for start in range(0, len(far), CHUNK):
            far[start : start + CHUNK] = np.linalg.norm(self.scale.of(values[start : start + CHUNK]), axis=1)
        return far

    # --- learning

    def learn(self, schema: ClassSchema) -> Fit:
        """Refit the head of a schema; its probabilities become columns, and the queue's order follows its doubt.

        Raises
        ------
        TuningforkError
            If there are no features, or too few labels.
        """
        with self._learning:
            features = self.features
            counted, journal = self.labelling.journal.counted(schema.name)
            given = self._with_features(counted)
            train, validation = (
                _examples(each for each in given if (each.judges is not None) is part) for part in (False, True)
            )
            learned = learn(features.values, self.scale, train, validation, schema.class_names)
            probabilities = learned.head.probabilities(features.values)
            columns = self._put(learned, probabilities, schema)
            filtered = sum(each.judges is not None and each.judges.filtered for each in given)
            fit = Fit(learned, columns, queue.entropy(probabilities), journal, filtered)
            self.fits[schema.name] = fit
            self._put_queue(schema)
            return fit

    def _put(self, learned: Learned, probabilities: np.ndarray, schema: ClassSchema) -> tuple[str, ...]:
        """Put the probabilities (N, K) of the learned classes beside the catalogue, those of the last fit away."""
        labels = {entry.name: entry.label for entry in schema.classes}
        columns = learned_columns(schema.name, learned.head.classes)
        before = self.fits.get(schema.name)
        self.catalogue.remove([name for name in before.columns if name not in columns.values()] if before else [])
        for place, (name, column) in enumerate(columns.items()):
            said = About(f"Probability of {name} ({schema.name}), learned from {learned.n} labels")
            described = Column("", f"learned, {schema.name}: {labels[name]}", "number", "probability", said)
            self.catalogue.put(column, np.ascontiguousarray(probabilities[:, place]), described)
        return tuple(columns.values())

    def prepare(self) -> None:
        """Let the catalogue be sorted by its own doubt before anything is learned."""
        if not self._queued:
            self._put_queue(None)

    def _put_queue(self, schema: ClassSchema | None) -> None:
        doubt = self._doubt(schema)
        if doubt is not None:
            rows = queue.highest(doubt, np.flatnonzero(self._labellable), self.catalogue.rows)
            self.catalogue.put_order("queue", rows)
        self._queued = True

    def _with_features(self, counted: Sequence[Counted]) -> list[Placed]:
        """The labels of galaxies that have features, with their rows."""
        rows, known = self.labelling.rows_of(event.id for event, _ in counted), self.features.known
        pairs = zip(counted, rows, strict=True)
        return [Placed(row, event, judges) for (event, judges), row in pairs if row is not None and known[row]]

    @cached_property
    def scale(self) -> Scale:
        """The scale of the features."""
        return scale_of(self.features.values)

    @property
    def features(self) -> Features:
        """The features of the galaxies.

        Raises
        ------
        TuningforkError
            If there are none.
        """
        if self.labelling.state.embedding is None:
            raise TuningforkError(
                "learning needs the features of the galaxies: make them with `tuningfork embed`, and start again with "
                "--embedding"
            )
        return self.labelling.state.embedding


def learned_columns(schema: str, classes: Sequence[str]) -> dict[str, str]:
    """The column of each class of a schema that a head has learned."""
    return dict(zip(classes, identifiers(f"{LEARNED}{schema}_{name}" for name in classes), strict=True))


def _examples(given: Iterable[Placed]) -> Examples:
    placed = list(given)
    return Examples(np.array([each.row for each in placed], np.int64), [str(each.event.answer) for each in placed])
