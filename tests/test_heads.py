"""Heads: losses against independent references, output constraints as properties."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln
from scipy.stats import dirichlet_multinomial
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, mean_squared_error

from tuningfork.errors import RecipeError
from tuningfork.models import HeadSpec, build_head
from tuningfork.models.heads import HEADS, TeacherSpec, register_head
from tuningfork.models.heads.classes import ClassesHead
from tuningfork.models.heads.dirichlet import dirichlet_multinomial_log_likelihood
from tuningfork.models.heads.spec import KINDS
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
from tuningfork.training.teacher import teach


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


def fractions_schema(relative_to: str) -> TreeSchema:
    return replace(counts_schema(), votes="fractions", relative_to=relative_to)


def each_head() -> dict[str, tuple[Schema, dict[str, object]]]:
    """By a name of its own what each head is built of, in each of its ways."""
    asked, everyone = fractions_schema("asked"), fractions_schema("everyone")
    return {
        "classes": (class_schema(), {}),
        "sigmoid": (everyone, {}),
        "tree": (everyone, {}),
        "tree of those asked": (asked, {"loss": "cross-entropy"}),
        "tree of counts": (counts_schema(), {}),
        "dirichlet": (counts_schema(), {}),
        "quantities": (quantity_schema(), {}),
        "quantities in steps": (quantity_schema(), {"loss": "ordinal"}),
    }


VOTES = {  # of eight galaxies, one of which nobody saw, one of which has one vote
    "s_smooth": [3, 0, 7, 2, 0, 1, 5, None],
    "s_disk": [1, 0, 2, 9, 1, 4, 5, None],
    "s_star": [0, 0, 1, 3, 0, 0, 2, None],
    "b_yes": [1, 0, 0, 4, None, 3, 2, None],
    "b_no": [0, 0, 2, 5, 1, 1, 3, None],
}
MEASURED = {"T": [-6, -2, 0, 3, 11, None, 5, 7], "Bar": [0, 0.25, -1, 1, 0.5, 0.75, None, 0.25]}


def catalog_for(schema: Schema) -> pd.DataFrame:
    if isinstance(schema, ClassSchema):
        return pd.DataFrame({"id_str": list("abcdefgh"), "k": ["round", "DISK", None, "2", "merger", "disk", "0", "1"]})
    if isinstance(schema, QuantitySchema):
        return pd.DataFrame(MEASURED)
    votes = pd.DataFrame(VOTES, dtype="Float64")
    if schema.votes == "fractions":
        for part in schema.slices.values():
            columns = list(schema.columns[part])
            votes[columns] = votes[columns].div(votes[columns].sum(axis=1, skipna=False).replace(0, None), axis=0)
    return votes


def fractions_by_hand() -> np.ndarray:
    """Of those asked, from `VOTES`: a question that anyone's answer of is missing is unknown, as one of no vote."""
    rows = []
    for votes in zip(*VOTES.values(), strict=True):
        row: list[float] = []
        for part in (votes[:3], votes[3:]):
            total = np.nan if None in part else sum(part)
            row += [vote / total if total and not np.isnan(total) else np.nan for vote in part]
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("name", each_head())
def test_metrics_over_batches_are_those_of_sklearn(name: str) -> None:
    schema, options = each_head()[name]
    head = head_for(schema, name.split(maxsplit=1)[0], **options)
    raw = 2 * head(torch.randn(8, 5, generator=torch.Generator().manual_seed(6))).detach()
    targets = torch.from_numpy(head.targets(catalog_for(schema), "t"))
    parts = [head.score(raw[part], targets[part]) for part in (slice(0, 3), slice(3, 8))]
    found = head.finish(*(float(sum(numbers)) for numbers in zip(*parts, strict=True)))
    if name == "classes":
        truth, known = np.array([0, 1, 2, 2, 1, 0, 1]), [0, 1, 3, 4, 5, 6, 7]
        expected = accuracy_score(truth, raw[known].argmax(dim=1))
    else:
        answers = head.answers(raw).numpy()
        truth = np.array(list(MEASURED.values()), dtype=float).T if "quantities" in name else fractions_by_hand()
        truth[truth == -1] = np.nan
        known = ~np.isnan(truth)
        wrong = mean_absolute_error if head.metric == "mae" else mean_squared_error
        expected = wrong(truth[known], answers[known]) ** (1 if head.metric == "mae" else 0.5)
    assert head.metric == {"classes": "accuracy", "quantities": "mae"}.get(head.spec.kind, "rmse")
    assert found == pytest.approx(float(expected), rel=1e-5)
    assert np.isnan(head.finish(0.0, 0.0))


