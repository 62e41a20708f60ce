"""A predictions table against labels: every figure with its sample size and 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.evaluation.bootstrap import estimate
from tuningfork.evaluation.classes import class_measures
from tuningfork.evaluation.coverage import with_quantity_coverage, with_vote_coverage
from tuningfork.evaluation.losses import class_losses, tree_losses
from tuningfork.evaluation.quantities import known_values, quantity_measures
from tuningfork.evaluation.tables import answers, join, probabilities, table_hash
from tuningfork.evaluation.trees import tree_measures
from tuningfork.evaluation.votes import label_votes, votes_of
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema
from tuningfork.schemas.check import class_indices

N_BOOTSTRAP = 1000


def evaluate_predictions(
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    schemas: Sequence[Schema],
    *,
    origin: str,
    inputs: dict[str, Any] | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure predictions against labels.

    Parameters
    ----------
    predictions : DataFrame
        `id_str` (or the schema's own id column), each schema's prediction columns (a class list may give hard labels in
        its summary column instead), and optionally `error`: rows with one are counted and left out.
    labels : DataFrame
        The ids and each schema's label columns, NaN where missing. Galaxies are joined by id.
    schemas : sequence of Schema
        What was predicted; each must be answered by the predictions and labelled.
    origin : str
        Names the predictions in errors and in the result, such as ``model default on packs/gz, split test``.
    inputs : dict, optional
        What fixes predictions and labels, such as the hashes of their files, kept in the result: a folder that holds an
        evaluation of other inputs is not replaced unasked. By default, hashes of the tables.
    n_bootstrap, seed : int
        How many resamples stand behind the intervals, and the seed that draws them.

    Returns
    -------
    dict
        Ready for JSON: `where`, `inputs`, `n` (counts of galaxies), `seed`, `n_bootstrap`, and for each of `schemas`
        its figures, each ``{"value", "n", "interval"}`` with a bootstrap 95 % percentile interval over galaxies. What
        is undefined is None. A class list with probabilities and a tree have `top_losses` too (see `losses`).

    Raises
    ------
    PredictionsError
        If ids are missing or double, nothing joins, columns are absent, or a prediction is NaN or out of range.
    SchemaError
        If the labels don't obey their schema.

    Examples
    --------
    >>> import pandas as pd, tuningfork as tf
    >>> names = ["edge-on", "spiral", "round"]
    >>> predicted = pd.DataFrame({"id_str": ["a", "b", "c"], "five_class": names})
    >>> known = pd.DataFrame({"id_str": ["a", "b", "c"], "five_class": ["edge-on", "spiral", "spiral"]})
    >>> content = tf.evaluate_predictions(predicted, known, [tf.load_schema("five-classes")], origin="an example")
    >>> round(content["schemas"]["five-classes"]["figures"]["accuracy"]["value"], 3)
    0.667
    """
    kept, known, counts = join(predictions, labels, schemas, origin)
    measures = {schema.name: {"title": schema.title} | measures_of(kept, known, schema, origin) for schema in schemas}
    return {
        "where": origin,
        "inputs": inputs or {"predictions": table_hash(kept), "labels": table_hash(known)},
        "n": counts,
        "seed": seed,
        "n_bootstrap": n_bootstrap,
        "schemas": estimate(measures, len(kept), n_bootstrap, seed),
    }


def main_figures(evaluation: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The figures to show first, each (schema, name, figure): overall ones, then the MAE and r of each quantity."""
    rows = []
    for name, schema in evaluation["schemas"].items():
        figures = schema["figures"]
        # Where every galaxy has every column, the figures of complete galaxies say the same again.
        same = {"rmse", "rmse_complete"} <= figures.keys() and figures["rmse"]["n"] == figures["rmse_complete"]["n"]
        rows += [(name, key, figure) for key, figure in figures.items() if not (same and key.endswith("_complete"))]
        for column, quantity in schema.get("quantities", {}).items():
            rows += [(name, f"{column} {key}", quantity[key]) for key in ("mae", "pearson")]
    return rows


def measures_of(predictions: pd.DataFrame, labels: pd.DataFrame, schema: Schema, origin: str) -> dict[str, Any]:
    """The figures of one schema as measures, from joined predictions and labels."""
    return _measures(schema, predictions, labels, origin)


@singledispatch
def _measures(schema: Schema, predictions: pd.DataFrame, labels: pd.DataFrame, origin: str) -> dict[str, Any]:
    raise NotImplementedError(schema.kind)


@_measures.register(ClassSchema)
def _of_classes(schema: ClassSchema, predictions: pd.DataFrame, labels: pd.DataFrame, origin: str) -> dict[str, Any]:
    truth = class_indices(labels, schema, f"the labels for {origin}")
    named, values = predicted_classes(predictions, schema, origin), probabilities(predictions, schema)
    measures = class_measures(truth, named, values, schema)
    if values is not None:
        measures["top_losses"] = class_losses(labels["id_str"], truth, named, values, schema)
    return measures


@_measures.register(QuantitySchema)
def _of_quantities(schema: QuantitySchema, predictions: pd.DataFrame, labels: pd.DataFrame, _: str) -> dict[str, Any]:
    truth = np.stack([known_values(labels, q.column, q.missing) for q in schema.quantities], axis=1)
    measures = quantity_measures(labels, answers(predictions, schema), schema)
    return with_quantity_coverage(measures, predictions, truth, schema)


@_measures.register(TreeSchema)
def _of_tree(schema: TreeSchema, predictions: pd.DataFrame, labels: pd.DataFrame, _: str) -> dict[str, Any]:
    votes, predicted = label_votes(labels, schema), votes_of(answers(predictions, schema), schema)
    measures = with_vote_coverage(tree_measures(votes, predicted, schema), predictions, votes.fractions, schema)
    return measures | {"top_losses": tree_losses(labels["id_str"], votes, predicted, schema)}


def predicted_classes(predictions: pd.DataFrame, schema: ClassSchema, origin: str) -> np.ndarray:
    """The index of the most probable class of each galaxy, (N,); of a table without probabilities the one it names."""
    values = probabilities(predictions, schema)
    return class_indices(predictions, schema, origin) if values is None else np.asarray(values.argmax(axis=1))
