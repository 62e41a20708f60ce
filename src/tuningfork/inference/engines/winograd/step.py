"""What is done at once: a convolution with what comes right before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch


class Settings(NamedTuple):
    """How a convolution goes over its maps."""

    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] | str = (0, 0)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1


class Pooling(NamedTuple):
    """The largest number of each square window; those at the far sides that would not be whole are left out."""

    window: int
    stride: int
    padding: int


@dataclass
class Step:
    """A convolution with `weight` (K, C, h, w) and `bias` (K,), its norm and biases among them.

    `scaling` is the mean and the standard deviation of every channel, (C,), which the maps are freed from before; a sum
    with another map, the ReLU and the pooling follow.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    settings: Settings
    relu: bool = False
    scaling: tuple[torch.Tensor, torch.Tensor] | None = None
    pooling: Pooling | None = None

    @property
    def biases(self) -> torch.Tensor:
        """A bias for every channel, contiguous."""
        return torch.zeros(len(self.weight)) if self.bias is None else self.bias.contiguous()

    @property
    def floor(self) -> float:
        """What smaller results become."""
        return 0.0 if self.relu else -torch.inf
