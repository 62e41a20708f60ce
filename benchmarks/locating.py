"""Train the network that finds galaxies in their frames, and give it to a model.

    tuningfork pack galaxy-zoo-challenge whole --schema gz-challenge --schema five-classes --size 212 --field 1
    python benchmarks/locating.py train whole locator.safetensors       goes on where it was killed
    python benchmarks/locating.py give locator.safetensors MODEL OUT

OUT is MODEL, a single network, which now takes squares that are whole frames and looks for the galaxy in them.

No labels are needed. The frame of each galaxy of `train` is changed in a way that is known: 0.36 to 3.1 times as wide,
the galaxy up to three tenths of it off its middle, or, of two fifths, not at all. What lies beyond the rim is the
frame's mirror image, its rim drawn out, black, or the frame of another galaxy, so that the galaxy itself must tell.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tuningfork.images import Geometry
from tuningfork.models import GalaxyModel, load_uncalibrated, model_folder, read_manifest, save_model
from tuningfork.models.locator import SIDE, Locator
from tuningfork.packs import Pack, open_pack

SEED, EPOCHS, BATCH, RATE = 1, 20, 64, 2e-3
AS_IT_IS, NARROWER, ASIDE = 0.4, (0.32, 2.8), 0.3
FINE = 1.45  # frames that are narrower by as much are cut from the pack's own pixels, the others from half as many
BEYOND_EDGE, BEYOND_BLACK, BEYOND_OTHER = 1, 2, 3  # 0: the mirror image


@dataclass(frozen=True)
class Framed:
    """How much narrower (N,) frames are than the whole ones, and where the galaxy is in them (N,), in their sides."""

    narrower: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor

    def of(self, rows: torch.Tensor) -> Framed:
        """Of some frames."""
        return Framed(self.narrower[rows], self.x[rows], self.y[rows])

    @property
    def narrow(self) -> torch.Tensor:
        """Which frames (N,) are to be cut from finer pixels."""
        return self.narrower >= FINE

    @property
    def matrices(self) -> torch.Tensor:
        """Affine matrices (N, 2, 3) from such a frame to the whole one, both from -1 to 1."""
        zero, scale = torch.zeros_like(self.x), 1 / self.narrower
        across = torch.stack([scale, zero, -2 * self.x * scale], dim=1)
        return torch.stack([across, torch.stack([zero, scale, -2 * self.y * scale], dim=1)], dim=1)

    @property
    def truth(self) -> torch.Tensor:
        """(N, 3), as a `Locator` is to say it."""
        return torch.stack([self.narrower.log(), self.x, self.y], dim=1)


class Draw:
    """Draws for a batch, the same for the same seed."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.generator = n, torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float) -> torch.Tensor:
        """(N,)."""
        return low + (high - low) * torch.rand(self.n, generator=self.generator)

    def whether(self, share: float) -> torch.Tensor:
        """(N,) bool."""
        return torch.rand(self.n, generator=self.generator) < share

    def one_of(self, number: int) -> torch.Tensor:
        """(N,) whole numbers from 0."""
        return torch.randint(number, (self.n,), generator=self.generator)


def frames_of(draw: Draw) -> Framed:
    """Frames as they are, wider or narrower ones, ones in which the galaxy is aside, and both."""
    changed, aside = ~draw.whether(AS_IT_IS), draw.whether(0.5)
    narrower = torch.exp(draw.uniform(math.log(NARROWER[0]), math.log(NARROWER[1])))
    narrower = torch.where(changed & ~(aside & draw.whether(0.3)), narrower, 1.0)
    x, y = (torch.where(changed & aside, draw.uniform(-ASIDE, ASIDE), 0.0) for _ in range(2))
    return Framed(narrower, x, y)


def seen(images: torch.Tensor, framed: Framed) -> torch.Tensor:
    """Frames (N, C, SIDE, SIDE) of whole ones (N, C, H, H), mirrored beyond their rim; the mean of several samples."""
    out = images.new_empty(*images.shape[:2], SIDE, SIDE)
    samples = torch.ceil(images.shape[-1] / SIDE / framed.narrower - 0.5).clamp(min=1).long()
    for number in samples.unique().tolist():
        rows, side = samples == number, SIDE * number
        grid = functional.affine_grid(framed.of(rows).matrices, [int(rows.sum()), 1, side, side], align_corners=False)
        pixels = functional.grid_sample(images[rows], grid, padding_mode="reflection", align_corners=False)
        out[rows] = functional.avg_pool2d(pixels, number)
    return out


def reframe(whole: torch.Tensor, fine: torch.Tensor, framed: Framed, draw: Draw) -> torch.Tensor:
    """Frames (N, C, SIDE, SIDE) of whole ones (N, C, H, H); `fine` shows the narrow ones in twice as many pixels."""
    out = seen(whole, framed)
    if len(fine):
        out[framed.narrow] = seen(fine, framed.of(framed.narrow))
    others = Framed(framed.narrower * draw.uniform(0.8, 1.25), draw.uniform(-0.5, 0.5), draw.uniform(-0.5, 0.5))
    grid = functional.affine_grid(framed.matrices, list(out.shape), align_corners=False)
    inside = (grid.abs() <= 1).all(dim=-1)[:, None].float()
    beyond = torch.where((inside < 1).flatten(1).any(dim=1), draw.one_of(4), 0)
    for kind in (BEYOND_EDGE, BEYOND_BLACK, BEYOND_OTHER):
        rows = beyond == kind
        if not rows.any():
            continue
        within, behind = inside[rows], torch.zeros_like(out[rows])
        if kind == BEYOND_EDGE:
            behind = functional.grid_sample(whole[rows], grid[rows], padding_mode="border", align_corners=False)
        elif kind == BEYOND_OTHER:
            within = functional.avg_pool2d(functional.pad(within, (1, 1, 1, 1), mode="replicate"), 3, 1)
            behind = seen(whole.roll(1, 0)[rows], others.of(rows))
        out[rows] = within * out[rows] + (1 - within) * behind
    return out


