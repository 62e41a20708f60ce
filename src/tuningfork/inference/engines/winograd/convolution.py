"""A convolution with what follows it, done at once: its norm, a sum and a ReLU."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tuningfork.inference.engines.winograd.crew import PIECES, Crew
from tuningfork.inference.engines.winograd.kernel import (
    OUT,
    TAPS,
    convolve,
    enter_filters,
    register_tile,
    vector_length,
)
from tuningfork.inference.engines.winograd.step import Settings, Step

Part = tuple[tuple[int, int], tuple[int, int]]  # the first tile and the one after the last; so the panels


CACHED = 2**24  # bytes of weights that may stay in the last cache

FILTERED = Settings(padding=(1, 1))  # what `Filtered` does


class Direct(nn.Module):
    """A convolution as PyTorch does it, with a bias, then a sum and a ReLU where they follow."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.weight, self.bias = step.weight.contiguous(memory_format=torch.channels_last), step.bias
        self.settings, self.relu = step.settings, step.relu

    def forward(self, maps: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (N, K, H', W') of maps (N, C, H, W)."""
        stride, padding, dilation, groups = self.settings
        out = functional.conv2d(maps, self.weight, self.bias, stride, padding, dilation, groups)
        if other is not None:
            out += other
        return out.relu_() if self.relu else out


class Filtered(nn.Module):
    """The same for a 3x3 convolution that keeps the size of its maps, by minimal filtering (see `kernel`)."""

    def __init__(self, step: Step, crew: Crew) -> None:
        super().__init__()
        outputs, inputs = step.weight.shape[:2]
        length = vector_length()
        tile = register_tile(length, outputs)
        assert tile is not None
        self.rows, self.vectors, self.lanes = (0,) * tile[0], (0,) * tile[1], (0,) * length
        width = tile[1] * length
        entered = torch.from_numpy(enter_filters(step.weight.numpy())).float()
        panels = entered.unflatten(1, (-1, width)).transpose(2, 3).contiguous()  # (36, K / width, C, width)
        self.weights, self.panels = panels.numpy(), outputs // width
        self.bias, self.floor = step.biases.numpy(), np.float32(step.floor)
        # What a block is at the points, before and after, should stay in a second-level cache of a megabyte. Where the
        # weights are too many for any cache, they are passed through once a block, and must be repaid by its tiles.
        few, many = 3072 // max(inputs, outputs), 3 * inputs // 8
        self.block = -(-(few if entered.nbytes <= CACHED else many) // tile[0]) * tile[0]
        self.crew = crew

    @staticmethod
    def fits(weight: torch.Tensor, settings: Settings) -> bool:
        """Whether it can do a convolution: 3x3, and channels fill vectors."""
        length = vector_length()
        if settings != FILTERED or weight.shape[2:] != (TAPS, TAPS):
            return False
        return weight.shape[1] % length == 0 and register_tile(length, len(weight)) is not None

    def forward(self, maps: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (N, K, H, W) of maps (N, C, H, W)."""
        number, _, height, width = maps.shape
        out = torch.empty(number, len(self.bias), height, width, memory_format=torch.channels_last)
        source, target = _rows(maps), _rows(out)
        added = target if other is None else _rows(other)

        def work(part: Part) -> None:
            convolve(
                source,
                self.weights,
                self.bias,
                self.floor,
                added,
                other is not None,
                target,
                *part,
                self.block,
                self.lanes,
                self.vectors,
                self.rows,
            )

        self.crew.share(work, self._parts(number * -(-height // OUT) * -(-width // OUT)))
        return out

    def _parts(self, tiles: int) -> list[Part]:
        """As many parts for each thread; panels are shared out where there are fewer blocks of tiles than threads."""
        rows, threads = len(self.rows), self.crew.threads
        groups, blocks = -(-tiles // rows), max(1, -(-tiles // self.block))
        pieces = min(blocks, PIECES * threads)
        if pieces > threads:
            pieces = -(-pieces // threads) * threads
        sides = min(self.panels, -(-threads // pieces))
        edges = [min(tiles, rows * (groups * piece // pieces)) for piece in range(pieces + 1)]
        panels = [self.panels * side // sides for side in range(sides + 1)]
        return [(tile, panel) for tile in pairwise(edges) for panel in pairwise(panels)]


def _rows(maps: torch.Tensor) -> np.ndarray:
    """Maps (N, C, H, W) as an array (N, H, W, C), contiguous."""
    return maps.permute(0, 2, 3, 1).contiguous().numpy()
