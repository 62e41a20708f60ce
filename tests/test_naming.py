"""The class that a galaxy is called: the most probable one, and never against the answers of the tree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tuningfork.evaluation import evaluate_predictions
from tuningfork.evaluation.tables import with_prediction_columns
from tuningfork.images import Decoded
from tuningfork.inference.naming import NONE, named_classes, summaries
from tuningfork.inference.rows import prediction_rows
from tuningfork.schemas import load_schema

TREE, CLASSES = load_schema("gz-challenge"), load_schema("five-classes")


def answers(**shares: float) -> np.ndarray:
    """Fractions of everyone (1, 37), 0 where nothing is said."""
    values = np.zeros((1, len(TREE.columns)))
    for name, share in shares.items():
        values[0, TREE.prediction_columns.index(name)] = share
    return values


ROUND = answers(
    smooth_or_featured_smooth=0.8, smooth_or_featured_features_or_disk=0.2, roundedness_completely_round=0.6
)
UNSURE = answers(
    smooth_or_featured_smooth=0.45,
    smooth_or_featured_features_or_disk=0.41,
    smooth_or_featured_star_or_artifact=0.14,
    roundedness_completely_round=0.3,
)
SPIRAL = answers(
    smooth_or_featured_features_or_disk=1.0, edge_on_yes=0.1, edge_on_no=0.9, spiral_arms_yes=0.8, spiral_arms_no=0.1
)


def test_a_class_is_named_where_the_tree_agrees() -> None:
    of_round, of_spiral = np.array([[0.7, 0.2, 0.0, 0.0, 0.1]]), np.array([[0.0, 0.0, 0.0, 0.1, 0.9]])
    for values, tree, expected in (
        (of_round, ROUND, "round"),
        (of_round, UNSURE, NONE),
        (of_round, SPIRAL, NONE),
        (of_spiral, SPIRAL, "spiral"),
        (of_spiral, ROUND, NONE),
    ):
        assert list(named_classes(values, CLASSES, {TREE.name: (TREE, tree)})) == [expected]


def test_without_a_tree_it_is_the_most_probable() -> None:
    values = np.array([[0.1, 0.2, 0.0, 0.3, 0.4]])
    assert list(named_classes(values, CLASSES, {})) == ["spiral"]
    other = load_schema("galaxy10-decals")
    assert list(named_classes(np.eye(10)[[3]], other, {TREE.name: (TREE, ROUND)})) == [other.class_names[3]]


@given(st.integers(0, 10_000))
def test_what_is_named_is_the_most_probable_or_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, tree = rng.dirichlet(np.ones(5), 8), rng.random((8, len(TREE.columns)))
    named = summaries({CLASSES.name: values, TREE.name: tree}, [TREE, CLASSES])[CLASSES.name]
    best = np.array(CLASSES.class_names)[values.argmax(axis=1)]
    assert all(name in (expected, NONE) for name, expected in zip(named, best, strict=True))


@given(st.integers(0, 10_000))
def test_a_probability_is_of_the_class_that_is_named(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.dirichlet(np.ones(5), 8).astype(np.float32)
    trees = np.concatenate([(ROUND, UNSURE, SPIRAL)[which] for which in rng.integers(0, 3, 8)])
    batch = [Decoded(str(row), f"{row}.png", None) for row in range(8)]
    table = prediction_rows(batch, {CLASSES.name: values, TREE.name: trees}, [TREE, CLASSES], None).to_pandas()
    for row, name in enumerate(table["five_class"]):
        said = table["five_class_probability"][row]
        if name == NONE:
            assert np.isnan(said)
        else:
            assert said == values[row, CLASSES.class_names.index(name)]


def test_tables_with_the_names_of_the_labels_are_read() -> None:
    rng = np.random.default_rng(3)
    own = pd.DataFrame(rng.dirichlet(np.ones(5), 6), columns=list(CLASSES.prediction_columns))
    own["id_str"] = [f"g{row}" for row in range(6)]
    published = own.rename(columns=dict(zip(CLASSES.prediction_columns, CLASSES.published_columns, strict=True)))
    assert "five_class_in-between" in published
    pd.testing.assert_frame_equal(with_prediction_columns(published, [CLASSES])[list(own)], own)
    labels = own[["id_str"]].assign(five_class="round")
    of_own, of_published = (evaluate_predictions(t, labels, [CLASSES], origin="t") for t in (own, published))
    assert of_own["schemas"] == of_published["schemas"]
    both = own.assign(**{"five_class_in-between": 7.0})  # where its own are there, others are somebody else's
    assert with_prediction_columns(both, [CLASSES]) is both
