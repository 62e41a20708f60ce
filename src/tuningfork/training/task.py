"""The Lightning task: one training step, one validation step, the optimiser and its schedule."""

from __future__ import annotations

import csv
import io
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tuningfork.errors import ModelError
from tuningfork.files import write_text
from tuningfork.models import GalaxyModel, crop
from tuningfork.training.additions import NONE
from tuningfork.training.augmentation import augment
from tuningfork.training.data import Batch
from tuningfork.training.devices import SharedBatchNorm, device_count, sum_over_devices
from tuningfork.training.tables import OptimTable, Recipe
from tuningfork.training.transfer import Phase, layer_groups, phases, release

log = logging.getLogger(__name__)

Sums = dict[str, torch.Tensor]
Losses = list[torch.Tensor]


class Task(L.LightningModule):
    """Trains a `GalaxyModel` as a recipe says and keeps the history of its epochs.

    `keep` is called after each of the epochs whose model the recipe wants kept.
    """

    def __init__(self, model: GalaxyModel, recipe: Recipe, history_path: Path, keep: Callable[[Task], None]) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.phases = phases(recipe.transfer, recipe.optim.epochs, len(self.groups) - 1)
        ema = recipe.run.ema
        self.average = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema), use_buffers=True) if ema is not None else None
        )
        if self.average is not None:
            self.average.requires_grad_(False)
        self.history_path = history_path
        self.keep = keep
        self.additions = NONE
        self.history: list[dict[str, float]] = []
        self._figures: dict[str, float] = {}
        self._train: Sums = {}
        self._val: Sums = {}
        self._steps_averaged = 0
        self._rate = 0.0
        self._started = time.monotonic()

    @property
    def judged(self) -> GalaxyModel:
        """The model that is validated and kept: the average of the weights where the recipe asks for one."""
        return self.model if self.average is None else self.average.module  # type: ignore[return-value]

    @property
    def groups(self) -> list[list[torch.nn.Parameter]]:
        """The parameters by depth, from the heads down."""
        return layer_groups(self.model)

    def _losses(self, model: GalaxyModel, images: torch.Tensor, batch: Batch, sums: Sums) -> tuple[Losses, Losses]:
        """The summed loss of each head, times its weight, and the number of labels it was summed over."""
        losses, counts = [], []
        for name, raw in model(images).items():
            head, targets = model.head(name), batch.targets[name]
            loss, count = head.loss(raw, targets)
            _add(sums, f"{name}_loss", loss, count)
            _add(sums, f"{name}_metric", *head.score(raw.detach(), targets))
            losses.append(head.spec.weight * loss)
            counts.append(count)
        return losses, counts

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """The loss of one augmented batch, counted towards the epoch's figures."""
        return self._of_batch(batch, self._train)

    def batch_loss(self, batch: Batch) -> torch.Tensor:
        """The loss of one augmented batch, counted nowhere."""
        return self._of_batch(batch, self._zeros())

    def _of_batch(self, batch: Batch, sums: Sums) -> torch.Tensor:
        """Of each head the mean over its labels on all devices; dropout is seeded too, so a resumed run repeats it."""
        torch.manual_seed(batch.seed + batch.first)
        spec, table = self.model.spec, self.recipe.augmentation
        images = augment(
            batch.pixels, spec.view, spec.geometry, table, batch.seed, first=batch.first, whole=batch.whole
        )
        images = self.additions.augmented(images)
        devices = device_count()
        with SharedBatchNorm() if devices > 1 else nullcontext():
            losses, counts = self._losses(self.model, images, batch, sums)
        labels = sum_over_devices(torch.stack(counts))
        labels = torch.where(labels > 0, labels, torch.ones_like(labels))
        # Gradients are averaged over devices; times their number that is the sum.
        return devices * (torch.stack(losses) / labels).sum()

    def on_train_batch_start(self, *_: Any) -> None:
        """Note the rate of the heads; after the step the schedule has moved on."""
        self._rate = self.trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(self, *_: Any) -> None:
        """Take the weights into their average after each optimiser step."""
        if self.average is not None and self.global_step > self._steps_averaged:
            self.average.update_parameters(self.model)
            self._steps_averaged = self.global_step

    def validation_step(self, batch: Batch, _: int) -> None:
        """Sum losses and scores of one batch, without augmentation."""
        images = crop(batch.pixels, self.model.spec.view, self.model.spec.geometry)
        self._losses(self.judged, images, batch, self._val)

    def on_train_epoch_start(self) -> None:
        """Start the sums of an epoch, and release what learns from it on."""
        self._train, self._started = self._zeros(), time.monotonic()
        now = next(phase for phase in self.phases if self.current_epoch < phase.end)
        release(self.model, self.groups, now.released)

    def on_validation_epoch_start(self) -> None:
        """Start the sums of a validation."""
        self._val = self._zeros()
        if self.average is not None:
            self.average.eval()

    def _zeros(self) -> Sums:
        """A sum and a number for each figure of each head: a device that sees no galaxy still has its part to add."""
        names = [f"{name}_{kind}" for name in self.model.heads for kind in ("loss", "metric")]
        return {name: torch.zeros(2, dtype=_precise(self.device), device=self.device) for name in names}

    def on_validation_epoch_end(self) -> None:
        """Log the figures of the whole validation split."""
        if not self.trainer.sanity_checking:
            self._figures = self._finish(self._val, "val")
            self.log_dict(self._figures)  # the same on every device: sums were taken over all of them

    def on_train_epoch_end(self) -> None:
        """Add a row to the history.

        Raises
        ------
        ModelError
            If the loss is no longer finite.
        """
        row = {"epoch": self.current_epoch + 1, **self._finish(self._train, "train"), **self._figures}
        row["lr"] = self._rate
        row["seconds"] = time.monotonic() - self._started
        self.log_dict({name: value for name, value in row.items() if name.startswith("train")})
        self.history.append(row)
        if self.trainer.is_global_zero:
            write_history(self.history, self.history_path)
            log.info("%s", _line(row, self.recipe))
        if not math.isfinite(row["train_loss"] + row["val_loss"]):
            raise ModelError(
                f"training has diverged in epoch {self.current_epoch + 1}: the loss is not finite; "
                "start again in another folder with a lower optim.lr, or set optim.clip"
            )
        every = self.recipe.run.save_every
        if every is not None and row["epoch"] % every == 0 and self.trainer.is_global_zero:
            self.keep(self)

    def _finish(self, sums: Sums, split: str) -> dict[str, float]:
        """Means over a whole split and all devices, from sums and numbers."""
        figures: dict[str, float] = {}
        total = 0.0
        for name, pair in sums.items():
            value, count = (float(x) for x in self.trainer.strategy.reduce(pair, reduce_op="sum"))
            schema, _, kind = name.rpartition("_")
            head = self.model.head(schema)
            if kind == "loss":
                figures[f"{split}_{name}"] = value / count if count else math.nan
                total += head.spec.weight * value / (count or 1)
            else:
                figures[f"{split}_{schema}_{head.metric}"] = head.finish(value, count)
        return {f"{split}_loss": total, **figures}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the history with the weights, so that a resumed run has the whole of it."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history back."""
        self.history = checkpoint["history"]
        self._steps_averaged = checkpoint["global_step"]

    def configure_optimizers(self) -> Any:
        """The optimiser and a schedule that moves every step."""
        table, transfer = self.recipe.optim, self.recipe.transfer
        # Lightning clips no fused optimiser in mixed precision, and of float16 torch scales its gradients otherwise.
        plain = table.clip is not None or self.recipe.run.precision == "16" or self.device.type not in ("cpu", "cuda")
        optimizer = build_optimizer(self.groups, table, transfer.decay, fused=not plain)
        steps = int(self.trainer.estimated_stepping_batches) // self.recipe.optim.epochs
        schedule = build_schedule(optimizer, self.recipe.optim, self.phases, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _line(row: dict[str, float], recipe: Recipe) -> str:
    """An epoch in one line: the losses, and the figure that the run is judged by."""
    losses = f"loss {row['train_loss']:.4f} (train), {row['val_loss']:.4f} (val)"
    judged = recipe.run.monitor
    more = f", {judged} {row[judged]:.4f}" if judged != "val_loss" and judged in row else ""
    return f"epoch {row['epoch']:.0f}/{recipe.optim.epochs}: {losses}{more}, {row['seconds']:.0f} s"


def _add(sums: Sums, name: str, value: torch.Tensor, count: torch.Tensor) -> None:
    sums[name] += torch.stack([value.detach(), count.detach()]).to(sums[name].dtype)


def _precise(device: torch.device) -> torch.dtype:
    """Sums over a whole split want double precision, which Apple's devices don't have."""
    return torch.float32 if device.type == "mps" else torch.float64


def write_history(history: list[dict[str, float]], path: Path) -> None:
    """Write one row an epoch as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    write_text(path, text.getvalue())


def build_optimizer(
    groups: Sequence[Sequence[torch.nn.Parameter]], table: OptimTable, decay: float = 1.0, *, fused: bool = False
) -> torch.optim.Optimizer:
    """The optimiser of a recipe for parameters by depth. Weight decay leaves biases and normalisation alone.

    Each group of the optimiser knows its `depth` (0: the heads); its rate is `lr` times `decay` to that power. `fused`:
    all in one pass over the weights, where the optimiser has such a kernel.
    """
    tables: list[dict[str, Any]] = []
    for depth, group in enumerate(groups):
        rate = table.lr * decay**depth
        weights, rest = [p for p in group if p.ndim > 1], [p for p in group if p.ndim <= 1]
        for parameters, weight_decay in ((weights, table.weight_decay), (rest, 0.0)):
            if parameters:
                tables.append({"params": parameters, "weight_decay": weight_decay, "lr": rate, "depth": depth})
    if table.name == "adamax":
        return torch.optim.Adamax(tables)
    if table.name == "sgd":
        return torch.optim.SGD(tables, momentum=table.momentum, fused=fused)
    kinds: dict[str, type[torch.optim.Adam]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    return kinds[table.name](tables, fused=fused)


def build_schedule(
    optimizer: torch.optim.Optimizer, table: OptimTable, run: Sequence[Phase], steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate at each step, as a fraction of `lr`; `steps` make an epoch.

    It runs anew in each phase of `run`; a group has no rate until its stage is released.
    """

    def factor_at(depth: int) -> Callable[[int], float]:
        def factor(step: int) -> float:
            phase = next((phase for phase in run if step < phase.end * steps), run[-1])
            if depth > phase.released:
                return 0.0
            return _factor(table, step - phase.start * steps, (phase.end - phase.start) * steps)

        return factor

    factors = [factor_at(group["depth"]) for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factors)


def _factor(table: OptimTable, step: int, steps: int) -> float:
    """The fraction of the rate at `step` of `steps`.

    One-cycle is Smith & Topin's (arXiv:1708.07120), the rate alone: up from 1/25 along a cosine, down to 1/25,000.
    """
    rise = max(1, round(table.warmup * steps))
    if table.schedule == "one-cycle":
        if step < rise:
            return _cosine(1 / 25, 1.0, step / rise)
        return _cosine(1.0, 1 / 25_000, (step - rise) / max(1, steps - rise))
    warming = min(1.0, (step + 1) / rise) if table.warmup else 1.0
    if table.schedule == "constant" or warming < 1:
        return warming
    start = rise if table.warmup else 0
    return _cosine(1.0, 0.0, (step - start) / max(1, steps - start))


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