@pytest.mark.parametrize("name", each_head())
def test_looks_are_joined_and_small_changes_seen_whatever_the_head(name: str) -> None:
    schema, options = each_head()[name]
    head = head_for(schema, name.split(maxsplit=1)[0], **options)
    looks = head(torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(7))).detach()
    assert head.answers(looks[0]).shape == (4, len(schema.prediction_columns))
    joint, expected = head.joint_answers(looks), head.expected_answers(looks[0])
    if name == "quantities in steps":
        assert not torch.equal(expected, head.answers(looks[0]))
    else:
        torch.testing.assert_close(joint, torch.stack([head.answers(look) for look in looks]).mean(dim=0))
        assert torch.equal(expected, head.answers(looks[0]))
    nudged = head.expected_answers(looks[0] + 1e-2 * torch.arange(1, 1 + looks.shape[2]))
    assert (nudged != expected).all()


@pytest.mark.parametrize("name", each_head())
def test_of_a_galaxy_without_labels_nothing_is_learnt(name: str) -> None:
    schema, options = each_head()[name]
    head = head_for(schema, name.split(maxsplit=1)[0], **options)
    none = head.targets(pd.DataFrame({"id_str": ["a", "b"]}), "t")
    assert none.dtype == np.float32 and np.isnan(none).all()
    known = head.targets(catalog_for(schema), "t")
    assert none.shape == (2, known.shape[1]) and known.dtype == np.float32
    raw = head(torch.randn(10, 5, generator=torch.Generator().manual_seed(8))).detach().requires_grad_()
    total, count = head.loss(raw, torch.from_numpy(np.concatenate([none, known])))
    alone, number = head.loss(raw[2:], torch.from_numpy(known))
    torch.testing.assert_close(total, alone)
    assert count == number > 0
    total.backward()
    assert (raw.grad[:2] == 0).all() and raw.grad.isfinite().all() and (raw.grad[2:].abs().sum(dim=1) > 0).any()


