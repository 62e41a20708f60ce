"""The class that a galaxy is called, and its most likely path down a decision tree, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tuningfork.evaluation.votes import votes_of
from tuningfork.schemas import ClassSchema, Schema, TreeSchema

NONE = "not one of these"


def named_classes(
    values: np.ndarray, schema: ClassSchema, trees: Mapping[str, tuple[TreeSchema, np.ndarray]]
) -> np.ndarray:
    """The most probable class of each galaxy, or ``not one of these``: (N,) of text.

    Parameters
    ----------
    values
        Probabilities of the classes, (N, C).
    schema
        The class list.
    trees
        The answers of the same model to decision trees, by schema name: the schema and (N, K). Where the list says
        which answers its classes require, a galaxy is called by its most probable class only where the tree agrees.
    """
    best = values.argmax(axis=1)
    names = np.array([*schema.class_names, NONE], dtype=object)
    for tree, answers in trees.values():
        if any(entry.requires for entry in schema.classes) and _asks(tree, schema):
            belongs = _belonging(schema, tree, answers)
            best = np.where(belongs[np.arange(len(best)), best], best, len(schema.classes))
            break
    found: np.ndarray = names[best]
    return found


def named_probability(values: np.ndarray, named: np.ndarray) -> np.ndarray:
    """The probability of the class that each galaxy is called, (N,), from all (N, C); NaN for ``not one of these``."""
    return np.where(named == NONE, np.nan, values.max(axis=1))


def _asks(tree: TreeSchema, schema: ClassSchema) -> bool:
    """Whether a tree has all the answers that the classes require."""
    pairs = {(question.name, answer.name) for question, answer in tree.pairs}
    return all((share.question, share.answer) in pairs for entry in schema.classes for share in entry.requires)


def _belonging(schema: ClassSchema, tree: TreeSchema, answers: np.ndarray) -> np.ndarray:
    """Whether each galaxy belongs to each class by the answers of a tree: (N, C) bool."""
    asked = votes_of(answers.astype(np.float64), tree).conditional  # of those who were asked
    columns = {(question.name, answer.name): index for index, (question, answer) in enumerate(tree.pairs)}
    belongs = np.ones((len(answers), len(schema.classes)), dtype=bool)
    for index, entry in enumerate(schema.classes):
        for share in entry.requires:
            fractions = np.nan_to_num(asked[:, columns[share.question, share.answer]])
            belongs[:, index] &= fractions >= share.at_least
    return belongs


def likely_paths(values: np.ndarray, schema: TreeSchema) -> np.ndarray:
    """The most likely path down a tree as ``question=answer; ...``: (N,) of text, from answers (N, K).

    It follows the answer with the largest fraction of each question that the answers before it lead to.
    """
    paths = np.full(len(values), "", dtype=object)
    chosen: dict[str, np.ndarray] = {}
    for question in schema.walk:
        part = schema.slices[question.name]
        best = values[:, part].argmax(axis=1)
        reached = np.ones(len(values), dtype=bool)
        if question.parents:
            reached = np.logical_or.reduce([chosen[parent] for parent in question.parents])
        texts = np.array([f"{question.name}={answer.name}; " for answer in question.answers], dtype=object)[best]
        paths = np.where(reached, paths + texts, paths)
        for index, answer in enumerate(question.answers):
            chosen[answer.column] = reached & (best == index)
    return np.array([path.removesuffix("; ") for path in paths], dtype=object)


def summaries(answers: Mapping[str, np.ndarray], schemas: Sequence[Schema]) -> dict[str, np.ndarray]:
    """The text of each schema's summary column, (N,), from the answers (N, K) to all schemas of a model."""
    trees = {schema.name: (schema, answers[schema.name]) for schema in schemas if isinstance(schema, TreeSchema)}
    found = {name: likely_paths(values, tree) for name, (tree, values) in trees.items()}
    lists = [schema for schema in schemas if isinstance(schema, ClassSchema)]
    return found | {schema.name: named_classes(answers[schema.name], schema, trees) for schema in lists}
