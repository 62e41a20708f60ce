"""Heads: losses against independent references, output constraints as properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln
from scipy.stats import dirichlet_multinomial
from sklearn.metrics import log_loss

from tuningfork.errors import RecipeError
from tuningfork.models import HeadSpec, build_head
from tuningfork.models.heads.dirichlet import dirichlet_multinomial_log_likelihood
from tuningfork.schemas import (
    Answer,
    ClassSchema,
    GalaxyClass,
    Quantity,
    QuantitySchema,
    Question,
    Schema,
    TreeSchema,
    check_labels,
    load_schema,
)


def spec(schema: str, kind: str, **more: object) -> HeadSpec:
    return HeadSpec.model_validate({"schema": schema, "kind": kind, **more})


def head_for(schema: Schema, kind: str, features: int = 5, **more: object):
    torch.manual_seed(0)
    return build_head(features, schema, spec(schema.name, kind, **more)).eval()


@st.composite
def trees(draw: st.DrawFn) -> Schema:
    """A random tree whose questions may have several parents, all from earlier questions."""
    questions: list[Question] = []
    columns: list[str] = []
    for index in range(draw(st.integers(1, 5))):
        answers = tuple(Answer(f"a{i}", f"q{index}a{i}") for i in range(draw(st.integers(2, 4))))
        parents: tuple[str, ...] = ()
        if questions and draw(st.booleans()):
            # Several answers of one question may lead here; they exclude each other, so fractions stay below one.
            asked = draw(st.sampled_from(questions))
            names = [answer.column for answer in asked.answers]
            parents = tuple(draw(st.lists(st.sampled_from(names), min_size=1, unique=True)))
        questions.append(Question(f"q{index}", answers, parents))
        columns += [answer.column for answer in answers]
    order = draw(st.permutations(questions))
    return TreeSchema("t", "t", ("none",), relative_to="everyone", questions=tuple(order), tolerance=1e-4)


@given(schema=trees(), seed=st.integers(0, 2**31 - 1), spread=st.floats(0.1, 30))
@settings(max_examples=60, deadline=None)
def test_tree_fractions_obey_any_tree(schema: Schema, seed: int, spread: float) -> None:
    head = head_for(schema, "tree")
    raw = spread * torch.randn(7, len(schema.columns), generator=torch.Generator().manual_seed(seed))
    fractions = pd.DataFrame(head.answers(raw).detach().numpy(), columns=list(schema.columns)).clip(0, 1)
    fractions["id_str"] = [str(i) for i in range(7)]
    check_labels(fractions, schema, "prediction")
    assert fractions[list(schema.columns)].to_numpy().min() >= 0
    assert fractions[list(schema.columns)].to_numpy().max() <= 1 + 1e-6


def slow_tree(raw: np.ndarray, schema: Schema) -> np.ndarray:
    """The challenge's fractions written out one galaxy and one question at a time."""
    out = np.zeros_like(raw)
    column_at = {column: i for i, column in enumerate(schema.columns)}
    for row in range(len(raw)):
        for question in schema.walk:
            part = schema.slices[question.name]
            exp = np.exp(raw[row, part] - raw[row, part].max())
            asked = sum(out[row, column_at[p]] for p in question.parents) if question.parents else 1.0
            out[row, part] = exp / exp.sum() * asked
    return out


def test_tree_matches_a_slow_reference_on_the_challenge() -> None:
    schema = load_schema("gz-challenge")
    raw = torch.randn(6, 37, generator=torch.Generator().manual_seed(1), dtype=torch.float32)
    head = head_for(schema, "tree")
    np.testing.assert_allclose(head.answers(raw).numpy(), slow_tree(raw.numpy(), schema), atol=1e-6)


