"""A schema as plain text for a terminal: the decision tree, the class list or the table of quantities, and sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch
from textwrap import wrap

from tuningfork.schemas.classes import ClassSchema
from tuningfork.schemas.quantities import QuantitySchema
from tuningfork.schemas.schema import Schema
from tuningfork.schemas.tree import Question, TreeSchema

WIDTH = 100


def draw(schema: Schema) -> str:
    """The schema as lines of text, at most 100 characters wide unless a name is longer.

    A question stands under the answer that leads to it; one with several parents stands under the first and names the
    others.
    """
    lines = [f"{schema.name} — {schema.title}", *wrap(_summary(schema), WIDTH), "", *_body(schema)]
    if schema.sources:
        lines += ["", "Sources"]
    for source in schema.sources:
        lines += wrap(source, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(lines)


def draw_list(schemas: Iterable[Schema]) -> str:
    """A table of schemas: name, kind, size and title, a line each."""
    header = ("name", "kind", "asks", "columns", "title")
    rows = [(s.name, s.kind, _size(s), str(len(s.columns)), s.title) for s in schemas]
    return "\n".join(_table([header, *rows]))


def _size(schema: Schema) -> str:
    one, several = schema.nouns
    number = len(schema.parts)
    return f"{number} {one if number == 1 else several}"


@singledispatch
def _summary(schema: Schema) -> str:
    """What it asks, in a line."""
    return _size(schema)


@_summary.register(ClassSchema)
def _summary_of_classes(schema: ClassSchema) -> str:
    return f"{_size(schema)}, in the column {schema.label_column} as name, label or index"


@_summary.register(TreeSchema)
def _summary_of_tree(schema: TreeSchema) -> str:
    columns = f"decision tree: {_size(schema)}, {len(schema.columns)} columns of vote {schema.votes}"
    if schema.votes == "counts":
        return columns
    if schema.of_everyone:
        return f"{columns}, of everyone (each question sums to the fraction who reached it)"
    return f"{columns}, of those asked (each question sums to 1)"


@singledispatch
def _body(schema: Schema) -> Iterable[str]:
    """Its parts, line by line."""
    raise NotImplementedError(schema.kind)


@_body.register(TreeSchema)
def _tree(schema: TreeSchema) -> Iterator[str]:
    roots = [question for question in schema.questions if not question.parents]
    drawn = [(left, right) for root in roots for left, right in [*_question(schema, root, "", ""), ("", "")]]
    column = 2 + max(len(left) for left, right in drawn if right)
    yield from (f"{left:<{column}}{right}" if right else left for left, right in drawn[:-1])


def _question(schema: TreeSchema, question: Question, first: str, rest: str) -> Iterator[tuple[str, str]]:
    """The lines of a question and all below it as (tree, column); `first` and `rest` are the guides to its left."""
    also = [_answer_name(schema, parent) for parent in question.parents[1:]]
    text = question.name + (f": {question.text}" if question.text else "")
    text += f" (also asked after {', '.join(also)})" if also else ""
    for number, line in enumerate(wrap(text, max(WIDTH - len(rest) - 2, 40), break_on_hyphens=False)):
        yield (f"{rest}│ " if number else f"{first}▸ ") + line, ""
    for answer in question.answers:
        last = answer is question.answers[-1]
        guide = rest + ("   " if last else "│  ")
        yield f"{rest}{'└─' if last else '├─'} {answer.name}", answer.column
        below = [child for child in schema.questions if child.parents[:1] == (answer.column,)]
        for child in below:
            child_last = child is below[-1]
            yield from _question(
                schema, child, guide + ("└─" if child_last else "├─"), guide + ("  " if child_last else "│ ")
            )


def _answer_name(schema: TreeSchema, column: str) -> str:
    question, answer = schema.pairs[schema.columns.index(column)]
    return f"{question.name} = {answer.name}"


@_body.register(ClassSchema)
def _classes(schema: ClassSchema) -> list[str]:
    rows = [(str(index), entry.name, entry.label) for index, entry in enumerate(schema.classes)]
    return _table([("index", "name", "label"), *rows])


@_body.register(QuantitySchema)
def _quantities(schema: QuantitySchema) -> Iterator[str]:
    rows = [("column", "range", "step", "limits", "missing")]
    for q in schema.quantities:
        limits = " to ".join(column for column in (q.lower_column, q.upper_column) if column)
        step, missing = ("" if number is None else f"{number:g}" for number in (q.step, q.missing))
        rows.append((q.column, f"{q.low:g} to {q.high:g}", step, limits, missing))
    header, *lines = _table(rows)
    yield header
    for quantity, line in zip(schema.quantities, lines, strict=True):
        yield line
        yield from wrap(quantity.text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
