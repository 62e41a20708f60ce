"""How far a head is corrected: as far as it helps galaxies that the correction has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from tuningfork.adaptation.correction import PENALTIES, Correction, Sample, correct
from tuningfork.models.heads import Head

FOLDS = 5
SHARES = (0.25, 0.5, 1.0)  # of the labels at hand, for the curve of what more of them would buy
STEPS = FOLDS * len(SHARES)  # of the progress of `choose`


@dataclass(frozen=True)
class Choice:
    """A correction, None where none helps, and what the head makes of galaxies that it was not fitted to.

    `held_out` is, by the number of labels that it was fitted to, the raw outputs (S, N, K) of galaxies that were not
    among these; the last is of four fifths of all labels. `folds` (N,) are those that were left out together.
    """

    correction: Correction | None
    penalty: float | None
    folds: np.ndarray
    held_out: Mapping[int, torch.Tensor]

    @property
    def unseen(self) -> torch.Tensor:
        """The raw outputs (S, N, K) of galaxies that it was not fitted to, from as many labels as there are."""
        return self.held_out[max(self.held_out)]


def choose(head: Head, sample: Sample, seed: int, advance: Callable[[int], None]) -> Choice:
    """Choose the penalty by cross-validation in five folds, drawn by `seed`, then correct by all labels.

    What `held_out` says of a galaxy has not seen its label: neither did the fit, nor the choice of the penalty.
    """
    folds = np.random.default_rng(seed).permutation(np.arange(len(sample.targets)) % FOLDS)
    held_out: dict[int, torch.Tensor] = {}
    for share in SHARES:
        raw = _of_folds(head, sample, folds, share, advance)
        losses = _losses(head, raw, sample.targets, folds)
        held_out[round(share * len(folds) * (1 - 1 / FOLDS))] = _chosen(raw, losses, folds)
    best = int(losses.sum(axis=1).argmin())
    penalties = PENALTIES[:best]
    correction = correct(head, sample, penalties)[-1] if penalties else None
    return Choice(correction, penalties[-1] if penalties else None, folds, held_out)


def _of_folds(
    head: Head, sample: Sample, folds: np.ndarray, share: float, advance: Callable[[int], None]
) -> torch.Tensor:
    """Raw outputs (1 + P, S, N, K): as they are, and of each penalty by fits to a share of the other folds."""
    raw = sample.raw.repeat(1 + len(PENALTIES), 1, 1, 1)
    for fold in range(FOLDS):
        out, others = torch.from_numpy(folds == fold), np.flatnonzero(folds != fold)
        some = torch.from_numpy(others[: max(1, round(share * len(others)))])
        for number, correction in enumerate(correct(head, sample.of(some)), start=1):
            raw[number][:, out] = correction.of(sample.of(out))
        advance(1)
    return raw


def _losses(head: Head, raw: torch.Tensor, targets: torch.Tensor, folds: np.ndarray) -> np.ndarray:
    """The loss of each fold by raw outputs of each penalty, (1 + P, folds)."""
    losses = np.zeros((len(raw), FOLDS))
    for fold in range(FOLDS):
        out = torch.from_numpy(folds == fold)
        known = targets[out].repeat(raw.shape[1], 1)
        for number, outputs in enumerate(raw[:, :, out]):
            losses[number, fold] = float(head.loss(outputs.flatten(0, 1).float(), known)[0])
    return losses


def _chosen(raw: torch.Tensor, losses: np.ndarray, folds: np.ndarray) -> torch.Tensor:
    """The raw outputs (S, N, K) of each fold, by the penalty that is best for the other folds."""
    chosen = torch.empty_like(raw[0])
    for fold in range(FOLDS):
        out = torch.from_numpy(folds == fold)
        best = int(np.delete(losses, fold, axis=1).sum(axis=1).argmin())
        chosen[:, out] = raw[best][:, out]
    return chosen
