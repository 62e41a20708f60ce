"""What each column of a catalogue is: an answer, its interval, an id, a position, a remark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from tuningfork.catalogs import About, about, find_position_columns
from tuningfork.catalogs.ids import find_ids
from tuningfork.catalogs.names import FILE_COLUMNS, find_column
from tuningfork.explore.questions import Question
from tuningfork.schemas import Schema, TreeSchema

ENDS = {"low": "least of its interval", "high": "most of its interval", "spread": "standard deviation"}
WIDTH = "_width"  # what follows the name of an answer in that of the width of its interval
LEARNED = "learned_"  # what the names of columns of learned probabilities begin with
NOTHING_SAID = About()
FIXED = {"ood_score": "ood_score", "ood": "ood", "note": "note", "error": "error"}


@dataclass(frozen=True)
class Column:
    """A column as the page shows it.

    Parameters
    ----------
    name, title
        What it is called in the table, and for people.
    kind
        ``number``, ``integer``, ``text`` or ``bool``.
    role
        ``id``, ``file``, ``fraction``, ``low``, ``high``, ``spread``, ``width``, ``ood_score``, ``ood``, ``class``,
        ``probability``, ``position``, ``map``, ``note``, ``error``, ``label`` or ``other``.
    about
        Description and unit, as the file has them.
    of
        The column that it says something of, such as the answer of an interval.
    """

    name: str
    title: str
    kind: str
    role: str = "other"
    about: About = NOTHING_SAID
    of: str | None = None


def describe(schema: pa.Schema, questions: Sequence[Question], schemas: Sequence[Schema]) -> list[Column]:
    """Every column of a table, by what it says of itself and by the schemas that are answered in it."""
    known = {column.name: column for column in _known(schema, questions, schemas)}
    described = []
    for entry in schema:
        plain = Column(entry.name, entry.name, kind_of(entry.type), about=about(entry))
        said = known.get(entry.name)
        described.append(
            plain if said is None else Column(plain.name, said.title, plain.kind, said.role, plain.about, said.of)
        )
    return [*described, *_widths(described)]


def kind_of(kind: pa.DataType) -> str:
    """The type of a column as the page names it; times and decimals are text."""
    if pa.types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "integer"
    return "number" if pa.types.is_floating(kind) else "text"


def _known(schema: pa.Schema, questions: Sequence[Question], schemas: Sequence[Schema]) -> Iterable[Column]:
    """The columns whose role is known, the surest last."""
    names = pd.DataFrame(columns=schema.names)
    for label in (label for each in schemas for label in each.columns):
        yield Column(label, label, "", "label")
    trees = [each for each in schemas if isinstance(each, TreeSchema)]
    for tree in trees:
        whose = "" if len(trees) == 1 else f" of {tree.name}"
        yield Column(tree.expected_rmse_column, f"expected RMSE{whose}", "")
    for name, role in FIXED.items():
        yield Column(name, name.replace("_", " ") if role != "ood" else "out of distribution", "", role)
    for name in find_position_columns(names) or ():
        yield Column(name, name, "", "position")
    yield Column(find_column(names, FILE_COLUMNS) or "", "file", "", "file")
    for question in questions:
        yield from _of_question(question)
    yield Column(find_ids(names, [each.id_column for each in schemas]) or "", "id", "", "id")


def _of_question(question: Question) -> Iterable[Column]:
    """An answer's own columns."""
    role = {"tree": "fraction", "classes": "probability"}.get(question.kind, "fraction")
    for answer in question.answers:
        yield Column(answer.column, f"{question.title}: {answer.title}", "", role)
        for end, words in ENDS.items():
            yield Column(
                f"{answer.column}_{end}", f"{question.title}: {answer.title}, {words}", "", end, of=answer.column
            )
    if question.summary:
        yield Column(question.summary, question.summary_title, "", "class")
        yield Column(
            f"{question.summary}_probability",
            f"{question.summary_title}, probability",
            "",
            "probability",
            of=question.summary,
        )


def _widths(columns: Sequence[Column]) -> Iterable[Column]:
    """The width of the interval of every answer that has one."""
    ends = {(column.of, column.role) for column in columns}
    for column in columns:
        if (column.name, "low") in ends and (column.name, "high") in ends:
            said = About(f"Width of the interval of {column.name}", column.about.unit)
            yield Column(
                f"{column.name}{WIDTH}", f"{column.title}, width of its interval", "number", "width", said, column.name
            )
