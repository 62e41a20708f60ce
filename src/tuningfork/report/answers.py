"""What labels or predictions say of a galaxy, in words."""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import pandas as pd

from tuningfork.evaluation.votes import Votes, label_votes
from tuningfork.schemas import ClassSchema, QuantitySchema, Question, Schema, TreeSchema, class_indices


@singledispatch
def label_words(schema: Schema, table: pd.DataFrame) -> list[list[str]]:
    """For each galaxy the few words that sum up its labels; none where it has no label."""
    raise NotImplementedError(schema.kind)


@label_words.register(ClassSchema)
def _of_classes(schema: ClassSchema, table: pd.DataFrame) -> list[list[str]]:
    indices = class_indices(table, schema, "the catalog")
    return [[schema.classes[index].label] if index >= 0 else [] for index in indices]


@label_words.register(QuantitySchema)
def _of_quantities(schema: QuantitySchema, table: pd.DataFrame) -> list[list[str]]:
    entry = schema.quantities[0]
    values = table[entry.column] if entry.column in table else pd.Series(np.nan, index=table.index)
    return [[f"{entry.column} {value:g}"] if pd.notna(value) and value != entry.missing else [] for value in values]


@label_words.register(TreeSchema)
def _of_tree(schema: TreeSchema, table: pd.DataFrame) -> list[list[str]]:
    return path_words(label_votes(table, schema), schema)


def path_words(votes: Votes, schema: TreeSchema) -> list[list[str]]:
    """The most likely path down the tree, in words; a plain no is left out."""
    words: list[list[str]] = [[] for _ in votes.conditional]
    chosen: dict[str, np.ndarray] = {}
    for question in schema.walk:
        fractions = votes.conditional[:, schema.slices[question.name]]
        known = np.isfinite(fractions).all(axis=1)
        reached = known & (
            np.logical_or.reduce([chosen[parent] for parent in question.parents]) if question.parents else True
        )
        best = np.nan_to_num(fractions).argmax(axis=1)
        for index, answer in enumerate(question.answers):
            chosen[answer.column] = reached & (best == index)
            said = answer_words(question, index)
            for row in np.flatnonzero(chosen[answer.column]) if said else ():
                words[row].append(said)
    return words


def answer_words(question: Question, index: int) -> str:
    """An answer in words: its question's name for a yes, nothing for a no, itself for a first question, else both."""
    name, asked = question.answers[index].name, question.name
    if name in ("yes", "no") and len(question.answers) == 2:
        return _plain(asked) if name == "yes" else ""
    return f"{_plain(asked)}: {_plain(name)}" if question.parents else _plain(name)


def _plain(name: str) -> str:
    return name.replace("-", " ").replace("_", " ")
