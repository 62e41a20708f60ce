"""Is a predicted 0.8 right eight times in ten? Reliability curves and the expected calibration error (ECE).

Sources: Guo et al. 2017 (arXiv:1706.04599), the ECE of the most likely class; Kull et al. 2019 (arXiv:1910.12656), the
classwise ECE; Nixon et al. 2019 (arXiv:1904.01685) and Roelofs et al. 2022 (arXiv:2012.08668), bins of equal mass,
which bias the ECE less than bins of equal width and leave none empty where predictions crowd at 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tuningfork.evaluation.bootstrap import Array
from tuningfork.evaluation.metrics import ratio

BINS = 10
GALAXIES_A_BIN = 20  # at least, in a curve that is drawn; fewer would show their noise


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed fractions of one answer in bins of the predicted fraction.

    The bins are laid once on the whole sample, so that resamples are compared in the same bins.

    Parameters
    ----------
    predicted, observed
        (N,) fractions, 0 to 1. For a class: the probability, and whether it was right (0 or 1).
    volume
        (N,) how much each galaxy counts; 0 leaves it out. For vote fractions it is the (relative) number of volunteers
        who were asked, so a bin's observed fraction is that of the pooled votes of its galaxies.
    """

    predicted: Array
    observed: Array
    volume: Array
    n_bins: int = BINS

    @property
    def n(self) -> int:
        """The galaxies that count."""
        return int((self.volume > 0).sum())

    def bins(self) -> NDArray[np.int64]:
        """The bin of each galaxy, (N,): up to `n_bins` bins of equal volume. Equal predictions share a bin."""
        counts = self.volume > 0
        bins = np.zeros(len(self.predicted), dtype=np.int64)
        # By distinct prediction, so that the order of galaxies with the same one makes no difference.
        distinct, place = np.unique(self.predicted[counts], return_inverse=True)
        if len(distinct):
            volume = np.bincount(place, weights=self.volume[counts])
            middle = (np.cumsum(volume) - volume / 2) / volume.sum()
            share = np.minimum((middle * self.n_bins).astype(np.int64), self.n_bins - 1)
            bins[counts] = np.unique(share, return_inverse=True)[1][place]
        return bins

    def sums(self, weights: Array) -> tuple[Array, Array, Array]:
        """Volume, volume times predicted and volume times observed, summed in each bin: three of (B, bins)."""
        counts = np.flatnonzero(self.volume > 0)
        bins = self.bins()[counts]
        shape = (int(bins.max()) + 1 if len(bins) else 1, weights.shape[1])
        volume = self.volume[counts]

        def total(values: Array) -> Array:
            return np.asarray((csr_array((values, (bins, counts)), shape=shape) @ weights.T).T)

        return total(volume), total(volume * self.predicted[counts]), total(volume * self.observed[counts])

    @property
    def drawn(self) -> Reliability:
        """The same in bins for a curve: fewer where few galaxies count, by the effective number of their volumes."""
        effective = self.volume.sum() ** 2 / max((self.volume**2).sum(), 1e-300)
        return replace(self, n_bins=int(np.clip(effective // GALAXIES_A_BIN, 2, self.n_bins)))

    def curve(self, weights: Array) -> tuple[Array, Array]:
        """Mean predicted and mean observed fraction of each bin: two of (B, bins)."""
        volume, predicted, observed = self.sums(weights)
        return ratio(predicted, volume), ratio(observed, volume)

    def ece(self, weights: Array) -> Array:
        """The expected calibration error, (B,): sum over bins of (V_b / V) |mean predicted - mean observed|.

        Noise alone makes it positive, in a resample more so: on small samples an interval may lie above its value.
        """
        volume, predicted, observed = self.sums(weights)
        return ratio(np.abs(predicted - observed).sum(axis=1), volume.sum(axis=1))

    def galaxies(self) -> NDArray[np.int64]:
        """The number of galaxies in each bin, (bins,)."""
        return np.bincount(self.bins()[self.volume > 0], minlength=1).astype(np.int64)


def top_label(truth: NDArray[np.int64], probabilities: Array) -> Reliability:
    """The reliability of the most likely class: its probability against whether it was right (Guo et al. 2017)."""
    chosen = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(chosen)), chosen]
    return Reliability(confidence, (chosen == truth).astype(np.float64), np.ones(len(truth)))


def vote_reliability(predicted: Array, observed: Array, asked: Array) -> tuple[Reliability, ...]:
    """The reliability of each answer of one question.

    Parameters
    ----------
    predicted, observed
        (N, A) fractions of those who were asked (each row sums to 1); NaN where unknown or nobody was asked.
    asked
        (N,) volunteers who were asked: votes, or the fraction of all volunteers.
    """
    known = np.isfinite(predicted).all(axis=1) & np.isfinite(observed).all(axis=1) & (asked > 0)
    volume = np.where(known, asked, 0.0)
    return tuple(Reliability(p, o, volume) for p, o in zip(predicted.T, observed.T, strict=True))


def vote_ece(answers: tuple[Reliability, ...], weights: Array) -> Array:
    """The ECE of a question whose labels are vote fractions, (B,).

    With p and y the predicted and observed fractions of answer a among the volunteers who were asked, v the (relative)
    number of those volunteers, and b the bins of equal volume in p:

        ECE = 1/A sum_a sum_b (V_b / V) |sum_b v p / V_b - sum_b v y / V_b|,   V_b = sum of v in b,   V = sum of v

    It is the classwise ECE (Kull et al. 2019) of single votes, where each volunteer's vote is one event: the votes of a
    bin are pooled, so a galaxy that few were asked about counts little.
    """
    errors: Array = np.mean([answer.ece(weights) for answer in answers], axis=0)
    return errors
