"""An eight-layer convolutional network for small images, in the manner of VGG (Simonyan & Zisserman 2015)."""

from __future__ import annotations

import torch
from torch import nn


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return layers


class PlainCNN(nn.Module):
    """Four stages of two 3x3 convolutions with batch norm; max-pool between, global average at the end.

    The stages have `width`, 2, 4 and 8 times `width` channels; the features are the last stage's averages.
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        layers = _stage(channels, width)
        for factor in (1, 2, 4):
            layers += [nn.MaxPool2d(2), *_stage(factor * width, 2 * factor * width)]
        self.body = nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, 8 * width) of images (N, channels, H, W)."""
        features: torch.Tensor = self.body(images).mean(dim=(2, 3))
        return features
