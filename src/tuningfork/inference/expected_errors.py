"""How wrong a model is likely to be, learned from labelled galaxies as they are and disturbed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from tuningfork.engines import leave_device, use_torch
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

    Where the network was fitted to them, `unseen` (N, K) are the answers of a network that was not.
    """

    fractions: np.ndarray
    unseen: np.ndarray | None = None


@dataclass
class _Gathered:
    """Of the galaxies of one tree: traits (n, T) and squared errors (n,) of each batch of images."""

    traits: list[np.ndarray] = field(default_factory=list)
    squared: list[np.ndarray] = field(default_factory=list)


def expected_errors(
    network: Model, pack: Pack, rows: np.ndarray, truth: Mapping[str, Truth], uncertainty: Uncertainty
) -> dict[str, ExpectedError]:
    """The expected RMSE of the answers of a network, of each tree that has enough labels.

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
    enough = {name: labelled for name, labelled in known.items() if labelled.sum() >= FEWEST}
    if not enough:
        return {}
    chosen = spread_evenly(list(enough.values()), ENOUGH)
    draws = min(-(-ENOUGH // len(chosen)), MOST)
    gathered = {name: _Gathered() for name in enough}
    device = use_torch(network)
    with progress_bar("expected RMSE", (1 + draws) * len(chosen)) as advance:
        for draw in range(1 + draws):
            for part in np.array_split(chosen, -(-len(chosen) // BATCH)):
                pixels = np.stack([_disturbed(pack.pixels[row], draw, int(row)) for row in rows[part]])
                images = torch.from_numpy(pixels).to(device)
                found = network.infer(images, uncertainty.views)
                seen = uncertainty.measurements(found.features.cpu().numpy(), network.seen(images, found.places))
                for name, each in gathered.items():
                    answers = found.answers[name].cpu().numpy().astype(np.float64)
                    spread = found.spread[name].cpu().numpy().astype(np.float64) if name in found.spread else None
                    ends = uncertainty.intervals[name].of(answers, network.head(name).schema.limits)
                    each.traits.append(uncertainty.traits(seen, answers, spread, ends))
                    each.squared.append(_mean_square(answers - truth[name].fractions[part]))
                advance(len(part))
    leave_device(network)
    return {name: _fitted(each, truth[name], chosen) for name, each in gathered.items()}


def spread_evenly(labelled: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Places of galaxies with a label, about `most` of them: as many of each kind of label, (N,) bool each, or all."""
    share = max(most // len(labelled), FEWEST)
    places = [np.flatnonzero(each) for each in labelled]
    return np.unique(
        np.concatenate([each[np.linspace(0, len(each) - 1, min(len(each), share)).astype(int)] for each in places])
    )


def _disturbed(image: np.ndarray, draw: int, row: int) -> np.ndarray:
    """An image as it is, or from the first draw on disturbed."""
    return image if draw == 0 else disturb(image, np.random.default_rng([draw, row]))


def _mean_square(errors: np.ndarray) -> np.ndarray:
    """Over what is known of errors (N, K); NaN where nothing is."""
    n = np.isfinite(errors).sum(axis=1)
    return np.where(n > 0, np.nansum(errors**2, axis=1) / np.maximum(n, 1), np.nan)


def _fitted(gathered: _Gathered, truth: Truth, chosen: np.ndarray) -> ExpectedError:
    """From all batches, the first of which are of the `chosen` galaxies as they are."""
    traits, squared = np.concatenate(gathered.traits), np.concatenate(gathered.squared)
    known, own = np.isfinite(squared), squared[: len(chosen)]
    found = fit_expected(traits[known], squared[known], int(np.isfinite(own).sum()))
    if truth.unseen is None:
        return found
    unseen = _mean_square(truth.unseen[chosen] - truth.fractions[chosen])
    return found.times(max(float(np.nanmean(unseen)), LEAST) / max(float(np.nanmean(own)), LEAST))
