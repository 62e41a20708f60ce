"""How far a head is corrected: as far as it helps galaxies that the correction has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from tuningfork.adaptation.correction import PENALTIES, Correction, Sample, correct
from tuningfork.models.heads import Head

FOLDS = 5
PAIRS = tuple(combinations(range(FOLDS), 2))
SHARES = (0.25, 0.5)  # of the labels at hand, for the curve of what more of them would buy
STEPS = FOLDS * (1 + len(SHARES)) + len(PAIRS)  # of the progress of `choose`


@dataclass(frozen=True)
class Choice:
    """A correction, None where none helps, and what the head makes of galaxies that it was not fitted to.

    `held_out` is, by the number of labels that it was fitted to, the raw outputs (S, N, K) of galaxies that were not
    among these; the last is of four fifths of all labels.
    """

    correction: Correction | None
    penalty: float | None
    held_out: Mapping[int, torch.Tensor]

    @property
    def unseen(self) -> torch.Tensor:
        """The raw outputs (S, N, K) of galaxies that it was not fitted to, from as many labels as there are."""
        return self.held_out[max(self.held_out)]


def deal_folds(groups: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each galaxy, (N,), at random; those of one of the `groups` (N,) come into the same."""
    names, which = np.unique(groups, return_inverse=True)
    folds: np.ndarray = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[which]
    return folds


def choose(head: Head, sample: Sample, folds: np.ndarray, advance: Callable[[int], None]) -> Choice:
    """Choose the penalty by cross-validation, then correct by all labels.

    What the last of `held_out` says of a galaxy has not seen its label, nor those of its fold: neither did the fit, nor
    the choice of the penalty, which was made anew by the other folds alone. Where nothing is corrected in the end, it
    is what the head says as it is.
    """
    raw = _of_folds(head, sample, folds, advance)
    losses = _losses(head, raw, sample.targets, folds)
    best = int(losses.sum(axis=1).argmin())
    chosen = _nested(head, sample, folds, advance)
    held_out = {round(share * _others(folds)): _of_share(head, sample, folds, share, advance) for share in SHARES}
    held_out[_others(folds)] = _picked(raw, chosen, folds) if best else sample.raw
    if not best:
        return Choice(None, None, held_out)
    return Choice(correct(head, sample, PENALTIES[:best])[-1], PENALTIES[best - 1], held_out)


def _others(folds: np.ndarray) -> int:
    return round(len(folds) * (1 - 1 / FOLDS))


def _of_folds(
    head: Head, sample: Sample, folds: np.ndarray, advance: Callable[[int], None], share: float = 1.0
) -> torch.Tensor:
    """Raw outputs (1 + P, S, N, K): as they are, and of each penalty by fits to a share of the other folds."""
    raw = sample.raw.repeat(1 + len(PENALTIES), 1, 1, 1)
    rng = np.random.default_rng(0)
    for fold in range(FOLDS):
        others = rng.permutation(np.flatnonzero(folds != fold))
        _fill(raw, head, sample, others[: max(1, round(share * len(others)))], folds == fold)
        advance(1)
    return raw


def _of_share(
    head: Head, sample: Sample, folds: np.ndarray, share: float, advance: Callable[[int], None]
) -> torch.Tensor:
    """Raw outputs (S, N, K) by fits to a share of the labels, each fold at the penalty that is best for the others."""
    raw = _of_folds(head, sample, folds, advance, share)
    losses = _losses(head, raw, sample.targets, folds)
    best = [int(np.delete(losses, fold, axis=1).sum(axis=1).argmin()) for fold in range(FOLDS)]
    return _picked(raw, best, folds)


def _nested(head: Head, sample: Sample, folds: np.ndarray, advance: Callable[[int], None]) -> list[int]:
    """For each fold the number of the penalty that is best by the other folds alone.

    A fit without two folds judges the penalty by either of them for the other.
    """
    losses = np.zeros((FOLDS, 1 + len(PENALTIES)))
    for pair in PAIRS:
        raw = sample.raw.repeat(1 + len(PENALTIES), 1, 1, 1)
        _fill(raw, head, sample, np.flatnonzero(~np.isin(folds, pair)), np.isin(folds, pair))
        of_folds = _losses(head, raw, sample.targets, folds)
        for one, other in (pair, pair[::-1]):
            losses[one] += of_folds[:, other]
        advance(1)
    return [int(of_fold.argmin()) for of_fold in losses]


def _fill(raw: torch.Tensor, head: Head, sample: Sample, fitted: np.ndarray, wanted: np.ndarray) -> None:
    """Write what fits to the rows `fitted` make of the galaxies `wanted`, (N,) bool, for each penalty."""
    out = torch.from_numpy(wanted)
    for number, correction in enumerate(correct(head, sample.of(torch.from_numpy(fitted))), start=1):
        raw[number][:, out] = correction.of(sample.of(out))


def _losses(head: Head, raw: torch.Tensor, targets: torch.Tensor, folds: np.ndarray) -> np.ndarray:
    """The loss of each fold by raw outputs of each penalty, (1 + P, folds)."""
    losses = np.zeros((len(raw), FOLDS))
    for fold in range(FOLDS):
        out = torch.from_numpy(folds == fold)
        known = targets[out].repeat(raw.shape[1], 1)
        for number, outputs in enumerate(raw[:, :, out]):
            losses[number, fold] = float(head.loss(outputs.flatten(0, 1).float(), known)[0])
    return losses


def _picked(raw: torch.Tensor, best: list[int], folds: np.ndarray) -> torch.Tensor:
    """The raw outputs (S, N, K) of each fold by its own penalty."""
    picked = torch.empty_like(raw[0])
    for fold, number in enumerate(best):
        out = torch.from_numpy(folds == fold)
        picked[:, out] = raw[number][:, out]
    return picked
