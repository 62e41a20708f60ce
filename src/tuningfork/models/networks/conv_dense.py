"""The networks of the seed reports: stages of convolutions, each ended by a max-pool, then dense layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class ConvDense(nn.Module):
    """Convolutions with ReLU, a 2x2 max-pool after each stage, flattened, then dense layers with ReLU.

    `stages` lists the channels of each stage's convolutions: ``[[32], [64]]`` is two stages of one layer each,
    ``[[64, 64], [128, 128], ...]`` the layout of VGG (Simonyan & Zisserman 2015, arXiv:1409.1556). `padding` is
    that of the `kernel` x `kernel` convolutions, stride 1; `batch_norm` normalises after each. `dense` lists the
    widths of the dense layers, and `dropout[i]` is dropped before the i-th; one entry more is dropped at the end.

    The first dense layer takes whatever size the images give it, so it is made at the first forward pass of
    `build_encoder`; the features are the last dense layer's, or without one the flattened maps.
    """

    def __init__(
        self,
        channels: int,
        stages: Sequence[Sequence[int]],
        *,
        kernel: int = 3,
        padding: int = 0,
        batch_norm: bool = False,
        dense: Sequence[int] = (),
        dropout: Sequence[float] = (),
    ) -> None:
        super().__init__()
        if len(dropout) > len(dense) + 1:
            raise TypeError(f"dropout has {len(dropout)} entries for {len(dense)} dense layers")
        layers: list[nn.Module] = []
        for stage in stages:
            for width in stage:
                layers.append(nn.Conv2d(channels, width, kernel, padding=padding, bias=not batch_norm))
                layers += [nn.BatchNorm2d(width)] if batch_norm else []
                layers.append(nn.ReLU(inplace=True))
                channels = width
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        drops = [*dropout, *[0.0] * (len(dense) + 1 - len(dropout))]
        for width, drop in zip(dense, drops, strict=False):
            layers += [nn.Dropout(drop)] if drop else []
            layers += [nn.LazyLinear(width), nn.ReLU(inplace=True)]
        layers += [nn.Dropout(drops[-1])] if drops[-1] else []
        self.body = nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, F) of images (N, channels, H, W)."""
        features: torch.Tensor = self.body(images)
        return features
