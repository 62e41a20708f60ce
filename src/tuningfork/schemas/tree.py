"""Decision trees: questions put to volunteers, who vote."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from tuningfork.errors import SchemaError
from tuningfork.schemas.schema import Schema, identifier, identifiers

# The words that a key of a tree takes.
CHOICES = {"votes": ("fractions", "counts"), "relative_to": ("everyone", "asked")}


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
class TreeSchema(Schema):
    """Questions of a decision tree, answered by volunteers' votes.

    Parameters
    ----------
    votes : {'fractions', 'counts'}
        Whether label columns hold vote ``counts`` or vote ``fractions``.
    relative_to : {'everyone', 'asked'}
        Fractions only: an answer's column is its fraction of ``everyone`` who looked at the galaxy (each question sums
        to the fraction that reached it, as in the Galaxy Zoo challenge), or of those who were ``asked`` (each question
        sums to 1).
    questions : tuple of Question
        Each with its answers, and the answers that lead to it.
    volunteers : float
        Fractions only: how many volunteers typically saw a galaxy; 0 where it is not known.
    """

    kind = "tree"
    nouns = ("question", "questions")

    votes: Literal["fractions", "counts"] = "fractions"
    relative_to: Literal["everyone", "asked"] = "asked"
    questions: tuple[Question, ...] = ()
    volunteers: float = 0

    @property
    def parts(self) -> tuple[Question, ...]:
        """The questions."""
        return self.questions

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The column of each answer of each question."""
        return tuple(answer.column for _, answer in self.pairs)

    @cached_property
    def pairs(self) -> tuple[tuple[Question, Answer], ...]:
        """The question and the answer of each column."""
        return tuple((question, answer) for question in self.questions for answer in question.answers)

    @cached_property
    def prediction_columns(self) -> tuple[str, ...]:
        """``<question>_<answer>`` of each column."""
        return identifiers(f"{question.name}_{answer.name}" for question, answer in self.pairs)

    @cached_property
    def published_columns(self) -> tuple[str, ...]:
        """The label columns, or ``<column>_fraction`` where these hold counts."""
        return self.columns if self.votes == "fractions" else tuple(f"{column}_fraction" for column in self.columns)

    @property
    def summary_column(self) -> str:
        """The text column of a predictions table: the most likely path down the tree."""
        return identifier(f"{self.name}_most_likely")

    @property
    def expected_rmse_column(self) -> str:
        """The column of a predictions table that says how wrong the fractions are likely to be."""
        return identifier(f"{self.name}_expected_rmse")

    @property
    def of_everyone(self) -> bool:
        """Whether its fractions are of everyone; else they are of those who were asked, as those of counts are."""
        return self.votes == "fractions" and self.relative_to == "everyone"

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
        return {answer.column: question.name for question, answer in self.pairs}

    def _check(self) -> None:
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise SchemaError(
                    f"schema {self.name!r}: {key} = {getattr(self, key)!r} must be one of {', '.join(allowed)}"
                )
        if self.votes == "counts" and self.relative_to == "everyone":
            raise SchemaError(f"schema {self.name!r}: relative_to is for vote fractions; remove it or votes = 'counts'")
        if self.volunteers < 0:
            raise SchemaError(f"schema {self.name!r}: volunteers = {self.volunteers:g} must be 0 or more")
        self._check_questions()

    def _check_questions(self) -> None:
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
