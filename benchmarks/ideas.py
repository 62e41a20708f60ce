"""Ideas put to a short test: a small network, six epochs, one seed, judged on the validation split alone.

    python benchmarks/ideas.py PACK OUT                # PACK as docs/experiments.md says; folders of OUT are kept

Each run is `tuningfork train tuningfork/fractions` with what is said in `IDEAS` set, but for two that the command has
no words for: mixup, and an encoder that has first seen every training image without its labels. RMSE over the complete
galaxies of `val` and over those of the challenge's true mix, and there the paired difference from the run that the
idea is held against, with its 95 % interval (500 resamples of galaxies; another seed would move it, too).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import table
from torch import nn
from torch.nn import functional

from tuningfork.models import GalaxyModel, load_model, save_model
from tuningfork.models.heads import Head
from tuningfork.packs import Pack, open_pack
from tuningfork.progress import progress_bar
from tuningfork.schemas import load_schema
from tuningfork.training import Augmentation, augment, load_recipe, train
from tuningfork.training.data import Batch
from tuningfork.training.preparation import build_model, prepare
from tuningfork.training.task import Sums, Task

SHORT = [
    "encoder.name=equivariant",
    "encoder.options={width=4}",
    "optim.epochs=6",
    "run.ema=0.99",
    "input.size=48",
    "run.keep=last",  # the best of more epochs would be the luckier
]
PLAIN = "mean squares, as it is"
RESNET = "ResNet-18"
FEW = "1,000 galaxies, from scratch"
UNLABELLED = "unlabelled"
HALF = "half-size"
MIXUP = "mixup"
RESIDUAL = ["encoder.name=resnet18", "encoder.options={}"]
LITTLE = ["run.galaxies=1000", "optim.epochs=24"]
# What is set for each idea, and the run it is held against.
IDEAS: dict[str, tuple[list[str], str]] = {
    PLAIN: ([], PLAIN),
    "cross-entropy": (["head.0.loss=cross-entropy"], PLAIN),
    "free sigmoids": (["head.0.kind=sigmoid"], PLAIN),
    "only rows with all 37 answers": (
        ['head.0.where=["block=complete_low|complete_high"]', "optim.epochs=9"],
        PLAIN,
    ),
    "shear of 10 degrees": (["augmentation.shear=10"], PLAIN),
    HALF: (["input.size=32", "optim.epochs=4"], PLAIN),
    "progressive: 4 epochs more at full size": (
        ["optim.epochs=4", f"encoder.start={{out}}/{HALF}", "transfer.heads=true"],
        PLAIN,
    ),
    MIXUP: ([], PLAIN),
    "encoder pretrained without labels": ([f"encoder.start={{out}}/{UNLABELLED}"], PLAIN),
    FEW: (LITTLE, FEW),
    "1,000 galaxies, encoder pretrained without labels": ([f"encoder.start={{out}}/{UNLABELLED}", *LITTLE], FEW),
    RESNET: (RESIDUAL, RESNET),
    "ResNet-18, stochastic depth 0.1": ([*RESIDUAL, "encoder.options={drop_path_rate=0.1}"], RESNET),
}


def main() -> None:
    """Train what is not trained yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    pack, errors, rows = open_pack(options.pack), {}, []
    for name, (changes, against) in IDEAS.items():
        if any(UNLABELLED in change for change in changes):
            pretrain(pack, options.out / UNLABELLED)
        placed = [text.replace("{out}", str(options.out)) for text in changes]
        recipe = load_recipe("tuningfork/fractions", [*SHORT, *placed])
        with mixing() if name == MIXUP else unchanged():
            folder = train(recipe, options.pack, options.out / name.replace(" ", "-"))
        errors[name] = squares(folder, pack)
        rows.append(figures(name, errors[name], errors[against]))
        print(*rows[-1], sep=", ", flush=True)
    table(["run", "RMSE, all", "RMSE, true mix", "difference there"], rows)


