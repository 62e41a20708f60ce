"""The eight exact views of a galaxy: four quarter turns, each as it is and mirrored (the dihedral group D4).

A rotated galaxy is the same galaxy, so the answers to all eight, averaged, are the answer to any one of them: the mean
is invariant to these turns but for rounding (Dieleman, Willett & Dambre 2015, MNRAS 450, 1441, section 5).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from tuningfork.errors import ModelError

COUNTS = (1, 2, 4, 8)
# Quarter turns and mirroring of each view, such that the first two, four and eight are each a group.
_TURNS = ((0, False), (2, False), (1, False), (3, False), (0, True), (2, True), (1, True), (3, True))


def exact_views(images: torch.Tensor, count: int) -> Iterator[torch.Tensor]:
    """The first `count` (1, 2, 4 or 8) views of images (N, C, H, H), each channels last in memory.

    Raises
    ------
    ModelError
        If `count` is another number.
    """
    if count not in COUNTS:
        raise ModelError(f"{count} views can't be had; a square has {', '.join(map(str, COUNTS))}")
    for turns, mirrored in _TURNS[:count]:
        view = images.flip(3) if mirrored else images
        yield torch.rot90(view, turns, (2, 3)).contiguous(memory_format=torch.channels_last)
