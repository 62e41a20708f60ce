"""A convolution with what follows it, done at once: a sum and an activation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tuningfork_fused.kernel import (
    OUT,
    TAPS,
    convolve,
    enter_filters,
    register_tile,
    vector_length,
)
from tuningfork_fused.pool import PIECES, ThreadPool
from tuningfork_fused.step import FLOORS, Settings, Step

CACHED = 2**24  # bytes of weights that may stay in the last cache
FILTERED = Settings(padding=(1, 1))  # what `Filtered` does
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": nn.Identity(),
    "relu": torch.relu,
    "gelu": functional.gelu,
    "swish": functional.silu,
}

Part = tuple[tuple[int, int], tuple[int, int]]  # the first tile and the one after the last; so the panels


class Direct(nn.Module):
    """A convolution as PyTorch does it, with a bias, a sum and an activation: by oneDNN at once, where it is there.

    Its ReLU may make zero of what is no number. Where it `overwrites`, it may write over the map that is added.
    """

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.weight, self.bias = step.weight.contiguous(memory_format=torch.channels_last), step.bias
        self.settings, self.activation = step.settings, step.activation
        self.at_once, self.overwrites = torch.backends.mkldnn.is_available(), False

    def forward(self, maps: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (N, K, H', W') of maps (N, C, H, W)."""
        stride, padding, dilation, groups = self.settings
        if not self.at_once:
            out = functional.conv2d(maps, self.weight, self.bias, stride, padding, dilation, groups)
            return ACTIVATIONS[self.activation](out if other is None else out + other)
        one_dnn = torch.ops.mkldnn._convolution_pointwise  # what PyTorch's own compiler takes for these
        how = (self.weight, self.bias, padding, stride, dilation, groups)
        if other is None:
            done: torch.Tensor = one_dnn(maps, *how, self.activation, [], "none")
            return done
        relu = "relu" if self.activation == "relu" else None
        if self.overwrites:
            other = other.contiguous(memory_format=torch.channels_last)
            done = torch.ops.mkldnn._convolution_pointwise_.binary(other, maps, *how, "add", 1.0, relu, [], None)
        else:
            done = one_dnn.binary(maps, other, *how, "add", 1.0, relu, [], None)
        return done


class Filtered(nn.Module):
    """The same for a 3x3 convolution that keeps the size of its maps, by minimal filtering (see `kernel`).

    Where it `overwrites`, it may write over the map that is added.
    """

    def __init__(self, step: Step, pool: ThreadPool) -> None:
        super().__init__()
        outputs, inputs = step.weight.shape[:2]
        length = vector_length()
        tile = register_tile(length, outputs)
        assert tile is not None
        self.rows, self.vectors, self.lanes = (0,) * tile[0], (0,) * tile[1], (0,) * length
        width = tile[1] * length
        panels = step.weight.unflatten(0, (-1, width)).transpose(1, 2)
        self.weights = enter_filters(panels.numpy()).astype(np.float32)  # (36, K / width, C, width)
        self.panels = outputs // width
        self.bias, self.floor = step.biases.numpy(), np.float32(step.floor)
        # What a block is at the points, before and after, should stay in a second-level cache of a megabyte. Where the
        # weights are too many for any cache, they are passed through once a block, and must be repaid by its tiles.
        few, many = max(1, 3072 // max(inputs, outputs)), 3 * inputs // 8
        self.block = -(-(few if self.weights.nbytes <= CACHED else many) // tile[0]) * tile[0]
        self.pool, self.overwrites = pool, False

    @staticmethod
    def fits(step: Step) -> bool:
        """Whether it can do a convolution and what follows: 3x3, and channels fill vectors."""
        length, (outputs, inputs, *taps) = vector_length(), step.weight.shape
        if step.settings != FILTERED or taps != [TAPS, TAPS] or step.activation not in FLOORS:
            return False
        return inputs % length == 0 and register_tile(length, outputs) is not None

    def forward(self, maps: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (N, K, H, W) of maps (N, C, H, W)."""
        number, _, height, width = maps.shape
        if other is None or not self.overwrites:
            out = torch.empty(number, len(self.bias), height, width, memory_format=torch.channels_last)
        else:
            out = other.contiguous(memory_format=torch.channels_last)
        source, target = rows(maps), rows(out)
        added = target if other is None else rows(other)

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

        self.pool.share(work, self._parts(number * -(-height // OUT) * -(-width // OUT)))
        return out

    def _parts(self, tiles: int) -> list[Part]:
        """As many parts for each thread; panels are shared out where there are fewer blocks of tiles than threads."""
        rows, threads = len(self.rows), self.pool.threads
        groups, blocks = -(-tiles // rows), max(1, -(-tiles // self.block))
        pieces = min(blocks, PIECES * threads)
        if pieces > threads:
            pieces = -(-pieces // threads) * threads
        sides = min(self.panels, -(-threads // pieces))
        edges = [min(tiles, rows * (groups * piece // pieces)) for piece in range(pieces + 1)]
        panels = [self.panels * side // sides for side in range(sides + 1)]
        return [(tile, panel) for tile in pairwise(edges) for panel in pairwise(panels)]


def rows(maps: torch.Tensor) -> np.ndarray:
    """Maps (N, C, H, W) as an array (N, H, W, C), contiguous."""
    return maps.permute(0, 2, 3, 1).contiguous().numpy()