def squares(folder: Path, pack: Pack) -> tuple[np.ndarray, np.ndarray]:
    """Of the complete galaxies of `val`: the mean squared error of each, (N,), and which are of the true mix."""
    model, columns = load_model(folder), list(load_schema("gz-challenge").columns)
    rows = pack.rows("val")
    labels = pack.catalog.iloc[rows]
    truth = labels[columns].to_numpy(dtype=float)
    known = ~np.isnan(truth).any(axis=1)
    parts = np.array_split(rows[known], -(-int(known.sum()) // 128))
    answers = torch.cat([model.predict(torch.from_numpy(pack.pixels[part]))["gz-challenge"] for part in parts])
    mix = (labels["block"] == "complete_high").to_numpy()[known]
    return ((answers.numpy() - truth[known]) ** 2).mean(axis=1), mix


def figures(name: str, found: tuple[np.ndarray, np.ndarray], against: tuple[np.ndarray, np.ndarray]) -> list[str]:
    """A row of the table."""
    (errors, mix), (others, _) = found, against
    random = np.random.default_rng(0)
    drawn = random.choice(np.flatnonzero(mix), (500, int(mix.sum())))
    apart = np.sqrt(errors[drawn].mean(axis=1)) - np.sqrt(others[drawn].mean(axis=1))
    low, high = np.quantile(apart, [0.025, 0.975])
    difference = f"{apart.mean():+.4f} ({low:+.4f} to {high:+.4f})" if found is not against else ""
    return [name, f"{np.sqrt(errors.mean()):.4f}", f"{np.sqrt(errors[mix].mean()):.4f}", difference]


@contextmanager
def unchanged() -> Iterator[None]:
    """Training as the command does it."""
    yield


@dataclass(frozen=True)
class Seen:
    """A model that has looked already."""

    model: GalaxyModel
    raw: dict[str, torch.Tensor]

    def __call__(self, _: torch.Tensor) -> dict[str, torch.Tensor]:
        """What it saw."""
        return self.raw

    def head(self, schema: str) -> Head:
        """Its head."""
        return self.model.head(schema)


@contextmanager
def mixing() -> Iterator[None]:
    """Training on blends of two galaxies and of their labels (Zhang et al. 2018, arXiv:1710.09412; alpha 0.2)."""
    plain: Callable[..., Any] = Task._losses

    def losses(task: Task, model: GalaxyModel, images: torch.Tensor, batch: Batch, sums: Sums) -> Any:
        if not model.training:
            return plain(task, model, images, batch, sums)
        share = float(np.random.default_rng(batch.seed).beta(0.2, 0.2))
        order = torch.randperm(len(images))
        seen = Seen(model, model(share * images + (1 - share) * images[order]))
        others = replace(batch, targets={name: value[order] for name, value in batch.targets.items()})
        # The losses are blended, not the labels: one of the two may lack some.
        pairs = zip(plain(task, seen, images, batch, sums), plain(task, seen, images, others, sums), strict=True)
        return tuple([share * a + (1 - share) * b for a, b in zip(*pair, strict=True)] for pair in pairs)

    Task._losses = losses
    try:
        yield
    finally:
        Task._losses = plain


def pretrain(pack: Pack, out: Path, epochs: int = 6, batch: int = 256, temperature: float = 0.2) -> None:
    """An encoder that has learnt to tell galaxies apart at any angle, size and brightness, from images alone.

    SimCLR (Chen et al. 2020, arXiv:2002.05709) on every image of the train split: two augmentations of a galaxy are to
    be nearer to each other than to those of other galaxies.
    """
    if (out / "model.json").exists():
        return
    recipe = load_recipe("tuningfork/fractions", SHORT)
    model = build_model(recipe, prepare(recipe, pack)).train()
    width = model.n_features
    projector = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 64))
    changes = Augmentation(
        rotation=180, zoom=(0.7, 1.4), shift=0.08, flip=True, brightness=0.3, contrast=0.3, saturation=0.3
    )
    rows, random = pack.rows("train"), np.random.default_rng(1)
    steps = len(rows) // batch
    learnt = [*model.encoder.parameters(), *projector.parameters()]
    optimizer = torch.optim.AdamW(learnt, lr=2e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * steps)
    with progress_bar("pretrain", epochs * steps) as advance:
        for step in range(epochs * steps):
            if step % steps == 0:
                order = random.permutation(rows)
            pixels = torch.from_numpy(pack.pixels[np.sort(order[step % steps * batch :][:batch])])
            loss = contrast(model, projector, pixels, changes, 2 * step, temperature)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            advance(1)
    print(f"pretrained: contrastive loss {loss.item():.3f}", flush=True)
    save_model(model.eval(), out, {"recipe": recipe.model_dump(mode="json", by_alias=True)})


def contrast(
    model: nn.Module, projector: nn.Module, pixels: torch.Tensor, changes: Augmentation, seed: int, temperature: float
) -> torch.Tensor:
    """The normalised, temperature-scaled cross-entropy of a batch seen twice."""
    n, spec = len(pixels), model.spec
    sides = [augment(pixels, spec.view, spec.geometry, changes, seed + side) for side in (0, 1)]
    with torch.autocast("cpu", torch.bfloat16):
        seen = projector(model.features(torch.cat(sides)))
    seen = functional.normalize(seen.float(), dim=1)
    similarity = (seen @ seen.T / temperature).fill_diagonal_(-torch.inf)
    return functional.cross_entropy(similarity, torch.arange(2 * n).roll(n))


if __name__ == "__main__":
    main()
