"""What is asked of the galaxies of a catalogue, and which of its columns hold the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from tuningfork.errors import SchemaError
from tuningfork.schemas import (
    ClassSchema,
    QuantitySchema,
    Schema,
    TreeSchema,
    bundled_schemas,
    load_schema,
    schema_from_dict,
)


@dataclass(frozen=True)
class Answer:
    """An answer: its column in the catalogue, and its name for people."""

    column: str
    title: str


@dataclass(frozen=True)
class Question:
    """A question with its answers.

    Parameters
    ----------
    schema, name, title
        The schema's name, the question's, and the question's for people.
    kind
        ``tree``, ``classes`` or ``quantity``.
    text
        The question in words.
    answers
        Those whose columns the catalogue has: all of them.
    parents
        The columns of the answers that lead to it; none: always asked.
    summary, summary_title
        The text column that sums up the schema, with the first of its questions; empty where there is none.
    of_everyone
        Whether the fractions are of all volunteers; else of those who were asked.
    """

    schema: str
    name: str
    title: str
    kind: str
    text: str
    answers: tuple[Answer, ...]
    parents: tuple[str, ...] = ()
    summary: str = ""
    summary_title: str = ""
    of_everyone: bool = False


def answered_schemas(names: Sequence[str], manifest: Mapping[str, Any], also: Sequence[Schema]) -> list[Schema]:
    """The schemas that a table answers: those that it names itself, `also` and the bundled ones.

    Columns that one has claimed are not counted for another.
    """
    said, claimed, found = manifest.get("schemas"), set[str](), []
    own = _own(said) if isinstance(said, list) else []
    for schema in (*own, *also, *map(load_schema, bundled_schemas())):
        columns = set(columns_of(schema, names).values())
        if columns and not columns & claimed:
            claimed |= columns
            found.append(schema)
    return found


def _own(said: Iterable[Any]) -> Iterator[Schema]:
    for table in said:
        try:
            yield schema_from_dict(table, "the catalogue")
        except SchemaError:  # of another version: the bundled ones are tried
            continue


def columns_of(schema: Schema, names: Sequence[str]) -> dict[str, str]:
    """The table's column of each prediction column: called so, or as the publishers of labels call it.

    Empty where one is not there.
    """
    there = set(names)
    for called in (schema.prediction_columns, schema.published_columns):
        if there.issuperset(called):
            return dict(zip(schema.prediction_columns, called, strict=True))
    return {}


def questions_of(schema: Schema, names: Sequence[str]) -> list[Question]:
    """The questions of a schema that a table answers."""
    return list(_questions(schema, columns_of(schema, names), set(names)))


@singledispatch
def _questions(schema: Schema, called: Mapping[str, str], names: set[str]) -> Iterator[Question]:
    raise NotImplementedError(schema.kind)


@_questions.register(TreeSchema)
def _of_tree(schema: TreeSchema, called: Mapping[str, str], names: set[str]) -> Iterator[Question]:
    columns = [called[name] for name in schema.prediction_columns]
    own = dict(zip(schema.columns, columns, strict=True))
    summary = schema.summary_column if schema.summary_column in names else ""
    for index, question in enumerate(schema.questions):
        part = columns[schema.slices[question.name]]
        answers = tuple(Answer(c, _plain(a.name)) for c, a in zip(part, question.answers, strict=True))
        yield Question(
            schema.name,
            question.name,
            _title(question.name),
            "tree",
            question.text,
            answers,
            tuple(own[parent] for parent in question.parents),
            *((summary, "Most likely answers") if summary and index == 0 else ("", "")),
            schema.of_everyone,
        )


@_questions.register(ClassSchema)
def _of_classes(schema: ClassSchema, called: Mapping[str, str], names: set[str]) -> Iterator[Question]:
    columns = [called[name] for name in schema.prediction_columns]
    answers = tuple(Answer(c, entry.label) for c, entry in zip(columns, schema.classes, strict=True))
    title, summary = _title(schema.label_column), schema.summary_column if schema.summary_column in names else ""
    yield Question(
        schema.name, schema.label_column, title, "classes", schema.title, answers, (), summary, title if summary else ""
    )


@_questions.register(QuantitySchema)
def _of_quantities(schema: QuantitySchema, called: Mapping[str, str], names: set[str]) -> Iterator[Question]:
    for name, quantity in zip(schema.prediction_columns, schema.quantities, strict=True):
        answers = (Answer(called[name], quantity.text or quantity.column),)
        yield Question(schema.name, name, _title(name), "quantity", quantity.text, answers)


def _plain(name: str) -> str:
    return name.replace("-", " ").replace("_", " ")


def _title(name: str) -> str:
    text = _plain(name).strip()
    return text[:1].upper() + text[1:]
