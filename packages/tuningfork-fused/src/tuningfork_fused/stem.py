"""How most networks begin, done at once: images are brought to scale, then come a convolution, a ReLU and a pooling.

The maps between are the network's largest. Here they are made line by line, and pooled while they are in the cache.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from tuningfork_fused.convolution import rows
from tuningfork_fused.kernel import convolve_and_pool, register_tile, vector_length
from tuningfork_fused.pool import PIECES, ThreadPool
from tuningfork_fused.step import FLOORS, Step

FEW = 8  # channels at most: it passes all weights through for every line, which only those for images stand


class Stem(nn.Module):
    """A convolution, as it is written, with a pooling."""

    def __init__(self, step: Step, pool: ThreadPool) -> None:
        super().__init__()
        assert step.pooling is not None
        outputs, channels, self.taps, _ = step.weight.shape
        length = vector_length()
        tile = register_tile(length, outputs)
        assert tile is not None
        run = self.taps * channels
        self.rows, self.vectors, self.lanes = (0,) * tile[0], (0,) * tile[1], (0,) * length
        self.unrolled = (0,) * next(steps for steps in (4, 3, 2, 1) if run % steps == 0)
        panels = step.weight.permute(2, 3, 1, 0).reshape(self.taps * run, -1, tile[1] * length).transpose(0, 1)
        self.weights = panels.contiguous().numpy()  # (K / width, taps taps C, width)
        self.bias, self.floor = step.biases.numpy(), np.float32(step.floor)
        mean, deviation = step.scaling or (torch.zeros(channels), torch.ones(channels))
        self.mean, self.factor = mean.numpy(), 1 / deviation.numpy()
        self.stride, self.padding = step.settings.stride[0], step.settings.padding[0]
        self.pooling, self.pool = step.pooling, pool

    @staticmethod
    def fits(step: Step) -> bool:
        """Whether it can do a convolution: of images, all in squares, with channels that fill vectors."""
        stride, padding, dilation, groups = step.settings
        _, channels, high, wide = step.weight.shape
        square = high == wide and len(set(stride)) == len(set(padding)) == 1
        plain = dilation == (1, 1) and groups == 1 and step.activation in FLOORS
        return channels <= FEW and plain and square and register_tile(vector_length(), len(step.weight)) is not None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps (N, K, H', W') of images (N, C, H, W)."""
        number, _, height, width = images.shape
        sides = (self._side(height), self._side(width))
        out = torch.empty(number, len(self.bias), *sides, memory_format=torch.channels_last)
        source, target = rows(images), rows(out)
        mean, factor = np.tile(self.mean, width), np.tile(self.factor, width)
        wanted = PIECES * self.pool.threads
        strips = min(sides[0], -(-wanted // max(1, number)))

        def work(part: tuple[int, int]) -> None:
            convolve_and_pool(
                source,
                mean,
                factor,
                self.weights,
                self.bias,
                self.floor,
                target,
                part,
                strips,
                self.taps,
                self.stride,
                self.padding,
                self.pooling,
                self.lanes,
                self.vectors,
                self.rows,
                self.unrolled,
            )

        self.pool.share(work, list(pairwise(range(number * strips + 1))))
        return out

    def _side(self, pixels: int) -> int:
        """Pixels of a side of the maps."""
        made = (pixels + 2 * self.padding - self.taps) // self.stride + 1
        return (made + 2 * self.pooling.padding - self.pooling.window) // self.pooling.stride + 1
