"""The answer that is explained: found by its column, or chosen for a galaxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import singledispatch

import numpy as np

from tuningfork.errors import ModelError
from tuningfork.evaluation.votes import votes_of
from tuningfork.models import GalaxyModel
from tuningfork.plotting.style import words
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema


@dataclass(frozen=True)
class Target:
    """One answer of a model: prediction column `index` of a schema."""

    schema: Schema
    index: int

    @property
    def column(self) -> str:
        """Its column in a predictions table."""
        return self.schema.prediction_columns[self.index]

    @property
    def words(self) -> str:
        """The answer as people say it: `Spiral arms: yes`, a class's label, a quantity's name."""
        return _words(self.schema, self.index)

    @property
    def full(self) -> float:
        """The range of the answer: 1, or that of the quantity in its own units."""
        low, high = self.schema.limits[self.index]
        return float(high - low)


@singledispatch
def _words(schema: Schema, index: int) -> str:
    return words(schema.prediction_columns[index])


@_words.register(TreeSchema)
def _words_of_answer(schema: TreeSchema, index: int) -> str:
    question, answer = schema.pairs[index]
    return f"{words(question.name)}: {answer.name.replace('-', ' ')}"


@_words.register(ClassSchema)
def _words_of_class(schema: ClassSchema, index: int) -> str:
    return words(schema.classes[index].label)


def find_target(model: GalaxyModel, column: str) -> Target:
    """The answer with a prediction column.

    Raises
    ------
    ModelError
        If no head has it; the error names the nearest.
    """
    targets = {
        column: Target(schema, index)
        for schema in reversed(model.schemas)
        for names in (schema.published_columns, schema.prediction_columns)
        for index, column in enumerate(names)
    }
    if column not in targets:
        near = get_close_matches(column, targets, n=3, cutoff=0.0)
        raise ModelError(f"the model gives no answer {column!r}; the nearest are {', '.join(near)}")
    return targets[column]


def leading_target(model: GalaxyModel, answers: Mapping[str, np.ndarray]) -> Target:
    """The answer most worth explaining for one galaxy, by the model's first head; `answers[schema.name]` is (K,).

    Of classes the most likely, of quantities the first. Of a tree the most specific answer (furthest down) that more
    than half of all volunteers are predicted to give, or, where there is none, the one most of them give. A plain no
    is never chosen: there is nothing to look at.
    """
    schema = model.schemas[0]
    return Target(schema, _leading(schema, answers[schema.name]))


@singledispatch
def _leading(schema: Schema, values: np.ndarray) -> int:
    """The index of the answer most worth explaining, from the answers (K,) of a galaxy: of quantities the first."""
    return 0


@_leading.register(ClassSchema)
def _likeliest_class(schema: ClassSchema, values: np.ndarray) -> int:
    return int(values.argmax())


@_leading.register(TreeSchema)
def _most_specific_answer(schema: TreeSchema, values: np.ndarray) -> int:
    depths = _depths(schema)
    ranks = [
        (-1, 0.0) if answer.name == "no" else (depths[question.name] if share > 0.5 else 0, share)
        for (question, answer), share in zip(schema.pairs, share_of_everyone(schema, values), strict=True)
    ]
    return ranks.index(max(ranks))


def share_of_everyone(schema: Schema, values: np.ndarray) -> np.ndarray:
    """Answers (K,) as shares that can be compared across a tree's questions: of everyone, not of those asked, (K,)."""
    if not isinstance(schema, TreeSchema) or schema.of_everyone:
        return values
    reach = votes_of(values[None].astype(np.float64), schema).reach[0]
    shares: np.ndarray = values * np.repeat(reach, [len(question.answers) for question in schema.questions])
    return shares


def answer_lines(target: Target, values: np.ndarray, most: int) -> list[tuple[str, str, float, bool]]:
    """The most likely answers of a target's schema, the target always among them, from its answers (K,).

    Each in words, its value as text, the value as a share of its range, and whether it is the target.
    """
    schema, shown = target.schema, range(len(values))
    if not isinstance(schema, QuantitySchema):
        shares = share_of_everyone(schema, values)
        order = sorted(shown, key=lambda index: (index != target.index, -shares[index]))[:most]
        return [
            (Target(schema, index).words, f"{values[index]:.2f}", float(values[index]), index == target.index)
            for index in sorted(order, key=lambda index: -shares[index])
        ]
    return [
        (Target(schema, index).words, f"{value:.2f}", float((value - q.low) / (q.high - q.low)), index == target.index)
        for index, (value, q) in enumerate(zip(values, schema.quantities, strict=True))
    ]


def _depths(schema: TreeSchema) -> dict[str, int]:
    """How many questions lead to each question of a tree, itself counted."""
    asked_by = {answer.column: question.name for question, answer in schema.pairs}
    depths: dict[str, int] = {}
    for question in schema.walk:
        depths[question.name] = 1 + max((depths[asked_by[parent]] for parent in question.parents), default=0)
    return depths
