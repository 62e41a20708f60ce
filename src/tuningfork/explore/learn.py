"""A head on stored features, refitted in seconds: logistic regression on the labels so far.

Features are brought to mean 0 and variance 1 over the catalogue. How strongly weights are held down (L2) is what
predicts labels best that were left out, by cross-validation; a temperature then makes probabilities as sure as these
labels allow (Guo et al. 2017, arXiv:1706.04599). All of it is folded into one linear layer on the features as they are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuningfork.errors import TuningforkError

SAMPLE = 50_000  # galaxies at random from which the scale of features is taken
CHUNK = 1 << 16  # galaxies predicted at once
LEAST = 2  # labels that a class needs to be learned
FOLDS = 5
CHECKED = 2_000  # labels at most, at random, by which the strength is chosen
STRENGTHS = tuple(10.0**power for power in range(-1, 5))  # C of scikit-learn, for galaxies of length about 1
COLDEST, HOTTEST = 0.2, 5.0  # temperatures

Array = NDArray[np.float64]
Features = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Scale:
    """The mean and the standard deviation (F,) of features; one that never changes has an infinite one."""

    mean: Array
    std: Array

    def of(self, features: Features) -> Array:
        """Features (N, F), scaled such that a galaxy's length is about 1."""
        scaled: Array = (features.astype(np.float64) - self.mean) / (self.std * np.sqrt(len(self.mean)))
        return scaled


@dataclass(frozen=True)
class Head:
    """Probabilities of classes from features: the softmax of `weights` (K, F) times features plus `bias` (K,)."""

    classes: tuple[str, ...]
    weights: Array
    bias: Array

    def probabilities(self, features: Features) -> NDArray[np.float32]:
        """Of features (N, F): (N, K) float32, NaN where a feature is NaN."""
        found = np.empty((len(features), len(self.classes)), np.float32)
        for start in range(0, len(features), CHUNK):
            logits = np.asarray(features[start : start + CHUNK], dtype=np.float64) @ self.weights.T + self.bias
            found[start : start + CHUNK] = softmax(logits)
        return found


@dataclass(frozen=True)
class Validation:
    """How a head does on labels it did not see, of galaxies taken at random.

    `accuracy` with its 95 % interval `low` to `high` (Wilson 1927, JASA 22, 209); of each class how many there are
    (`n`), how many of these are `found`, and how many galaxies are `called` so.
    """

    n: int
    accuracy: float
    low: float
    high: float
    classes: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Learned:
    """A head, the labels it was learned from (`counts` by class, in all `n`), its validation, and how long it took."""

    head: Head
    n: int
    counts: Mapping[str, int]
    validation: Validation | None
    seconds: float


@dataclass(frozen=True)
class Examples:
    """Labelled galaxies: their rows among the features (M,), and the class of each (M,) as text."""

    rows: Rows
    answers: Sequence[str]

    def counts(self, classes: Sequence[str]) -> dict[str, int]:
        """How many there are of each class."""
        return {name: sum(answer == name for answer in self.answers) for name in classes}


def scale_of(features: Features, seed: int = 0) -> Scale:
    """The scale of features (N, F), from at most `SAMPLE` galaxies that were read.

    Raises
    ------
    TuningforkError
        If not two were.
    """
    rows = np.arange(len(features))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False))
    sample = np.asarray(features[rows], dtype=np.float64)
    sample = sample[np.isfinite(sample).all(axis=1)]
    if len(sample) < 2:
        raise TuningforkError(
            "the embedding has fewer than two galaxies that were read; nothing can be learned from it"
        )
    std = sample.std(axis=0)
    steady = std <= 1e-6 * np.maximum(np.abs(sample).max(axis=0), 1e-12)
    return Scale(sample.mean(axis=0), np.where(steady, np.inf, std))


