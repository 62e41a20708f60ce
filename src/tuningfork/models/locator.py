"""Where a galaxy is in its frame, and how wide the frame is: a network that knows one kind of frame then sees any.

A localisation network (Jaderberg et al. 2015, arXiv:1506.02025), trained apart from the encoder: a galaxy's frame is
changed in a known way, and the network says in which. `benchmarks/locating.py` trains it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from tuningfork.errors import ModelError
from tuningfork.images import Geometry
from tuningfork.models.view import View, Warps, crop
from tuningfork.models.views import EXACT, TURNS, exact_views

SIDE = 64  # pixels of a square, as the network sees it
MEAN, STD = 0.1, 0.2  # of a composite's pixels, roughly
WIDEST, FARTHEST = 3.2, 0.35  # beyond the frames that it was trained on


@dataclass(frozen=True)
class Places:
    """How N squares are framed, each field of shape (N,).

    `width` is that of the square, 1 for one as wide as those of the training images; `x` to the right and `y` down are
    how far from its middle the galaxy is, as a fraction of its side.
    """

    width: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor

    def warps(self, view: View, geometry: Geometry) -> Warps:
        """What brings each galaxy to the middle of the view, as large as in the training images."""
        share = view.field / geometry.field
        still = Warps.identity(len(self.width))
        return replace(still, zoom=self.width, shift_x=self.x / share, shift_y=self.y / share)

    @staticmethod
    def joined(parts: Sequence[Places | None]) -> Places | None:
        """Of all squares; None where nobody looked."""
        known = [part for part in parts if part is not None]
        if not known:
            return None
        return Places(*(torch.cat([getattr(part, name) for part in known]) for name in ("width", "x", "y")))

    def first(self, n: int) -> Places:
        """Of the first `n` squares."""
        return Places(self.width[:n], self.x[:n], self.y[:n])

    def split(self, n: int) -> list[Places]:
        """Of `n` squares at a time."""
        return [Places(*part) for part in zip(self.width.split(n), self.x.split(n), self.y.split(n), strict=True)]


class Locator(nn.Module):
    """Finds width and place of a whole square, by convolutions and two dense layers that see where in it things are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = ((16, 2), (16, 1), (40, 2), (40, 1), (96, 2), (96, 1), (192, 2))
        layers: list[nn.Module] = []
        for width, stride in widths:
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.1), nn.Linear(channels * (SIDE // 16) ** 2, 128), nn.ReLU(), nn.Linear(128, 3)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3): the logarithm of how much narrower a square is than usual, and x and y as of `Places`.

        `images` are (N, C, SIDE, SIDE) in 0 to 1.
        """
        found: torch.Tensor = self.head(self.body((images - MEAN) / STD))
        return found

    @torch.no_grad()
    def locate(self, pixels: torch.Tensor, geometry: Geometry) -> Places:
        """How pack pixels (N, H, W, C) uint8 are framed: the mean of what is found from the eight exact views.

        So a square that is turned or mirrored gives the same place, turned or mirrored.

        Raises
        ------
        ModelError
            If the weights give what is no finite number.
        """
        views = exact_views(_small(pixels, geometry), EXACT)
        each = [_turned_back(self(view).float().cpu(), number) for number, view in enumerate(views)]
        found = torch.stack(each).mean(dim=0)
        if not bool(found.isfinite().all()):
            raise ModelError("where some galaxies are is no finite number: the weights are broken; get the model again")
        narrow, x, y = found.unbind(dim=1)
        width = torch.exp(-narrow.clamp(-math.log(WIDEST), math.log(WIDEST)))
        return Places(width, *(apart.clamp(-FARTHEST, FARTHEST) + 0.0 for apart in (x, y)))  # and no -0


def _small(pixels: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """Whole squares (N, H, W, C) uint8 as (N, C, SIDE, SIDE) in 0 to 1: means over areas, where they are larger."""
    size = geometry.size
    if size <= SIDE:
        return crop(pixels, View(geometry.field, SIDE), geometry)
    start, pixel = torch.arange(SIDE)[:, None] * (size / SIDE), torch.arange(size)
    inside = torch.minimum(start + size / SIDE, pixel + 1) - torch.maximum(start, pixel)
    share = (inside.clamp(min=0) * (SIDE / size)).to(pixels.device)  # (SIDE, size), of each pixel in each of ours
    return share @ pixels.permute(0, 3, 1, 2).float().mul_(1 / 255) @ share.T


def _turned_back(found: torch.Tensor, view: int) -> torch.Tensor:
    """What was found (N, 3) in an exact view of that number, as it is in the square itself."""
    turns, mirrored = TURNS[view]
    narrow, x, y = found.unbind(dim=1)
    for _ in range(turns):
        x, y = -y, x
    return torch.stack([narrow, -x if mirrored else x, y], dim=1)
