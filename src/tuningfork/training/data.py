"""Batches of a pack: uint8 pixels straight from the memory map, labels as each head wants them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from tuningfork.packs import Pack


@dataclass(frozen=True)
class Batch:
    """One batch: pixels (N, H, W, C) uint8, targets of each schema (N, T) float32, and its place in the run."""

    pixels: torch.Tensor
    targets: dict[str, torch.Tensor]
    seed: int

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        targets = {name: value.to(device, non_blocking=True) for name, value in self.targets.items()}
        return Batch(self.pixels.to(device, non_blocking=True), targets, self.seed)


class PackBatches(Dataset[Batch]):
    """Whole batches of a pack by (seed, row numbers); the sampler below decides which."""

    def __init__(self, pack: Pack, targets: dict[str, np.ndarray]) -> None:
        self.pixels = pack.pixels
        self.targets = targets

    def __getitem__(self, index: tuple[int, np.ndarray]) -> Batch:
        seed, rows = index
        pixels = torch.from_numpy(self.pixels[rows])
        return Batch(pixels, {name: torch.from_numpy(values[rows]) for name, values in self.targets.items()}, seed)


class BatchRows(Sampler[tuple[int, np.ndarray]]):
    """The rows of each batch of an epoch.

    The order depends on the seed and the epoch alone, not on what ran before: a resumed run sees what an unbroken one
    would have seen. With several devices, each takes every n-th batch. Where a row's share, (N,), is below 1, an epoch
    takes that part of the rows with this share, drawn anew.
    """

    def __init__(
        self,
        rows: np.ndarray,
        batch_size: int,
        *,
        shares: np.ndarray | None = None,
        seed: int = 0,
        shuffle: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.rank, self.world = rank, world
        self.epoch = 0
        shares = np.ones(len(rows)) if shares is None else shares
        self._groups = [(rows[shares == share], share) for share in np.unique(shares)]

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    @property
    def drawn(self) -> int:
        """How many rows an epoch takes."""
        return sum(math.ceil(share * len(rows)) for rows, share in self._groups)

    def __len__(self) -> int:
        return len(range(self.rank, self._batches(), self.world))

    def _batches(self) -> int:
        """How many batches all devices take together; in training each takes as many, or they would wait for ever."""
        enough = max(-(-self.drawn // self.batch_size), self.world)
        return -(-enough // self.world) * self.world if self.shuffle else enough

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        random = np.random.default_rng([self.seed, self.epoch])
        rows = np.concatenate([self._draw(rows, share, random) for rows, share in self._groups])
        if self.shuffle:
            rows = random.permutation(rows)
        batches = np.array_split(rows, self._batches())
        for index in range(self.rank, len(batches), self.world):
            seed = int(np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)[0])
            yield seed, np.sort(batches[index])  # sorted rows read the memory map in one direction

    @staticmethod
    def _draw(rows: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
        return rows if share == 1 else random.permutation(rows)[: math.ceil(share * len(rows))]


def loader(pack: Pack, targets: dict[str, np.ndarray], sampler: BatchRows) -> DataLoader[Batch]:
    """A loader of whole batches. Rows are copied out of the memory map: cheap enough to need no worker processes."""
    return DataLoader(PackBatches(pack, targets), sampler=sampler, batch_size=None, num_workers=0)
