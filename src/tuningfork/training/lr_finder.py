"""The learning-rate finder: raise the rate batch by batch and see where the loss falls fastest.

Smith 2017, arXiv:1506.01186, as fastai teaches it. Lightning's finder gives all stages of an encoder one rate and takes
the slope over the rate, where this takes it over its logarithm: what it suggests is 18 to 30 times as low
(docs/experiments.md).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tuningfork.errors import ModelError
from tuningfork.files import write_text
from tuningfork.progress import progress_bar
from tuningfork.training.data import Batch
from tuningfork.training.task import Task, build_optimizer
from tuningfork.training.transfer import release

STEPS = 100
LOWEST, HIGHEST = 1e-6, 10.0
SMOOTHING = 0.9  # of the running mean of the loss
HOPELESS = 4.0  # times the best loss: it has diverged


def find_rate(task: Task, batches: Iterator[Batch], device: torch.device, path: Path) -> float:
    """Test rates from `LOWEST` to `HIGHEST` on a copy of the task's model; write the curve to `path` (CSV: lr, loss).

    The first phase of the recipe is tested: with a frozen encoder, its heads. An earlier call's curve is used again.
    """
    if not path.exists():
        rates, losses = _test(deepcopy(task).to(device), batches, device)
        text = io.StringIO()
        pd.DataFrame({"lr": rates, "loss": losses}).to_csv(text, index=False, float_format="%.6g")
        write_text(path, text.getvalue())
    curve = pd.read_csv(path)
    return steepest(curve["lr"].to_numpy(), curve["loss"].to_numpy())


def steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate at which the loss falls fastest per decade of the rate; (N,) each, one number.

    The first tenth of the test, where the running mean has yet to settle, does not count, nor does the decade below the
    rate of the smallest loss: that near to divergence no run is stable.

    Raises
    ------
    ModelError
        If the loss was not finite almost from the start.
    """
    if len(rates) < STEPS // 10:
        raise ModelError(f"the loss was not finite at rates above {LOWEST:g}: set optim.lr yourself, or optim.clip")
    bound = rates[int(np.argmin(losses))] / 10
    slope = np.gradient(losses, np.log10(rates))
    possible = np.flatnonzero(rates <= bound)[STEPS // 10 :]
    rate = rates[possible[np.argmin(slope[possible])]] if len(possible) else bound
    return float(f"{rate:.2g}")


def _test(task: Task, batches: Iterator[Batch], device: torch.device) -> tuple[list[float], list[float]]:
    """Rates and the smoothed loss at each, until it diverges or the batches end."""
    groups = task.groups
    release(task.model, groups, task.phases[0].released)
    optimizer = build_optimizer(groups, task.recipe.optim.model_copy(update={"lr": LOWEST}), task.recipe.transfer.decay)
    starts = [group["lr"] / LOWEST for group in optimizer.param_groups]
    rates: list[float] = []
    losses: list[float] = []
    running = 0.0
    with progress_bar("learning rate", STEPS) as advance:
        for step in range(STEPS):
            rate = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
            for group, start in zip(optimizer.param_groups, starts, strict=True):
                group["lr"] = rate * start
            batch = next(batches, None)
            if batch is None:
                break
            loss = task.batch_loss(batch.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running = SMOOTHING * running + (1 - SMOOTHING) * float(loss.detach())
            smooth = running / (1 - SMOOTHING ** (step + 1))
            advance(1)
            if not math.isfinite(smooth) or (losses and smooth > HOPELESS * min(losses)):
                break
            rates.append(rate)
            losses.append(smooth)
    return rates, losses
