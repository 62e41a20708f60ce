"""What is done at once: a convolution with what comes right before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

FLOORS = {"none": -torch.inf, "relu": 0.0}  # activations that cut smaller results off, and where


class Settings(NamedTuple):
    """How a convolution goes over its maps."""

    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
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

    `scaling` is the mean and the standard deviation of every channel, (C,), which the maps are freed from before. A sum
    with another map, the activation (``none``, ``relu``, ``gelu`` or ``swish``, oneDNN's name for SiLU) and the pooling
    follow.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    settings: Settings
    activation: str = "none"
    scaling: tuple[torch.Tensor, torch.Tensor] | None = None
    pooling: Pooling | None = None

    @property
    def biases(self) -> torch.Tensor:
        """A bias for every channel, contiguous."""
        return torch.zeros(len(self.weight)) if self.bias is None else self.bias.contiguous()

    @property
    def floor(self) -> float:
        """What smaller results become, where the activation is one that does no more."""
        return FLOORS[self.activation]