def rendered(images: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Images (N, 3, H, H) brighter or fainter, of other contrast, a fifth in one band, some with noise."""

    def each(values: torch.Tensor) -> torch.Tensor:
        return values.view(-1, 1, 1, 1)

    images = images * each(draw.uniform(0.85, 1.15))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * each(draw.uniform(0.85, 1.15)) + mean
    band = images[torch.arange(len(images)), draw.one_of(3)][:, None]
    images = torch.where(each(draw.whether(0.2)), band, images)
    noise = torch.where(draw.whether(0.3), draw.uniform(0, 0.04), 0.0)
    return (images + each(noise) * torch.randn(images.shape, generator=draw.generator)).clamp(0, 1)


def loss(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Nearly absolute errors: frames as they are, of which there are many, are then found to be just that."""
    width = functional.smooth_l1_loss(found[:, 0], truth[:, 0], beta=0.05)
    return width + 3 * functional.smooth_l1_loss(found[:, 1:], truth[:, 1:], beta=0.02)


def halved(pixels: np.ndarray) -> np.ndarray:
    """Pixels (N, H, H, C) uint8, each the mean of two by two."""
    n, side, _, channels = pixels.shape
    out = np.empty((n, side // 2, side // 2, channels), np.uint8)
    for start in range(0, n, BATCH):
        part = pixels[start : start + BATCH].reshape(-1, side // 2, 2, side // 2, 2, channels)
        out[start : start + BATCH] = (part.sum(axis=(2, 4), dtype=np.uint16) + 2) // 4
    return out


def turned(pixels: np.ndarray, turns: int, mirrored: int) -> torch.Tensor:
    """Pixels (N, H, H, C) uint8 as images (N, C, H, H) in 0 to 1, from one of eight sides."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return torch.rot90(images.flip(3) if mirrored else images, turns, (2, 3)).contiguous()


def train(pack: Pack, out: Path) -> None:
    """Train on the images of the split `train`; what is so far is kept after each epoch."""
    pixels = np.asarray(pack.pixels)
    coarse, rows = halved(pixels), pack.rows("train")
    torch.manual_seed(SEED)
    network = Locator(pack.geometry.channels)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.02)
    steps = len(rows) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps, pct_start=0.15)
    parts, first, kept = (network, average, optimizer, schedule), 0, out.with_suffix(".checkpoint")
    if kept.exists():
        first, states = torch.load(kept, weights_only=True)
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
    for epoch in range(first, EPOCHS):
        order, total, started = np.random.default_rng([SEED, epoch]).permutation(rows), 0.0, time.monotonic()
        for step in range(steps):
            chosen, seed = order[step * BATCH : (step + 1) * BATCH], epoch * steps + step
            draw, side = Draw(BATCH, seed), np.random.default_rng([SEED, seed]).integers((4, 2))
            framed = frames_of(draw)
            torch.manual_seed(seed)  # of dropout
            fine = turned(pixels[chosen[framed.narrow.numpy()]], *side)
            images = reframe(turned(coarse[chosen], *side), fine, framed, draw)
            error = loss(network(rendered(images, draw)), framed.truth)
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            total += error.item()
        torch.save((epoch + 1, [part.state_dict() for part in parts]), kept)
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {total / steps:.4f}, {time.monotonic() - started:.0f} s", flush=True)
    weights = {name: each.contiguous() for name, each in average.module.state_dict().items()}
    save_file(weights, out, {"trained_on": json.dumps(pack.manifest["sha256"])})


def give(weights: Path, name: str, out: Path) -> None:
    """Write a model of one network that looks for the galaxy in squares of 212 px that are whole frames."""
    model, manifest = load_uncalibrated(name), read_manifest(name)
    geometry = Geometry(size=212, field=1.0, channels=model.spec.geometry.channels)
    made = GalaxyModel(replace(model.spec, geometry=geometry, located=True), model.encoder)
    made.heads = model.heads
    made.locator.load_state_dict(load_file(weights))
    out.mkdir(parents=True)
    for file in ("recipe.toml", "history.csv"):
        if (model_folder(name) / file).exists():
            (out / file).write_bytes((model_folder(name) / file).read_bytes())
    kept = {key: value for key, value in manifest.items() if key not in (*made.spec.as_dict(), "calibration", "sha256")}
    with safe_open(weights, "pt") as file:
        trained_on = json.loads(file.metadata()["trained_on"])
    save_model(made, out, kept | {"locator": {"sha256": trained_on}})


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train")
    training.add_argument("pack", type=open_pack)
    training.add_argument("out", type=Path)
    giving = verbs.add_parser("give")
    giving.add_argument("weights", type=Path)
    giving.add_argument("model")
    giving.add_argument("out", type=Path)
    asked = parser.parse_args()
    if asked.verb == "train":
        train(asked.pack, asked.out)
    else:
        give(asked.weights, asked.model, asked.out)


if __name__ == "__main__":
    main()
