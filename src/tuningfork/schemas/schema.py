"""The schema: what is asked of a galaxy, and which column of a table holds each answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from math import isclose
from typing import Literal

import numpy as np

from tuningfork.errors import SchemaError

# The words that a key of a schema takes.
CHOICES = {
    "kind": ("tree", "classes", "quantities"),
    "votes": ("fractions", "counts"),
    "relative_to": ("everyone", "asked"),
}
# Columns of catalogs and predictions with a meaning of their own: no label may take their name.
RESERVED = frozenset({"id_str", "file_loc", "image", "ra", "dec", "split", "note", "error"})


def identifier(name: str) -> str:
    """A name as an identifier: letters of any alphabet, digits and underscores, the first of them no digit."""
    plain = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in name)
    return plain if plain.isidentifier() else f"_{plain}"


def identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """Names as identifiers, none of them twice: ``a-b`` and ``a_b`` are ``a_b`` and ``a_b_2``."""
    given: dict[str, None] = {}
    for name in names:
        plain, number = identifier(name), 1
        unique = plain
        while unique in given:
            number += 1
            unique = f"{plain}_{number}"
        given[unique] = None
    return tuple(given)


@dataclass(frozen=True)
class Answer:
    """One answer of a question; `column` holds its vote count or vote fraction."""

    name: str
    column: str
    text: str = ""


@dataclass(frozen=True)
class Question:
    """One question put to volunteers. `parents` are the columns of the answers that lead to it; none: always asked."""

    name: str
    answers: tuple[Answer, ...]
    parents: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Share:
    """At least so much of those who were asked `question` of a decision tree gave `answer`: 0 to 1."""

    question: str
    answer: str
    at_least: float


@dataclass(frozen=True)
class GalaxyClass:
    """One class of a class list. A label may be given as `name`, as `label` or as the index in the list.

    `requires` says which galaxies belong to it by the answers of a decision tree; none: that is not known.
    """

    name: str
    label: str
    requires: tuple[Share, ...] = ()


@dataclass(frozen=True)
class Quantity:
    """A number measured for a galaxy, such as the T type; ordinal where `step` is given.

    `lower_column` and `upper_column` hold its confidence limits; the value `missing` means undetermined.
    """

    column: str
    low: float
    high: float
    step: float | None = None
    lower_column: str | None = None
    upper_column: str | None = None
    missing: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Schema:
    """What is asked of a galaxy.

    Parameters
    ----------
    name, title : str
        What it is called.
    kind : {'tree', 'classes', 'quantities'}
        ``tree``: questions of a decision tree, answered by volunteers' votes. ``classes``: one class of a list.
        ``quantities``: measured numbers.
    sources : tuple of str
        Where it was published.
    votes : {'fractions', 'counts'}
        Trees only: whether label columns hold vote ``counts`` or vote ``fractions``.
    relative_to : {'everyone', 'asked'}
        Trees with fractions only: an answer's column is its fraction of ``everyone`` who looked at the galaxy (each
        question sums to the fraction that reached it, as in the Galaxy Zoo challenge), or of those who were ``asked``
        (each question sums to 1).
    questions : tuple of Question
        Trees only: each with its answers, and the answers that lead to it.
    label_column : str
        Class lists only: the column with the class of each galaxy.
    classes : tuple of GalaxyClass
        Class lists only.
    quantities : tuple of Quantity
        Quantities only: each with its range.
    volunteers : float
        Trees with fractions only: how many volunteers typically saw a galaxy; 0 where it is not known.
    tolerance : float
        How far the fractions of a question may sum from what the tree demands before labels are refused.
    id_column : str
        What the publishers of these labels call the galaxy's id in their own files.

    Raises
    ------
    SchemaError
        If the schema contradicts itself: a cycle, an unknown parent, a duplicate name or column, an empty list.
    """

    name: str
    title: str
    kind: Literal["tree", "classes", "quantities"]
    sources: tuple[str, ...]
    votes: Literal["fractions", "counts"] = "fractions"
    relative_to: Literal["everyone", "asked"] = "asked"
    questions: tuple[Question, ...] = ()
    label_column: str = ""
    classes: tuple[GalaxyClass, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    volunteers: float = 0
    tolerance: float = 0.01
    id_column: str = "id_str"

    def __post_init__(self) -> None:
        self._check_header()
        if self.kind == "tree":
            self._check_tree()
        elif self.kind == "classes":
            self._check_classes()
        else:
            self._check_quantities()
        self._refuse_duplicates("column", self.prediction_columns)
        for column in self.columns:
            if not column or column in RESERVED:
                raise SchemaError(f"schema {self.name!r}: {column!r} can't be the name of a label column; rename it")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The label columns, in order."""
        if self.kind == "tree":
            return tuple(answer.column for question in self.questions for answer in question.answers)
        if self.kind == "classes":
            return (self.label_column,)
        return tuple(quantity.column for quantity in self.quantities)

    @cached_property
    def prediction_columns(self) -> tuple[str, ...]:
        """The numeric columns of a predictions table, in order; each can be an identifier in any language.

        ``<question>_<answer>`` of a tree, ``<label_column>_<class name>`` of a class list, the column of a quantity;
        what is not a letter, a digit or an underscore is an underscore: ``spiral_arms_yes``.
        """
        if self.kind == "tree":
            pairs = [f"{question.name}_{answer.name}" for question in self.questions for answer in question.answers]
            return identifiers(pairs)
        return identifiers(self.published_columns)

    @cached_property
    def published_columns(self) -> tuple[str, ...]:
        """The same columns by the names of the label columns, as publishers of such tables write them.

        A vote fraction has the name of its label column, such as ``Class1.1``, or ``<column>_fraction`` where labels
        are counts (as galaxy-datasets names them); a class has ``<label_column>_<class name>``.
        """
        if self.kind == "tree" and self.votes == "counts":
            return tuple(f"{column}_fraction" for column in self.columns)
        if self.kind == "classes":
            return tuple(f"{self.label_column}_{entry.name}" for entry in self.classes)
        return self.columns

    @cached_property
    def limits(self) -> np.ndarray:
        """The range that each number of a prediction can have, (K, 2)."""
        if self.kind == "quantities":
            return np.array([[quantity.low, quantity.high] for quantity in self.quantities], dtype=np.float64)
        return np.tile([0.0, 1.0], (len(self.prediction_columns), 1))

    @property
    def summary_column(self) -> str | None:
        """The text column of a predictions table: the class it is called, or the most likely path down the tree."""
        if self.kind == "tree":
            return identifier(f"{self.name}_most_likely")
        return identifier(self.label_column) if self.kind == "classes" else None

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in index order."""
        return tuple(entry.name for entry in self.classes)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """For each question, its answers' positions in `columns`."""
        slices: dict[str, slice] = {}
        start = 0
        for question in self.questions:
            slices[question.name] = slice(start, start + len(question.answers))
            start += len(question.answers)
        return slices

    @cached_property
    def walk(self) -> tuple[Question, ...]:
        """The questions, parents before children."""
        asked_by = self._question_of_column()
        graph = {q.name: {asked_by[column] for column in q.parents} for q in self.questions}
        by_name = {question.name: question for question in self.questions}
        return tuple(by_name[name] for name in TopologicalSorter(graph).static_order())

    def parent_positions(self, question: Question) -> tuple[int, ...]:
        """The positions in `columns` of the answers that lead to a question.

        Parameters
        ----------
        question : Question
            One of `questions`.

        Returns
        -------
        tuple of int
            Empty where it is always asked.
        """
        return tuple(self.columns.index(column) for column in question.parents)

    def _question_of_column(self) -> dict[str, str]:
        return {answer.column: question.name for question in self.questions for answer in question.answers}

    def _check_header(self) -> None:
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise SchemaError(
                    f"schema {self.name!r}: {key} = {getattr(self, key)!r} must be one of {', '.join(allowed)}"
                )
        if not (self.name and self.title and self.id_column):
            raise SchemaError(f"schema {self.name!r}: name, title and id_column can't be empty")
        if self.tolerance < 0:
            raise SchemaError(f"schema {self.name!r}: tolerance = {self.tolerance:g} must be 0 or more")
        if self.volunteers < 0:
            raise SchemaError(f"schema {self.name!r}: volunteers = {self.volunteers:g} must be 0 or more")
        if self.kind == "tree" and self.votes == "counts" and self.relative_to == "everyone":
            raise SchemaError(f"schema {self.name!r}: relative_to is for vote fractions; remove it or votes = 'counts'")
        belongs = {"question": "tree", "class": "classes", "label_column": "classes", "quantity": "quantities"}
        values = (self.questions, self.classes, self.label_column, self.quantities)
        for (key, kind), value in zip(belongs.items(), values, strict=True):
            if value and self.kind != kind:
                raise SchemaError(f"schema {self.name!r}: {key} belongs to kind = {kind!r}, not {self.kind!r}")

    def _check_tree(self) -> None:
        if not self.questions:
            raise SchemaError(f"schema {self.name!r} has no question; add a [[question]]")
        self._refuse_duplicates("question", [question.name for question in self.questions])
        self._refuse_duplicates("column", self.columns)
        asked_by = self._question_of_column()
        for question in self.questions:
            if not question.name or len(question.answers) < 2:
                raise SchemaError(
                    f"schema {self.name!r}: question {question.name!r} needs a name and two answers or more"
                )
            self._refuse_duplicates(f"answer of question {question.name!r}:", [a.name for a in question.answers])
            self._refuse_duplicates(f"parent of question {question.name!r}:", question.parents)
            for parent in question.parents:
                if parent not in asked_by:
                    raise SchemaError(
                        f"schema {self.name!r}: question {question.name!r} has the unknown parent {parent!r}; "
                        "a parent is the column of another question's answer"
                    )
        try:
            _ = self.walk
        except CycleError as error:
            cycle = " -> ".join(reversed(error.args[1]))
            raise SchemaError(f"schema {self.name!r}: the questions form a cycle: {cycle}") from error

    def _check_classes(self) -> None:
        if len(self.classes) < 2 or not self.label_column:
            raise SchemaError(f"schema {self.name!r} needs a label_column and two [[class]] entries or more")
        # A class may be given by name or by label, so none may be mistaken for another.
        self._refuse_duplicates("class", [text for c in self.classes for text in sorted({c.name, c.label})])

    def _check_quantities(self) -> None:
        if not self.quantities:
            raise SchemaError(f"schema {self.name!r} has no quantity; add a [[quantity]]")
        columns = [(q.column, q.lower_column, q.upper_column) for q in self.quantities]
        self._refuse_duplicates("column", [column for row in columns for column in row if column is not None])
        for quantity in self.quantities:
            where = f"schema {self.name!r}: quantity {quantity.column!r}"
            if quantity.low >= quantity.high:
                raise SchemaError(f"{where} needs low < high")
            if quantity.step is not None:
                steps = (quantity.high - quantity.low) / quantity.step if quantity.step > 0 else 0.0
                if round(steps) < 1 or not isclose(steps, round(steps), rel_tol=1e-6):
                    raise SchemaError(f"{where}: step = {quantity.step:g} must divide low to high into whole steps")
            if quantity.missing is not None and quantity.low <= quantity.missing <= quantity.high:
                raise SchemaError(f"{where}: missing = {quantity.missing:g} is one of its values; choose one outside")

    def _refuse_duplicates(self, what: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise SchemaError(f"schema {self.name!r}: duplicate {what} {name!r}")
            seen.add(name)