def learn(
    features: Features, scale: Scale, train: Examples, validation: Examples, classes: Sequence[str], *, seed: int = 0
) -> Learned:
    """Fit a head to the labels of `train`, and judge it by those of `validation`.

    Classes with fewer than `LEAST` labels are not learned.

    Raises
    ------
    TuningforkError
        If fewer than two classes can be learned.
    """
    start = time.perf_counter()
    counts = train.counts(classes)
    known = tuple(name for name in classes if counts[name] >= LEAST)
    if len(known) < 2:
        have = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise TuningforkError(
            f"two classes with {LEAST} labels each are needed to learn, beside those set aside for validation "
            f"(so far: {have}); label some more"
        )
    codes = {name: code for code, name in enumerate(known)}
    chosen = [place for place, answer in enumerate(train.answers) if answer in codes]
    points = scale.of(features[train.rows[chosen]])
    head = _fold(_fit(points, np.array([codes[train.answers[place]] for place in chosen]), seed), scale, known)
    judged = judge(head, features, validation)
    return Learned(head, len(chosen), counts, judged, time.perf_counter() - start)


def judge(head: Head, features: Features, examples: Examples) -> Validation | None:
    """How a head does on labelled galaxies; None where there are none."""
    from scipy.stats import binomtest

    if not len(examples.rows):
        return None
    called = np.array(head.classes)[head.probabilities(features[examples.rows]).argmax(axis=1)]
    truth = np.array(examples.answers)
    right = int((called == truth).sum())
    interval = binomtest(right, len(truth)).proportion_ci(method="wilson")
    classes = {
        name: {
            "n": int((truth == name).sum()),
            "found": int(((truth == name) & (called == name)).sum()),
            "called": int((called == name).sum()),
        }
        for name in dict.fromkeys([*head.classes, *examples.answers])
    }
    return Validation(len(truth), right / len(truth), float(interval.low), float(interval.high), classes)


def softmax(logits: Array) -> Array:
    """Probabilities (N, K) of logits."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


def _fit(points: Array, codes: Rows, seed: int) -> tuple[Array, Array]:
    """Weights (K, F) and bias (K,) for scaled features (M, F) of the classes `codes` (M,), temperature included."""
    # With L2 the weights lie in the space that the labelled galaxies span: in coordinates of it nothing is lost.
    _, lengths, axes = np.linalg.svd(points, full_matrices=False)
    axes = axes[lengths > 1e-9 * lengths.max()]
    reduced = points @ axes.T
    strength, temperature = _chosen(reduced, codes, seed)
    weights, bias = _regression(reduced, codes, strength)
    return weights @ axes / temperature, bias / temperature


def _chosen(points: Array, codes: Rows, seed: int) -> tuple[float, float]:
    """The strength that predicts best what was left out, and the temperature that is then most likely."""
    from scipy.optimize import minimize_scalar
    from sklearn.model_selection import StratifiedKFold

    if len(points) > CHECKED:
        some = np.random.default_rng(seed).choice(len(points), CHECKED, replace=False)
        if np.bincount(codes[some], minlength=codes.max() + 1).min() >= LEAST:
            points, codes = points[some], codes[some]
    folds = StratifiedKFold(min(FOLDS, int(np.bincount(codes).min())), shuffle=True, random_state=seed)
    left_out = {strength: np.empty((len(points), codes.max() + 1)) for strength in STRENGTHS}
    for train, test in folds.split(points, codes):
        for strength, logits in left_out.items():
            weights, bias = _regression(points[train], codes[train], strength)
            logits[test] = points[test] @ weights.T + bias
    strength = min(STRENGTHS, key=lambda each: _surprise(left_out[each], codes))
    best = minimize_scalar(
        lambda log: _surprise(left_out[strength] / np.exp(log), codes),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    return strength, float(np.exp(best.x))


def _regression(points: Array, codes: Rows, strength: float) -> tuple[Array, Array]:
    """Logistic regression in which every class counts alike: weights (K, D) and bias (K,)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=strength, class_weight="balanced", max_iter=5_000).fit(points, codes)
    if len(fitted.classes_) == 2:  # one set of weights says how much likelier the second is
        return np.vstack([-fitted.coef_, fitted.coef_]) / 2, np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2
    return fitted.coef_, fitted.intercept_


def _surprise(logits: Array, codes: Rows) -> float:
    """The mean of -log probability of what is so."""
    chances = softmax(logits)[np.arange(len(codes)), codes]
    return float(-np.log(np.maximum(chances, 1e-12)).mean())


def _fold(fitted: tuple[Array, Array], scale: Scale, classes: tuple[str, ...]) -> Head:
    """The same on features as they are."""
    weights, bias = fitted
    raw = weights / (scale.std * np.sqrt(len(scale.mean)))
    return Head(classes, raw, bias - raw @ scale.mean)