def test_mse_masks_missing_questions() -> None:
    schema = load_schema("gz-challenge")
    head = head_for(schema, "tree")
    raw = torch.randn(4, 37, generator=torch.Generator().manual_seed(2))
    truth = torch.full((4, 37), torch.nan)
    truth[1:] = torch.from_numpy(slow_tree(np.random.default_rng(0).normal(size=(3, 37)), schema)).float()
    truth[2, schema.slices["bar"]] = torch.nan
    total, count = head.loss(raw, truth)
    known = ~torch.isnan(truth)
    expected = np.square(head.answers(raw).numpy()[known] - truth.numpy()[known]).sum()
    assert int(count) == int(known.sum()) == 37 * 3 - 2
    assert float(total) == pytest.approx(float(expected), rel=1e-5)


def test_gradients_stay_finite_where_labels_are_missing() -> None:
    schema = load_schema("gz-challenge")
    for kind, loss in (("tree", "mse"), ("tree", "cross-entropy"), ("sigmoid", "mse")):
        head = head_for(schema, kind, loss=loss)
        raw = torch.zeros(3, 37, requires_grad=True)
        truth = torch.full((3, 37), torch.nan)
        truth[0] = torch.from_numpy(slow_tree(np.ones((1, 37)), schema)[0]).float()
        total, _ = head.loss(raw, truth)
        total.backward()
        assert raw.grad is not None
        assert torch.isfinite(raw.grad).all()
        assert (raw.grad[1:] == 0).all()


def test_cross_entropy_is_least_at_the_truth() -> None:
    schema = load_schema("gz-challenge")
    head = head_for(schema, "tree", loss="cross-entropy")
    logits = torch.randn(2, 37, generator=torch.Generator().manual_seed(3))
    truth = head.answers(logits)
    best, _ = head.loss(logits, truth)
    for seed in range(5):
        other = logits + 0.3 * torch.randn(2, 37, generator=torch.Generator().manual_seed(seed))
        assert head.loss(other, truth)[0] > best


def counts_schema() -> Schema:
    smooth = Question("s", (Answer("smooth", "s_smooth"), Answer("disk", "s_disk"), Answer("star", "s_star")))
    bar = Question("b", (Answer("yes", "b_yes"), Answer("no", "b_no")), ("s_disk",))
    return TreeSchema("c", "c", ("none",), votes="counts", questions=(smooth, bar))


@given(
    counts=st.lists(st.integers(0, 40), min_size=2, max_size=5),
    alphas=st.lists(st.floats(0.5, 100), min_size=5, max_size=5),
)
def test_dirichlet_multinomial_matches_scipy(counts: list[int], alphas: list[float]) -> None:
    alpha = alphas[: len(counts)]
    ours = dirichlet_multinomial_log_likelihood(
        torch.tensor([counts], dtype=torch.float64), torch.tensor([alpha], dtype=torch.float64)
    )
    reference = dirichlet_multinomial.logpmf(counts, alpha, sum(counts))
    assert float(ours) == pytest.approx(float(reference), rel=1e-6, abs=1e-8)
    if len(counts) == 2:  # two answers: the beta-binomial in closed form
        n, k = sum(counts), counts[0]
        ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        closed = ways + betaln(k + alpha[0], n - k + alpha[1]) - betaln(*alpha)
        assert float(ours) == pytest.approx(float(closed), rel=1e-6, abs=1e-8)


def test_dirichlet_head_ignores_questions_nobody_was_asked() -> None:
    schema = counts_schema()
    head = head_for(schema, "dirichlet")
    raw = torch.randn(3, 5, generator=torch.Generator().manual_seed(4))
    votes = torch.tensor([[5.0, 0, 1, 0, 0], [0, 7, 1, 3, 4], [torch.nan] * 5])
    total, count = head.loss(raw, votes)
    alpha = head.concentrations(raw).detach().double().numpy()
    expected = -dirichlet_multinomial.logpmf([5, 0, 1], alpha[0, :3], 6)
    expected -= dirichlet_multinomial.logpmf([0, 7, 1], alpha[1, :3], 8)
    expected -= dirichlet_multinomial.logpmf([3, 4], alpha[1, 3:], 7)
    assert int(count) == 2
    assert float(total) == pytest.approx(float(expected), rel=1e-5)
    answers = head.answers(raw)
    torch.testing.assert_close(answers[:, :3].sum(dim=1), torch.ones(3))
    torch.testing.assert_close(answers[:, 3:].sum(dim=1), torch.ones(3))


