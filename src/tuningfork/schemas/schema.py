"""The schema: what is asked of a galaxy, and which column of a table holds each answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from tuningfork.errors import SchemaError


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
class GalaxyClass:
    """One class of a class list. A label may be given as `name`, as `label` or as the index in the list."""

    name: str
    label: str


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
    kind
        ``tree``: questions of a decision tree, answered by volunteers' votes. ``classes``: one class of a list.
        ``quantities``: measured numbers.
    votes
        Trees only: whether label columns hold vote ``counts`` or vote ``fractions``.
    relative_to
        Trees with fractions only: an answer's column is its fraction of ``everyone`` who looked at the galaxy (each
        question sums to the fraction that reached it, as in the Galaxy Zoo challenge), or of those who were ``asked``
        (each question sums to 1).
    label_column
        Class lists only: the column with the class of each galaxy.
    tolerance
        How far the fractions of a question may sum from what the tree demands before labels are refused.
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
    tolerance: float = 0.01
    id_column: str = field(default="id_str")

    def __post_init__(self) -> None:
        if self.kind == "tree":
            self._check_tree()
        elif self.kind == "classes":
            self._check_classes()
        elif not self.quantities:
            raise SchemaError(f"schema {self.name!r} has no quantity; add a [[quantity]]")
        self._refuse_duplicates("column", self.prediction_columns)
        for quantity in self.quantities:
            if quantity.low >= quantity.high:
                raise SchemaError(f"schema {self.name!r}: {quantity.column!r} needs low < high")

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
        """The numeric columns of a predictions table, in order.

        Vote fractions keep the label's column name, or `<column>_fraction` where labels are counts (the naming of
        galaxy-datasets); class probabilities are `<label_column>_<class name>`; quantities keep their name.
        """
        if self.kind == "tree" and self.votes == "counts":
            return tuple(f"{column}_fraction" for column in self.columns)
        if self.kind == "classes":
            return tuple(f"{self.label_column}_{entry.name}" for entry in self.classes)
        return self.columns

    @property
    def summary_column(self) -> str | None:
        """The text column of a predictions table: the most likely class, or the most likely path down the tree."""
        if self.kind == "tree":
            return f"{self.name}_most_likely"
        return self.label_column if self.kind == "classes" else None

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
        """The positions in `columns` of the answers that lead to `question`."""
        return tuple(self.columns.index(column) for column in question.parents)

    def _question_of_column(self) -> dict[str, str]:
        return {answer.column: question.name for question in self.questions for answer in question.answers}

    def _check_tree(self) -> None:
        if not self.questions:
            raise SchemaError(f"schema {self.name!r} has no question; add a [[question]]")
        self._refuse_duplicates("question", [question.name for question in self.questions])
        self._refuse_duplicates("column", self.columns)
        asked_by = self._question_of_column()
        for question in self.questions:
            if len(question.answers) < 2:
                raise SchemaError(f"schema {self.name!r}: question {question.name!r} needs two answers or more")
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
        self._refuse_duplicates("class", self.class_names)

    def _refuse_duplicates(self, what: str, names: tuple[str, ...] | list[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise SchemaError(f"schema {self.name!r}: duplicate {what} {name!r}")
            seen.add(name)
