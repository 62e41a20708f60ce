"""Vote fractions of a decision tree: of everyone, of those who were asked, and how many were asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tuningfork.evaluation.bootstrap import Array
from tuningfork.evaluation.metrics import ratio
from tuningfork.schemas import TreeSchema


@dataclass(frozen=True)
class Votes:
    """The votes of N galaxies on the A answers and Q questions of a schema.

    Parameters
    ----------
    fractions
        (N, A) in the schema's own convention, NaN where missing or nobody was asked.
    conditional
        (N, A) fractions of those who were asked: each question sums to 1.
    reach
        (N, Q) the fraction of all volunteers who were asked, 0 to 1; 1 where the parents are unknown.
    asked
        (N, Q) the volunteers who were asked: votes where labels are counts, else the reach.
    """

    fractions: Array
    conditional: Array
    reach: Array
    asked: Array


def label_votes(labels: pd.DataFrame, schema: TreeSchema) -> Votes:
    """The volunteers' votes: counts are divided by their question's total; columns that are absent are missing."""
    values = labels.reindex(columns=list(schema.columns)).to_numpy(dtype=np.float64, na_value=np.nan)
    totals = _question_sums(values, schema)
    if schema.votes == "fractions":
        return votes_of(values, schema)
    fractions = ratio(values, _spread(totals, schema))
    roots = [index for index, question in enumerate(schema.questions) if not question.parents]
    reach = np.clip(ratio(totals, totals[:, roots].max(axis=1, keepdims=True)), 0, 1)
    return Votes(fractions, fractions, np.where(np.isnan(reach), 1.0, reach), np.nan_to_num(totals))


def votes_of(fractions: Array, schema: TreeSchema) -> Votes:
    """Votes from fractions (N, A) in the schema's own convention: labels that are fractions, or predictions."""
    if schema.of_everyone:
        reach = _question_sums(fractions, schema)
        conditional = ratio(fractions, _spread(reach, schema))
    else:
        reach = _walk_reach(fractions, schema)
        conditional = fractions
    reach = np.where(np.isnan(reach), 1.0, np.clip(reach, 0, 1))
    return Votes(fractions, conditional, reach, reach)


def expected_sums(fractions: Array, schema: TreeSchema) -> Array:
    """What each question's fractions must sum to by the tree, (N, Q)."""
    expected = np.ones((len(fractions), len(schema.questions)))
    if schema.of_everyone:
        for index, question in enumerate(schema.questions):
            if question.parents:
                expected[:, index] = fractions[:, schema.parent_positions(question)].sum(axis=1)
    return expected


def tree_violation(fractions: Array, schema: TreeSchema) -> float:
    """The largest difference, over galaxies and questions, between a question's sum and what the tree demands."""
    return float(np.abs(_question_sums(fractions, schema) - expected_sums(fractions, schema)).max(initial=0.0))


def _question_sums(values: Array, schema: TreeSchema) -> Array:
    return np.stack([values[:, answers].sum(axis=1) for answers in schema.slices.values()], axis=1)


def _spread(per_question: Array, schema: TreeSchema) -> Array:
    """(N, Q) to (N, A): each answer gets its question's value."""
    sizes = [len(question.answers) for question in schema.questions]
    return np.repeat(per_question, sizes, axis=1)


def _walk_reach(conditional: Array, schema: TreeSchema) -> Array:
    """The fraction that reaches each question, multiplied down the tree: (N, Q)."""
    index_of = {question.name: index for index, question in enumerate(schema.questions)}
    question_of = np.repeat(np.arange(len(index_of)), [len(question.answers) for question in schema.questions])
    reach = np.ones((len(conditional), len(index_of)))
    for question in schema.walk:
        if question.parents:
            parents = list(schema.parent_positions(question))
            before = reach[:, question_of[parents]]
            # A parent nobody was asked about (NaN) sends nobody on, so long as its own reach is 0.
            answered = np.where(before == 0, 0.0, conditional[:, parents])
            reach[:, index_of[question.name]] = (before * answered).sum(axis=1)
    return reach
