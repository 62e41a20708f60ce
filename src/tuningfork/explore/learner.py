"""What to label next, and what is learned from the labels so far."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow.compute as pc

from tuningfork.catalogs import About
from tuningfork.errors import TuningforkError
from tuningfork.explore import queue
from tuningfork.explore.columns import Column
from tuningfork.explore.features import Features
from tuningfork.explore.filters import AskedWrongError, Filter
from tuningfork.explore.labelling import Labelling
from tuningfork.explore.learn import Examples, Learned, Scale, learn, scale_of
from tuningfork.explore.queue import Rows, Values
from tuningfork.schemas import ClassSchema
from tuningfork.schemas.schema import identifiers

CENTRES = 1_000  # labelled galaxies, the last, that the most different ones are to differ from
CHUNK = 1 << 16


class Learner:
    """The queue of galaxies to label, and the head that is refitted to the labels of a catalogue.

    `learned` is the last head, None before there is one; `offered` the rows that came from the queue.
    """

    def __init__(self, labelling: Labelling) -> None:
        self.labelling, self.catalogue = labelling, labelling.catalogue
        self.learned: Learned | None = None
        self.offered: set[int] = set()
        self._schema = ""
        self._entropy: Values | None = None
        self._queued = False
        self._learning = threading.Lock()

    @property
    def orders(self) -> list[str]:
        """The orders that can be had of this catalogue."""
        known = {
            "uncertainty": self._doubt is not None,
            "ood": self.unusual is not None,
            "diversity": self.labelling.state.embedding is not None,
            "random": True,
        }
        return [order for order in queue.ORDERS if known[order]]

    def next(self, order: str, chosen: Filter, n: int) -> list[tuple[int, bool]]:
        """The next `n` galaxies to label among those that a filter keeps, and whether each is for validation.

        Raises
        ------
        AskedWrongError
            If there is no such order.
        """
        if order not in self.orders:
            raise AskedWrongError(
                f"the order {order[:40]!r} can't be had of this catalogue; choose {', '.join(self.orders)}"
            )
        free = self.catalogue.mask(chosen) & self._labellable
        free[self.labelling.seen()] = False
        train, validation = (np.flatnonzero(free & part) for part in (~self._aside, self._aside))
        rows = queue.interleaved(self._ordered(order, train, n), queue.at_random(self._hashes, validation, n), n)
        self.offered.update(rows)
        return [(row, bool(self._aside[row])) for row in rows]

    def _ordered(self, order: str, rows: Rows, n: int) -> Rows:
        if order == "uncertainty":
            assert self._doubt is not None
            return queue.highest(self._doubt, rows, n)
        if order == "ood":
            assert self.unusual is not None
            return queue.highest(self.unusual, rows, n)
        if order == "random":
            return queue.at_random(self._hashes, rows, n)
        features = self.features
        pool = queue.at_random(self._hashes, rows[features.known[rows]], queue.POOL)
        centres = np.array([row for row in self.labelling.seen() if features.known[row]][-CENTRES:], np.int64)
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

    @property
    def _doubt(self) -> Values | None:
        """How unsure the learned head is of each row, or before there is one the catalogue's own answers."""
        schema = self.labelling.schema
        learned = self._entropy is not None and schema is not None and schema.name == self._schema
        return self._entropy if learned else self._first_doubt

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

    def learn(self) -> Learned:
        """Refit the head; its probabilities become columns, and the queue's order follows its doubt.

        Raises
        ------
        TuningforkError
            If there are no features, or too few labels.
        """
        with self._learning:
            features, schema = self.features, self.labelling.required()
            train, validation = self.examples(schema)
            learned = learn(features.values, self.scale, train, validation, schema.class_names)
            probabilities = learned.head.probabilities(features.values)
            self._put(learned, probabilities, schema)
            self._entropy = queue.entropy(probabilities)
            self.learned, self._schema = learned, schema.name
            self._put_queue()
            return learned

    def _put(self, learned: Learned, probabilities: np.ndarray, schema: ClassSchema) -> None:
        """Put the probabilities (N, K) of the learned classes beside the catalogue."""
        labels = {entry.name: entry.label for entry in schema.classes}
        for place, (name, column) in enumerate(learned_columns(learned.head.classes).items()):
            said = About(f"Probability of {name} ({schema.name}), learned from {learned.n} labels")
            described = Column("", f"learned: {labels[name]}", "number", "probability", said)
            self.catalogue.put(column, np.ascontiguousarray(probabilities[:, place]), described)

    def prepare(self) -> None:
        """Let the catalogue be sorted by its own doubt before anything is learned."""
        if not self._queued:
            self._put_queue()

    def _put_queue(self) -> None:
        if self._doubt is not None:
            rows = queue.highest(self._doubt, np.flatnonzero(self._labellable), self.catalogue.rows)
            self.catalogue.put_order("queue", rows)
        self._queued = True

    def examples(self, schema: ClassSchema) -> tuple[Examples, Examples]:
        """The labelled galaxies with features: those to learn from, and those to judge by.

        To judge by are those that came from the queue: galaxies that somebody chose for what they are would flatter.
        """
        features, labels = self.features, list(self.labelling.labels.labelled(schema.name))
        rows = self.labelling.rows_of(event.id for event in labels)
        known = [
            (event, row) for event, row in zip(labels, rows, strict=True) if row is not None and features.known[row]
        ]
        train = [(row, str(event.answer)) for event, row in known if event.set == "train"]
        judged = [(row, str(event.answer)) for event, row in known if event.set == "validation" and event.queued]
        return _examples(train), _examples(judged)

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


def learned_columns(classes: Sequence[str]) -> dict[str, str]:
    """The column of each class that a head has learned."""
    return dict(zip(classes, identifiers(f"learned_{name}" for name in classes), strict=True))


def _examples(pairs: Sequence[tuple[int, str]]) -> Examples:
    return Examples(np.array([row for row, _ in pairs], np.int64), [answer for _, answer in pairs])
