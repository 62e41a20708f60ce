"""Occlusion: how much an answer falls when a patch of the image is hidden.

Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks" (arXiv:1311.2901), section 4.2.
"""

from __future__ import annotations

import numpy as np
import torch

from tuningfork.explain.features import network_view
from tuningfork.explain.target import Target, find_target
from tuningfork.models import GalaxyModel

BATCH = 64  # hidden patches a forward pass


def occlusion(
    model: GalaxyModel, pixels: np.ndarray, column: str, patch: int | None = None, stride: int | None = None
) -> np.ndarray:
    """How much an answer falls when a pixel is hidden: (N, size, size) float32 over the network's view.

    A pixel's value is the mean over all patches that hide it; negative where hiding it raises the answer. A patch is
    filled with the level of the sky, the median of the view's rim in each channel: that takes the light of the galaxy
    away as though it had never been there, where black or grey would be a thing of its own to look at.

    Parameters
    ----------
    pixels
        (N, H, W, C) uint8 in the model's geometry.
    column
        The answer: a prediction column of any of the model's heads.
    patch, stride
        The side of a patch and the step between patches, in pixels of the view; an eighth of the view and half a
        patch by default. The last patch ends at the rim.

    Raises
    ------
    ModelError
        If the model has no such answer.
    """
    patch = patch or default_patch(model)
    starts = patch_starts(model.spec.view.size, patch, stride or max(1, patch // 2))
    return spread(patch_drops(model, pixels, find_target(model, column), patch, starts), starts, patch)


def default_patch(model: GalaxyModel) -> int:
    """The side of a patch: an eighth of the view, in pixels."""
    return max(1, model.spec.view.size // 8)


def patch_starts(size: int, patch: int, stride: int) -> list[int]:
    """Where patches begin along a side of `size` pixels; the last ends at the rim.

    Raises
    ------
    ValueError
        If patch or stride is not from 1 to `size`.
    """
    if not 1 <= patch <= size or not 1 <= stride <= size:
        raise ValueError(f"patch {patch} and stride {stride} must be 1 to {size} pixels")
    return [*range(0, size - patch, stride), size - patch]


@torch.inference_mode()
def patch_drops(model: GalaxyModel, pixels: np.ndarray, target: Target, patch: int, starts: list[int]) -> np.ndarray:
    """The drop in the answer for each patch hidden, by row and column of `starts`: (N, P, P) float32."""
    corners = [(row, column) for row in starts for column in starts]
    drops = []
    skies = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 255
    for image, frame in zip(network_view(model, pixels), skies.to(model.mean.device), strict=True):
        sky = sky_level(frame)
        whole = _answer(model, image[None], target)
        at_once = min(BATCH, model.at_once)
        for first in range(0, len(corners), at_once):
            some = corners[first : first + at_once]
            hidden = image.repeat(len(some), 1, 1, 1)
            for view, (row, column) in zip(hidden, some, strict=True):
                view[:, row : row + patch, column : column + patch] = sky
            drops.append(whole - _answer(model, hidden, target))
    return torch.cat(drops).reshape(-1, len(starts), len(starts)).cpu().numpy()


def spread(drops: np.ndarray, starts: list[int], patch: int) -> np.ndarray:
    """The drops of patches (N, P, P) as the mean drop of each pixel over the patches that hide it: (N, size, size).

    Where the stride is longer than the patch, pixels between patches are 0: nothing was tried there.
    """
    pixel = np.arange(starts[-1] + patch)
    begin = np.array(starts)[:, None]
    covers = ((pixel >= begin) & (pixel < begin + patch)).astype(np.float64)  # (P, size)
    count = covers.sum(axis=0)
    weights = covers / np.maximum(count, 1)
    maps: np.ndarray = np.einsum("npq,pi,qj->nij", drops, weights, weights).astype(np.float32)
    return maps


def sky_level(image: torch.Tensor) -> torch.Tensor:
    """The median of an image's rim, a sixteenth of its side wide: (C, 1, 1) of an image (C, size, size)."""
    size = image.shape[-1]
    width = max(1, size // 16)
    rim = torch.ones(size, size, dtype=torch.bool, device=image.device)
    rim[width : size - width, width : size - width] = False
    return image[:, rim].median(dim=1).values[:, None, None]


def _answer(model: GalaxyModel, images: torch.Tensor, target: Target) -> torch.Tensor:
    return model.expected_answers(model(images))[target.schema.name][:, target.index]
