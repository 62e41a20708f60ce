"""The CNN of Serrano's report, approaches 1 and 2: 32-64-128-128 convolutions, dropout, a dense layer of 512."""

from __future__ import annotations

import torch
from torch import nn


class SerranoCNN(nn.Module):
    """Four stages of one 3x3 valid convolution with ReLU and 2x2 max-pool, flattened, dropout 0.5, dense 512 with ReLU.

    The dense layer takes whatever size the images give it, so it is made at the first forward pass of `build_encoder`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = 512
        layers: list[nn.Module] = []
        for inputs, outputs in ((channels, 32), (32, 64), (64, 128), (128, 128)):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(512), nn.ReLU(inplace=True))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features (N, 512) of images (N, channels, H, W), H and W at least 46."""
        return self.body(images)