def test_counts_become_fractions_for_the_tree_head() -> None:
    schema = counts_schema()
    catalog = pd.DataFrame({"s_smooth": [3, 0], "s_disk": [1, 0], "s_star": [0, 0], "b_yes": [1, 0], "b_no": [0, 0]})
    targets = head_for(schema, "tree").targets(catalog, "t")
    np.testing.assert_allclose(targets[0], [0.75, 0.25, 0, 1, 0])
    assert np.isnan(targets[1]).all()


def class_schema() -> Schema:
    names = ("round", "disk", "merger")
    classes = tuple(GalaxyClass(name, name.upper()) for name in names)
    return ClassSchema("k", "k", ("none",), label_column="k", classes=classes)


def test_class_loss_matches_sklearn() -> None:
    head = head_for(class_schema(), "classes")
    raw = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    catalog = pd.DataFrame({"id_str": list("abcdef"), "k": ["round", "DISK", None, "2", "merger", "disk"]})
    targets = torch.from_numpy(head.targets(catalog, "t"))
    total, count = head.loss(raw, targets)
    known = [0, 1, 3, 4, 5]
    shares = torch.softmax(raw.double(), dim=1).numpy()[known]
    expected = log_loss([0, 1, 2, 2, 1], shares, labels=[0, 1, 2], normalize=False)
    assert int(count) == 5
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert float(head.score(raw, targets)[1]) == 5


def test_balanced_weights_make_classes_count_alike() -> None:
    head = head_for(class_schema(), "classes", class_weights="balanced")
    targets = np.array([[0.0]] * 6 + [[1.0]] * 2 + [[np.nan]] * 3, dtype=np.float32)
    head.balance(targets)
    np.testing.assert_allclose(head.class_weights.numpy(), [8 / (6 * 2), 8 / (2 * 2), 0])
    assert float((head.class_weights[targets[:8, 0].astype(int)]).mean()) == pytest.approx(1)


def quantity_schema() -> Schema:
    quantities = (
        Quantity("T", -6, 11, step=1),
        Quantity("Bar", 0, 1, step=0.25, missing=-1),
    )
    return QuantitySchema("q", "q", ("none",), quantities=quantities)


@pytest.mark.parametrize("loss", ["mse", "ordinal"])
@given(seed=st.integers(0, 1000), spread=st.floats(0.1, 50))
@settings(max_examples=20, deadline=None)
def test_quantities_stay_in_their_range(loss: str, seed: int, spread: float) -> None:
    head = head_for(quantity_schema(), "quantities", loss=loss)
    outputs = 2 if loss == "mse" else 18 + 5
    values = head.answers(spread * torch.randn(9, outputs, generator=torch.Generator().manual_seed(seed)))
    assert (values >= torch.tensor([-6.0, 0.0]) - 1e-4).all()
    assert (values <= torch.tensor([11.0, 1.0]) + 1e-4).all()


@given(seed=st.integers(0, 1000), spread=st.floats(0.1, 5))
@settings(max_examples=20, deadline=None)
def test_ordinal_answers_have_the_least_absolute_error(seed: int, spread: float) -> None:
    head = head_for(quantity_schema(), "quantities", loss="ordinal")
    raw = spread * torch.randn(9, 23, generator=torch.Generator().manual_seed(seed))
    levels = np.arange(-6, 12)
    chance = np.exp(raw[:, :18].double().numpy())
    chance /= chance.sum(axis=1, keepdims=True)
    errors = chance @ np.abs(levels[:, None] - levels)  # expected, of each answer that could be given
    given_error = (chance * np.abs(levels - head.answers(raw)[:, :1].numpy())).sum(axis=1)
    np.testing.assert_allclose(given_error, errors.min(axis=1), rtol=1e-5)
    np.testing.assert_allclose(head.expected_answers(raw)[:, 0], chance @ levels, atol=1e-4)


