"""The sides from which a galaxy is looked at: quarter turns and their mirror images, and turns between them.

A rotated galaxy is the same galaxy, so the answers to all of its sides, averaged, are the answer to any one of them:
the mean over the eight exact views (the dihedral group D4) is invariant to them but for rounding (Dieleman, Willett &
Dambre 2015, MNRAS 450, 1441, section 5). Sixteen are the eight of the galaxy as it is and of the galaxy turned by 45
degrees, 32 those at 0, 22.5, 45 and 67.5 degrees: they steady the answer at angles between.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from tuningfork.errors import ModelError
from tuningfork.images import Geometry
from tuningfork.models.view import View, Warps, crop, warp

COUNTS = (1, 2, 4, 8, 16, 32)
EXACT = 8
# Quarter turns and mirroring of each view, such that the first two, four and eight are each a group.
TURNS = ((0, False), (2, False), (1, False), (3, False), (0, True), (2, True), (1, True), (3, True))


def check_views(count: int) -> None:
    """Refuse a number of views that can't be had.

    Raises
    ------
    ModelError
        If `count` is none of `COUNTS`.
    """
    if count not in COUNTS:
        raise ModelError(f"{count} views can't be had; choose one of {', '.join(map(str, COUNTS))}")


def sides(
    pixels: torch.Tensor, view: View, geometry: Geometry, count: int, *, invariant: bool, warps: Warps | None = None
) -> Iterator[torch.Tensor]:
    """Images (N, C, size, size) in 0 to 1 of pack pixels (N, H, W, C) uint8, from `count` sides.

    For an `invariant` encoder, to which the exact views of one turn are the same image, one of each stands for all.
    `warps` bring each galaxy to the middle first, and beyond the rim of the pixels is sky, not a mirror image that
    would look like a companion; by default the middle of the pixels is seen.

    Raises
    ------
    ModelError
        If `count` is none of `COUNTS`.
    """
    check_views(count)
    turns = max(1, count // EXACT)
    for turn in range(turns):
        images = _turned(pixels, view, geometry, warps, turn * math.pi / 2 / turns)
        yield from exact_views(images, 1 if invariant else min(count, EXACT))


def exact_views(images: torch.Tensor, count: int) -> Iterator[torch.Tensor]:
    """The first `count` (1, 2, 4 or 8) exact views of images (N, C, H, H), each channels last in memory."""
    for turns, mirrored in TURNS[:count]:
        seen = images.flip(3) if mirrored else images
        turned = torch.rot90(seen, turns, (2, 3)) if turns else seen  # by nothing it would be a copy
        yield turned.contiguous(memory_format=torch.channels_last)


def _turned(pixels: torch.Tensor, view: View, geometry: Geometry, warps: Warps | None, angle: float) -> torch.Tensor:
    if warps is None and angle == 0:
        return crop(pixels, view, geometry)
    turned = replace(warps or Warps.identity(len(pixels)), angle=torch.full((len(pixels),), angle))
    return warp(pixels, turned, view, geometry, beyond="sky" if warps else "mirror")
