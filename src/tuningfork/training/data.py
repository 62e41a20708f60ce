"""Batches of a pack: uint8 pixels straight from the memory map, labels as each head wants them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from tuningfork.packs import Pack


@dataclass(frozen=True)
class Batch:
    """One device's part of a batch: pixels (N, H, W, C) uint8, and targets of each schema (N, T) float32.

    `seed` is the batch's; its galaxies `first` to `first` + N, of `whole`, are here.
    """

    pixels: torch.Tensor
    targets: dict[str, torch.Tensor]
    seed: int
    first: int
    whole: int

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        targets = {name: value.to(device, non_blocking=True) for name, value in self.targets.items()}
        return replace(self, pixels=self.pixels.to(device, non_blocking=True), targets=targets)


@dataclass(frozen=True)
class Part:
    """The rows of a pack that one device takes of a batch; seed, first and whole as in `Batch`."""

    rows: np.ndarray
    seed: int
    first: int
    whole: int


class PackBatches(Dataset[Batch]):
    """Batches of a pack; the sampler below decides which."""

    def __init__(self, pack: Pack, targets: dict[str, np.ndarray]) -> None:
        self.pixels = pack.pixels
        self.targets = targets

    def __getitem__(self, part: Part) -> Batch:
        pixels = torch.from_numpy(self.pixels[part.rows])
        targets = {name: torch.from_numpy(values[part.rows]) for name, values in self.targets.items()}
        return Batch(pixels, targets, part.seed, part.first, part.whole)


class BatchRows(Sampler[Part]):
    """The rows of each batch of an epoch.

    The order depends on the seed and the epoch alone, not on what ran before: a resumed run sees what an unbroken one
    would have seen. Several devices share each batch, so batches don't depend on how many there are: each takes its
    part of the rows, and needs at least one. Where a row's share, (N,), is below 1, an epoch takes that part of the
    rows with this share, drawn anew.
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
        """How many batches: no more than have a row for each device."""
        return max(1, min(-(-self.drawn // self.batch_size), self.drawn // self.world))

    def __iter__(self) -> Iterator[Part]:
        random = np.random.default_rng([self.seed, self.epoch])
        rows = np.concatenate([self._draw(rows, share, random) for rows, share in self._groups])
        if self.shuffle:
            rows = random.permutation(rows)
        for index, batch in enumerate(np.array_split(rows, len(self))):
            seed = int(np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)[0])
            # Sorted rows read the memory map in one direction.
            first, last = (place * len(batch) // self.world for place in (self.rank, self.rank + 1))
            yield Part(np.sort(batch)[first:last], seed, first, len(batch))

    @staticmethod
    def _draw(rows: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
        return rows if share == 1 else random.permutation(rows)[: math.ceil(share * len(rows))]


def loader(pack: Pack, targets: dict[str, np.ndarray], sampler: BatchRows) -> DataLoader[Batch]:
    """A loader of whole batches. Rows are copied out of the memory map: cheap enough to need no worker processes."""
    return DataLoader(PackBatches(pack, targets), sampler=sampler, batch_size=None, num_workers=0)