def test_what_is_no_number_stays_none() -> None:
    head = head_for(quantity_schema(), "quantities", loss="ordinal")
    raw = torch.randn(2, 3, 23)
    raw[0, 1, 4] = float("nan")
    assert head.answers(raw[0]).isnan().tolist() == [[False, False], [True, False], [False, False]]
    assert head.joint_answers(raw).isnan().tolist() == [[False, False], [True, False], [False, False]]


def test_ordinal_looks_are_joined_before_the_median_is_taken() -> None:
    head = head_for(quantity_schema(), "quantities", loss="ordinal")
    looks = torch.full((3, 1, 23), -30.0)
    looks[0, 0, 2] = looks[1, 0, 9] = looks[2, 0, 10] = 30.0  # each certain, of T = -4, 3 and 4
    assert head.joint_answers(looks)[0, 0] == 3
    assert head.answers(looks[0])[0, 0] == -4
    continuous = head_for(quantity_schema(), "quantities", loss="mse")
    raw = torch.randn(3, 5, 2)
    mean = torch.stack([continuous.answers(look) for look in raw]).mean(dim=0)
    torch.testing.assert_close(continuous.joint_answers(raw), mean)


def test_ordinal_loss_grows_with_distance_and_masks_undetermined() -> None:
    head = head_for(quantity_schema(), "quantities", loss="ordinal")
    raw = torch.full((1, 23), -30.0)
    raw[0, 6] = 30.0  # certain of T = 0
    raw[0, 18] = 30.0
    losses = []
    for t_type in (0, 1, 2, 5):
        catalog = pd.DataFrame({"T": [t_type], "Bar": [-1.0]})
        total, count = head.loss(raw, torch.from_numpy(head.targets(catalog, "t")))
        assert int(count) == 1
        losses.append(float(total))
    assert losses[0] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(losses, [0, 1 / 17, 2 / 17, 5 / 17], atol=1e-6)
    assert head.answers(raw)[0, 0] == pytest.approx(0, abs=1e-4)


def test_a_head_refuses_a_schema_it_cannot_answer() -> None:
    with pytest.raises(RecipeError, match="use the tree"):
        build_head(3, load_schema("gz-challenge"), spec("gz-challenge", "dirichlet"))
    with pytest.raises(RecipeError, match="can't answer schema"):
        build_head(3, load_schema("gz-challenge"), spec("gz-challenge", "classes"))
    with pytest.raises(RecipeError, match="it has mse, cross-entropy"):
        build_head(3, load_schema("gz-challenge"), spec("gz-challenge", "tree", loss="huber"))
    with pytest.raises(RecipeError, match="use dirichlet"):
        build_head(3, counts_schema(), spec("c", "sigmoid"))


@pytest.mark.parametrize("loss", ["mse", "ordinal"])
def test_a_weighted_quantity_counts_as_often_as_it_is_told(loss: str) -> None:
    schema = load_schema("efigi")
    plain, weighted = (
        head_for(schema, "quantities", loss=loss, quantity_weights=weights) for weights in ({}, {"T": 7})
    )
    raw = plain(torch.randn(9, 5)).detach()
    targets = torch.rand(9, len(schema.columns))
    targets[0, 0], targets[1, 1] = torch.nan, torch.nan
    known = (~torch.isnan(targets)).sum()
    total, count = plain.loss(raw, targets)
    assert count == known
    only, few = plain.loss(raw, torch.where(torch.arange(len(schema.columns)) == 0, targets, torch.nan))
    assert few == 8
    assert weighted.loss(raw, targets)[0].item() == pytest.approx((total + 6 * only).item(), rel=1e-5)
    assert weighted.loss(raw, targets)[1] == known + 6 * 8


def test_a_weight_of_no_quantity_is_refused() -> None:
    with pytest.raises(RecipeError, match="no quantity 'Tt'; did you mean 'T'"):
        head_for(load_schema("efigi"), "quantities", quantity_weights={"Tt": 2})
    with pytest.raises(RecipeError, match="quantity_weights are for quantities"):
        head_for(load_schema("gz-challenge"), "tree", quantity_weights={"T": 2})
    with pytest.raises(ValueError, match="greater than 0"):
        head_for(load_schema("efigi"), "quantities", quantity_weights={"T": 0})
