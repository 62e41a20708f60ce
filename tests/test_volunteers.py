"""The equivalent number of volunteers: recovered where it is known, whatever the votes behind the labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tuningfork.evaluation import evaluate_predictions
from tuningfork.evaluation.volunteers import equivalent_volunteers
from tuningfork.schemas import load_schema

ONES = np.ones((1, 40_000))


def crowd(n_galaxies: int, n_answers: int, rng: np.random.Generator) -> np.ndarray:
    return rng.dirichlet(np.full(n_answers, 0.7), size=n_galaxies)


def votes(truth: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.multinomial(n, truth) / n


@given(worth=st.integers(1, 60), behind=st.integers(5, 80), n_answers=st.integers(2, 6), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_model_that_is_the_mean_of_n_volunteers_is_worth_n(
    worth: int, behind: int, n_answers: int, seed: int
) -> None:
    assume(worth <= 2 * behind)  # beyond it the labels' noise hides the model's error: 8 % at ten times
    rng = np.random.default_rng(seed)
    truth = crowd(40_000, n_answers, rng)
    measure = equivalent_volunteers(votes(truth, worth, rng), votes(truth, behind, rng), np.full(40_000, behind))
    assert measure.of(ONES)[0] == pytest.approx(worth, rel=0.12)


def test_a_biased_model_is_worth_what_its_error_says() -> None:
    rng = np.random.default_rng(1)
    truth = crowd(40_000, 2, rng)
    off = truth + np.array([0.1, -0.1])
    measure = equivalent_volunteers(off, votes(truth, 40, rng), np.full(40_000, 40))
    expected = (truth * (1 - truth)).sum(axis=1).mean() / (2 * 0.1**2)
    assert measure.of(ONES)[0] == pytest.approx(expected, rel=0.03)


def test_what_is_unknown_is_left_out_and_a_perfect_model_has_no_number() -> None:
    rng = np.random.default_rng(2)
    truth = crowd(1000, 3, rng)
    observed = votes(truth, 40, rng)
    observed[::2] = np.nan
    asked = np.full(1000, 40.0)
    asked[1::4] = 1
    assert equivalent_volunteers(truth, observed, asked).n == 250
    assert np.isposinf(equivalent_volunteers(observed, observed, np.full(1000, 40)).of(np.ones((1, 1000)))[0])


def test_an_evaluation_tells_it_for_each_question() -> None:
    schema = load_schema("gz-challenge")
    rng = np.random.default_rng(3)
    table = {"id_str": [str(i) for i in range(4000)]}
    labels, given = dict(table), dict(table)
    for part in ("Class1", "Class6"):  # the two questions that everyone is asked
        columns = [column for column in schema.columns if column.startswith(f"{part}.")]
        truth = crowd(4000, len(columns), rng)
        labels |= dict(zip(columns, votes(truth, 44, rng).T, strict=True))
        given |= dict(zip(columns, votes(truth, 12, rng).T, strict=True))
    for column in schema.columns:
        given.setdefault(column, np.zeros(4000))
    found = evaluate_predictions(pd.DataFrame(given), pd.DataFrame(labels), [schema], origin="a test", n_bootstrap=200)
    for name in ("smooth-or-featured", "anything-odd"):
        entry = found["schemas"]["gz-challenge"]["questions"][name]["volunteers"]
        assert entry["value"] == pytest.approx(12, rel=0.1)
        assert 10 < entry["interval"][0] < entry["value"] < entry["interval"][1] < 15
        assert entry["n"] == 4000
    assert found["schemas"]["gz-challenge"]["questions"]["bar"]["volunteers"]["value"] is None