def test_hidden_layers_are_dense_with_relu_and_each_has_its_dropout() -> None:
    head = head_for(class_schema(), "classes", hidden=(7, 4), dropout=(0.1, 0.2, 0.3))
    features = torch.randn(6, 5, generator=torch.Generator().manual_seed(9))
    dense = [layer for layer in head.modules() if isinstance(layer, torch.nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in dense] == [(7, 5), (4, 7), (3, 4)]
    value = features.numpy()
    for layer in dense:
        value = value @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        value = value if layer is dense[-1] else np.maximum(value, 0)
    np.testing.assert_allclose(head(features).detach().numpy(), value, atol=1e-5)
    for dropout, each in (((0.1, 0.2, 0.3), [0.1, 0.2, 0.3]), (0.4, [0.4] * 3)):
        kinds = head_for(class_schema(), "classes", hidden=(7, 4), dropout=dropout).layers
        assert [layer.p for layer in kinds if isinstance(layer, torch.nn.Dropout)] == each
        assert [type(layer).__name__ for layer in kinds] == ["Dropout", "Linear", "ReLU"] * 2 + ["Dropout", "Linear"]
    plain = head_for(class_schema(), "classes")
    assert [tuple(weight.shape) for weight in plain.parameters()] == [(3, 5), (3,)]


@given(weights=st.lists(st.floats(0.1, 9), min_size=3, max_size=3), smoothing=st.floats(0, 0.9))
@settings(max_examples=20, deadline=None)
def test_weighted_and_smoothed_cross_entropy_is_as_written_out(weights: list[float], smoothing: float) -> None:
    """Szegedy et al. 2016: a share of the target is spread evenly over all classes."""
    head = head_for(class_schema(), "classes", class_weights=weights, label_smoothing=smoothing)
    raw = torch.randn(5, 3, generator=torch.Generator().manual_seed(10))
    head.balance(np.array([[0.0], [0.0], [1.0]], dtype=np.float32))  # given weights stay
    total, count = head.loss(raw, torch.tensor([[0.0], [2.0], [torch.nan], [1.0], [2.0]]))
    logs = np.log(torch.softmax(raw.double(), dim=1).numpy())
    expected = 0.0
    for row, truth in ((0, 0), (1, 2), (3, 1), (4, 2)):
        share = smoothing / 3 + (1 - smoothing) * np.eye(3)[truth]
        expected -= (share * weights * logs[row]).sum()
    assert float(total) == pytest.approx(float(expected), rel=1e-4)
    assert float(count) == pytest.approx(weights[0] + weights[1] + 2 * weights[2], rel=1e-5)


def test_a_class_that_is_rare_or_absent_has_its_weight() -> None:
    targets = np.array([[0.0]] * 5 + [[2.0]], dtype=np.float32)
    head = head_for(class_schema(), "classes", class_weights="balanced")
    head.balance(targets)
    np.testing.assert_allclose(head.class_weights.numpy(), [6 / (5 * 2), 0, 6 / (1 * 2)], rtol=1e-6)
    plain = head_for(class_schema(), "classes")
    plain.balance(targets)
    assert plain.class_weights.tolist() == [1, 1, 1]
    with pytest.raises(RecipeError, match="class_weights has 2 numbers; 'k' has 3 classes"):
        head_for(class_schema(), "classes", class_weights=(1.0, 2.0))


@pytest.mark.parametrize("relative_to", ["asked", "everyone"])
def test_tree_cross_entropy_is_that_of_the_votes(relative_to: str) -> None:
    schema = fractions_schema(relative_to)
    head = head_for(schema, "tree", loss="cross-entropy")
    raw = torch.randn(2, 5, generator=torch.Generator().manual_seed(11))
    targets = torch.tensor([[0.5, 0.4, 0.1, 0.3, 0.1], [0.2, 0.7, 0.1, torch.nan, torch.nan]])
    logs = [np.log(torch.softmax(raw[:, part].double(), dim=1).numpy()) for part in (slice(0, 3), slice(3, 5))]
    expected = -(targets[:, :3].numpy() * logs[0]).sum() - (targets[0, 3:].numpy() * logs[1][0]).sum()
    total, count = head.loss(raw, targets)
    assert (float(total), int(count)) == (pytest.approx(float(expected), rel=1e-5), 8)
    bar = head.answers(raw)[:, 3:].sum(dim=1)
    torch.testing.assert_close(bar, torch.ones(2) if relative_to == "asked" else head.answers(raw)[:, 1])


def test_dirichlet_concentrations_are_bounded_as_those_of_zoobot() -> None:
    """Zoobot's lie between 1 and 101: no vote is taken for impossible, nor is any certain."""
    head = head_for(counts_schema(), "dirichlet")
    raw = torch.tensor([[-200.0, 200, 0, 200, -200]])
    torch.testing.assert_close(head.concentrations(raw), torch.tensor([[1.0, 101, 51, 101, 1]]))
    shares = torch.tensor([[1 / 153, 101 / 153, 51 / 153, 101 / 102, 1 / 102]])
    torch.testing.assert_close(head.answers(raw), shares)


def test_dirichlet_counts_galaxies_with_a_vote_on_a_whole_question() -> None:
    head = head_for(counts_schema(), "dirichlet")
    raw = torch.zeros(4, 5)
    votes = torch.tensor([[0.0] * 5, [1, 0, 0, 0, 0], [3, 2, torch.nan, 0, 0], [3, 2, torch.nan, 0, 1]])
    total, count = head.loss(raw, votes)
    assert int(count) == 2
    assert float(total) == pytest.approx(-np.log(1 / 3) - np.log(1 / 2), rel=1e-4)  # one vote each, all alike


def test_squared_errors_are_of_fractions_and_of_ranges() -> None:
    raw, generator = torch.randn(3, 5), torch.Generator().manual_seed(12)
    sigmoid = head_for(fractions_schema("everyone"), "sigmoid")
    truth = torch.rand(3, 5, generator=generator)
    truth[1, 3:] = torch.nan
    total, count = sigmoid.loss(raw, truth)
    off = 1 / (1 + np.exp(-raw.double().numpy())) - truth.numpy()
    assert (float(total), int(count)) == (pytest.approx(float(np.nansum(off**2)), rel=1e-5), 13)
    mse = head_for(quantity_schema(), "quantities", loss="mse")
    assert tuple(mse(torch.zeros(3, 5)).shape) == (3, 2)
    off = 1 / (1 + np.exp(-raw[:, :2].double().numpy())) - [[7 / 17, 0.5], [0, 1], [1, np.nan]]
    total, count = mse.loss(raw[:, :2], torch.tensor([[1.0, 0.5], [-6, 1], [11, torch.nan]]))
    assert (float(total), int(count)) == (pytest.approx(float(np.nansum(off**2)), rel=1e-5), 5)


@given(seed=st.integers(0, 1000), truths=st.lists(st.integers(-8, 13), min_size=4, max_size=4))
@settings(max_examples=20, deadline=None)
def test_ordinal_loss_is_the_distance_of_cumulative_distributions(seed: int, truths: list[int]) -> None:
    """Hou, Yu & Samaras 2017, equation 5; what lies beyond the range counts as its end."""
    head = head_for(quantity_schema(), "quantities", loss="ordinal")
    raw = 2 * torch.randn(4, 23, generator=torch.Generator().manual_seed(seed))
    assert head(torch.zeros(1, 5)).shape == (1, 23)
    expected = 0.0
    for row, truth in enumerate(truths):
        for logits, values, seen in ((raw[row, :18], range(-6, 12), truth), (raw[row, 18:], [0, 1, 2, 3, 4], 3)):
            chance = torch.softmax(logits.double(), dim=0).numpy()
            gaps = [
                chance[: i + 1].sum() - (value >= np.clip(seen, values[0], values[-1]))
                for i, value in enumerate(values)
            ]
            expected += np.square(gaps).sum() / (len(values) - 1)
    total, count = head.loss(raw, torch.tensor([[float(truth), 0.75] for truth in truths]))
    assert (float(total), int(count)) == (pytest.approx(expected, rel=1e-4), 8)


def test_a_median_between_two_steps_is_the_lower() -> None:
    schema = QuantitySchema("q", "q", ("none",), quantities=(Quantity("Ring", 2, 4, step=2),))
    head = head_for(schema, "quantities", loss="ordinal")
    assert head.answers(torch.zeros(1, 2)).tolist() == [[2]]
    continuous = replace(schema, quantities=(Quantity("Ring", 2, 4),))
    with pytest.raises(RecipeError, match="the ordinal loss needs a step for 'Ring'"):
        head_for(continuous, "quantities", loss="ordinal")
    assert head_for(continuous, "quantities").answers(torch.zeros(1, 1)).tolist() == [[3]]


def test_only_heads_whose_answers_are_their_targets_have_teachers(tmp_path: Path) -> None:
    for name, (schema, options) in each_head().items():
        head = head_for(schema, name.split()[0], **options)
        raw = head(torch.randn(4, 5, generator=torch.Generator().manual_seed(13)))
        answers = pd.DataFrame(head.answers(raw).detach().numpy(), columns=list(schema.prediction_columns))
        answers["id_str"] = list("abcd")
        answers.to_csv(tmp_path / "answers.csv", index=False)
        labels = np.full((4, len(schema.columns)), np.nan, dtype=np.float32)
        given = labels, answers[["id_str"]], np.arange(4), TeacherSpec(answers=str(tmp_path / "answers.csv"))
        if head.spec.kind in ("classes", "dirichlet"):
            with pytest.raises(RecipeError, match=f"a {head.spec.kind} head can't have a teacher"):
                teach(head, *given)
        else:
            np.testing.assert_allclose(teach(head, *given), head.answers(raw).detach().numpy(), atol=1e-6)


class Peaked(ClassesHead):
    losses = ("focal", "cross-entropy")


def test_a_head_of_ones_own_is_built_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuningfork.models.heads import build
    from tuningfork.models.heads import spec as specs

    monkeypatch.setattr(build, "HEADS", dict(HEADS))
    kinds = list(KINDS)
    monkeypatch.setattr(build, "KINDS", kinds)
    monkeypatch.setattr(specs, "KINDS", kinds)
    with pytest.raises(ValueError, match=r"one of classes, .* is needed"):
        spec("k", "peaked")
    for _ in range(2):  # a program's file may be run twice
        register_head("peaked", Peaked)
    assert kinds == [*KINDS, "peaked"]
    head = head_for(class_schema(), "peaked")
    assert isinstance(head, Peaked) and head.loss_name == "focal"
    assert head_for(class_schema(), "peaked", loss="cross-entropy").loss_name == "cross-entropy"
    with pytest.raises(RecipeError, match=r"a peaked head can't answer .*\(kind tree\); use sigmoid, tree, dirichlet$"):
        head_for(counts_schema(), "peaked")
    with pytest.raises(RecipeError, match="there is a head called 'tree' already"):
        register_head("tree", Peaked)
    with pytest.raises(RecipeError, match="Linear is no Head"):
        register_head("linear", torch.nn.Linear)


def test_what_a_recipe_says_of_a_head_is_bounded() -> None:
    plain = spec("k", "classes")
    assert plain == spec(
        "k", "classes", loss="", weight=1, share=1, hidden=(), dropout=0, label_smoothing=0, class_weights=None
    )
    teacher = {"answers": "a.csv"}
    assert TeacherSpec(**teacher) == TeacherSpec(**teacher, weight=0.5, share=1)
    fine = {"weight": (0.01, 7), "share": (0.01, 1), "dropout": (0, 0.99, (0.0,)), "label_smoothing": (0, 0.99)}
    wrong = {
        "weight": (0, -1, float("inf"), float("nan")),
        "share": (0, 1.01),
        "dropout": (-0.01, 1, (0.1, 1.0), (), (0.1, 0.2)),
        "label_smoothing": (-0.01, 1),
        "hidden": ((0,),),
        "kind": ("clases",),
        "unheard": (1,),
    }
    for key, values in fine.items():
        for value in values:
            assert getattr(spec("k", "classes", **{key: value}), key) == value
    for key, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=key):
                HeadSpec.model_validate({"schema": "k", "kind": "classes", key: value})
    for weight, share in ((0, 0.01), (1, 1)):
        assert TeacherSpec(**teacher, weight=weight, share=share).share == share
    for more in ({"weight": -0.01}, {"weight": 1.01}, {"share": 0}, {"share": 1.01}, {"unheard": 1}):
        with pytest.raises(ValueError, match=next(iter(more))):
            TeacherSpec.model_validate({**teacher, **more})
    for made, key in ((plain, "weight"), (TeacherSpec(**teacher), "share")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(made, key, 0.3)
