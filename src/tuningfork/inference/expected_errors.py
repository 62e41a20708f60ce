"""How wrong a model is likely to be, learned from labelled galaxies as they are and disturbed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from tuningfork.engines import use_torch
from tuningfork.models import Model
from tuningfork.packs import Pack
from tuningfork.progress import progress_bar
from tuningfork.uncertainty import FEWEST, ExpectedError, Uncertainty, disturb, fit_expected
from tuningfork.uncertainty.expected import LEAST

BATCH = 128
ENOUGH = 2500  # disturbed images, or nearly so many
MOST = 8  # of one galaxy


@dataclass(frozen=True)
class Truth:
    """What is known of N galaxies' answers to a tree: `fractions` (N, K), NaN where they are not known.

    Where the network was fitted to them, `unseen` is its mean squared error on such galaxies that it was not fitted to.
    """

    fractions: np.ndarray
    unseen: float | None = None


def expected_errors(
    network: Model, pack: Pack, rows: np.ndarray, truth: Mapping[str, Truth], uncertainty: Uncertainty
) -> dict[str, ExpectedError]:
    """The error to be expected of the answers of a network, by schema.

    Parameters
    ----------
    network, uncertainty
        A network, and what has been fitted of it.
    pack, rows
        Galaxies that the encoder was not trained on: rows (N,) of a pack.
    truth
        By schema name, of trees.
    """
    known = {name: np.isfinite(each.fractions).any(axis=1) for name, each in truth.items()}
    enough = [name for name, labelled in known.items() if labelled.sum() >= FEWEST]
    if not enough:
        return {}
    chosen = np.flatnonzero(np.any([known[name] for name in enough], axis=0))
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), ENOUGH)).astype(int)]
    draws = min(-(-ENOUGH // len(chosen)), MOST)
    traits: dict[str, list[np.ndarray]] = {name: [] for name in enough}
    squared: dict[str, list[np.ndarray]] = {name: [] for name in enough}
    device = use_torch(network)
    with progress_bar("expected errors", (1 + draws) * len(chosen)) as advance:
        for draw in range(1 + draws):
            for part in np.array_split(chosen, -(-len(chosen) // BATCH)):
                pixels = np.stack([_disturbed(pack.pixels[row], draw, int(row)) for row in rows[part]])
                found = network.infer(torch.from_numpy(pixels).to(device), uncertainty.views)
                seen = uncertainty.look(found.features.cpu().numpy(), pixels)
                for name in enough:
                    answers = found.answers[name].cpu().numpy().astype(np.float64)
                    spread = found.spread[name].cpu().numpy().astype(np.float64) if name in found.spread else None
                    ends = uncertainty.intervals[name].of(answers, network.head(name).schema.limits)
                    traits[name].append(uncertainty.traits(seen, answers, spread, ends))
                    squared[name].append(_mean_square(answers - truth[name].fractions[part]))
                advance(len(part))
    network.to("cpu")
    for member in network.members:
        member.engine = None  # it stays on its device
    return {
        name: _fitted(
            np.concatenate(traits[name]), np.stack(np.split(np.concatenate(squared[name]), 1 + draws)), truth[name]
        )
        for name in enough
    }


def _disturbed(image: np.ndarray, draw: int, row: int) -> np.ndarray:
    """An image as it is, or from the first draw on disturbed."""
    return image if draw == 0 else disturb(image, np.random.default_rng([draw, row]))


def _mean_square(errors: np.ndarray) -> np.ndarray:
    """Over what is known of errors (N, K); NaN where nothing is."""
    n = np.isfinite(errors).sum(axis=1)
    return np.where(n > 0, np.nansum(errors**2, axis=1) / np.maximum(n, 1), np.nan)


def _fitted(traits: np.ndarray, squared: np.ndarray, truth: Truth) -> ExpectedError:
    """From squared errors (D, N) of N galaxies in D forms, the first as they are, and the traits (D N, T) of each."""
    known = np.isfinite(squared)
    found = fit_expected(traits[known.ravel()], squared[known], int(known[0].sum()))
    if truth.unseen is None:
        return found
    return found.times(max(truth.unseen, LEAST) / max(float(np.nanmean(squared[0])), LEAST))
