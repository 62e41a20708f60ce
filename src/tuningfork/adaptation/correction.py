"""Correcting the last layer of a head by a few labels: no more than they bear out.

The raw outputs r of the head, made of the inputs a of its last layer, become

    r' = exp(s) r + b + V (a - m) / d,

with one number s (a temperature), a shift b of each output (which is what other shares of classes ask for: Saerens,
Latinne & Decaestecker 2002, Neural Computation 14, 21) and weights V, where m and d are the mean of the inputs and
their scatter. All of it is again such a layer. The loss of the head, summed over what a galaxy is asked and averaged
over galaxies, is least with a penalty p (|V|^2 + (s^2 + |b|^2) / 100) added: the greater p, the nearer the head stays
to what it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from tuningfork.models.heads import Head

PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
EASIER = 100  # how much less a shift and the temperature are penalised than weights
ENOUGH = 20_000  # galaxies times views that a correction is fitted to: of more, some views are left out
STEPS = 10  # of the minimiser, for each penalty


@dataclass(frozen=True)
class Sample:
    """What a head makes of N galaxies, and what is known of them.

    `inputs` (S, N, H) are those of its last layer, from S views; `raw` (S, N, K) is what it makes of them, at the
    model's temperature; `targets` (N, T) are as the head's loss wants them. All but these are of double precision.
    """

    inputs: torch.Tensor
    raw: torch.Tensor
    targets: torch.Tensor

    @property
    def thinned(self) -> Sample:
        """The same from fewer views, where these are more than it takes to fit a correction."""
        step = min(len(self.raw), -(-len(self.raw) * len(self.targets) // ENOUGH)) or 1
        return Sample(self.inputs[::step], self.raw[::step], self.targets)

    def of(self, rows: torch.Tensor) -> Sample:
        """The same of some galaxies."""
        return Sample(self.inputs[:, rows], self.raw[:, rows], self.targets[rows])


@dataclass(frozen=True)
class Correction:
    """What becomes of raw outputs: `growth` is exp(s), `shift` (K,), `weights` (H, K) of inputs (a - m) / d."""

    growth: float
    shift: torch.Tensor
    weights: torch.Tensor
    middle: torch.Tensor
    scatter: float

    def of(self, sample: Sample) -> torch.Tensor:
        """The corrected raw outputs (S, N, K)."""
        return sample.raw * self.growth + self.shift + ((sample.inputs - self.middle) / self.scatter) @ self.weights

    def into(self, layer: torch.nn.Linear, temperature: float) -> None:
        """Change a layer so that it makes the corrected outputs, which need no `temperature` any more."""
        with torch.no_grad():
            kept = self.growth / temperature
            added = (self.weights / self.scatter).T
            bias = kept * layer.bias.double() + self.shift - added @ self.middle
            layer.weight.copy_(kept * layer.weight.double() + added)
            layer.bias.copy_(bias)


def correct(head: Head, sample: Sample, penalties: Sequence[float] = PENALTIES) -> list[Correction]:
    """The correction of least loss for each penalty, from the greatest on, each begun where the last one ended."""
    sample = sample.thinned
    count, width = sample.raw.shape[2], sample.inputs.shape[2]
    middle = sample.inputs.mean(dim=(0, 1))
    scatter = max(float((sample.inputs - middle).square().mean().sqrt()), 1e-12)
    seen = (sample.inputs - middle) / scatter
    growth, shift, weights = (torch.zeros(shape, dtype=torch.float64) for shape in ((), (count,), (width, count)))
    free = [part.requires_grad_() for part in (growth, shift, weights)]
    targets = sample.targets.repeat(len(sample.raw), 1)

    def loss(penalty: float) -> torch.Tensor:
        raw = sample.raw * growth.exp() + shift + seen @ weights
        total, _ = head.loss(raw.flatten(0, 1).float(), targets)
        held = weights.square().sum() + (growth.square() + shift.square().sum()) / EASIER
        return total / len(targets) + penalty * held

    found = []
    for penalty in penalties:
        _minimise(partial(loss, penalty), free)
        plain = [part.detach().clone() for part in free]
        found.append(Correction(math.exp(float(plain[0])), plain[1], plain[2], middle, scatter))
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread: sums as small as these are quicker so."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _minimise(loss: Callable[[], torch.Tensor], free: list[torch.Tensor]) -> None:
    solver = torch.optim.LBFGS(free, max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        solver.zero_grad()
        value = loss()
        value.backward()
        return value

    solver.step(step)
