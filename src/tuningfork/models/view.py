"""How a network sees a pack: which part of the frame, at what size, and under which warp.

All geometry is done in one resampling of the whole batch, on the device the network runs on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

from tuningfork.errors import ModelError
from tuningfork.images import Geometry

PADDING = {"mirror": "reflection", "sky": "zeros"}  # in the words of grid_sample


@dataclass(frozen=True)
class View:
    """The network's input: the central square of `field` (a fraction of the frame) at `size` x `size` pixels."""

    field: float
    size: int

    def scale(self, geometry: Geometry) -> float:
        """Pack pixels per input pixel. Above 1 the view is sampled down.

        Raises
        ------
        ModelError
            If the view is wider than the pack's field, so that there are no pixels for its rim.
        """
        if self.field > geometry.field * (1 + 1e-6):
            raise ModelError(
                f"the model looks at a field of {self.field:g}, the pack holds only {geometry.field:g} of the frame; "
                f"pack again with --field {self.field:g} or more"
            )
        return (self.field / geometry.field) * (geometry.size / self.size)


@dataclass(frozen=True)
class Warps:
    """One affine warp an image, each field of shape (N,): angle in radians, the rest without units.

    `zoom` above 1 magnifies the galaxy; `shift_x`, `shift_y` are fractions of the view's side; `flip` is +1 or -1;
    `shear` is the tangent of the shear angle; `stretch` magnifies x alone, on top of `zoom`.
    """

    angle: torch.Tensor
    zoom: torch.Tensor
    shift_x: torch.Tensor
    shift_y: torch.Tensor
    flip: torch.Tensor
    shear: torch.Tensor
    stretch: torch.Tensor

    @staticmethod
    def identity(n: int) -> Warps:
        """Warps that leave every image as it is."""
        one, zero = torch.ones(n), torch.zeros(n)
        return Warps(angle=zero, zoom=one, shift_x=zero, shift_y=zero, flip=one, shear=zero, stretch=one)

    def samples(self, scale: float) -> torch.Tensor:
        """How many samples a side an input pixel needs, (N,), where it is `scale` pack pixels wide at zoom 1."""
        wide = scale / (self.zoom * self.stretch.clamp(max=1)).double()
        return torch.ceil(wide - 0.5 - 1e-6).clamp(min=1).long()

    def matrices(self, scale: float, view_size: int, pack_size: int) -> torch.Tensor:
        """Affine matrices (N, 2, 3) from view to pack coordinates, both in grid_sample's -1 to 1 convention."""
        cos, sin = torch.cos(self.angle), torch.sin(self.angle)
        ratio = scale * view_size / pack_size / self.zoom
        # Inverse warp: view -> (shear, stretch, flip) -> rotate -> scale. Built for pull sampling.
        x_from_x = ratio * (cos * self.flip / self.stretch)
        x_from_y = ratio * (cos * self.shear - sin)
        y_from_x = ratio * (sin * self.flip / self.stretch)
        y_from_y = ratio * (sin * self.shear + cos)
        shift = 2 * scale * view_size / pack_size
        rows = torch.stack(
            [
                torch.stack([x_from_x, x_from_y, self.shift_x * shift], dim=-1),
                torch.stack([y_from_x, y_from_y, self.shift_y * shift], dim=-1),
            ],
            dim=-2,
        )
        return rows.float()


def warp(
    pixels: torch.Tensor, warps: Warps, view: View, geometry: Geometry, *, beyond: Literal["mirror", "sky"] = "mirror"
) -> torch.Tensor:
    """Resample a batch of pack pixels into the view under `warps`.

    Parameters
    ----------
    pixels
        (N, H, W, C) uint8, on any device.
    beyond
        What is seen beyond the rim of the pixels: their mirror image, or the median of the rim.

    Returns
    -------
    torch.Tensor
        (N, C, size, size) float32 in 0 to 1, channels last in memory. Bilinear. Where an image is sampled down by 1.5
        or more, several samples a pixel are averaged so that nothing aliases.
    """
    images = pixels.permute(0, 3, 1, 2).float().mul_(1 / 255)
    if beyond == "sky":
        sky = _rim(images)[:, :, None, None]
        images -= sky
    matrices = warps.matrices(view.scale(geometry), view.size, geometry.size).to(images.device)
    samples = warps.samples(view.scale(geometry)).to(images.device)
    numbers = samples.unique().tolist()
    if len(numbers) == 1:
        out = _sampled(images, matrices, view.size, numbers[0], PADDING[beyond])
    else:
        out = images.new_empty((*images.shape[:2], view.size, view.size))
        for number in numbers:
            rows = samples == number
            out[rows] = _sampled(images[rows], matrices[rows], view.size, number, PADDING[beyond])
    if beyond == "sky":
        out += sky
    return out.contiguous(memory_format=torch.channels_last)


def _rim(images: torch.Tensor) -> torch.Tensor:
    """The median (N, C) of the outermost pixels of images (N, C, H, W)."""
    rim = (images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1])
    return torch.cat(rim, dim=2).median(dim=2).values


def _sampled(images: torch.Tensor, matrices: torch.Tensor, size: int, samples: int, padding: str) -> torch.Tensor:
    """Images (N, C, size, size) under affine matrices (N, 2, 3), each pixel the mean of `samples` x `samples`."""
    side = size * samples
    grid = functional.affine_grid(matrices, [*images.shape[:2], side, side], align_corners=False)
    out = functional.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return functional.avg_pool2d(out, samples) if samples > 1 else out


def crop(pixels: torch.Tensor, view: View, geometry: Geometry) -> torch.Tensor:
    """The view without any warp: what validation and prediction see. Equal to `warp` with the identity.

    Where view and pack pixels coincide it is a slice, which is exact and quicker.
    """
    margin = (geometry.size - view.size) / 2
    if abs(view.scale(geometry) - 1) < 1e-6 and margin == int(margin):
        start = int(margin)
        part = pixels[:, start : start + view.size, start : start + view.size]
        return part.permute(0, 3, 1, 2).float().mul_(1 / 255).contiguous(memory_format=torch.channels_last)
    return warp(pixels, Warps.identity(len(pixels)), view, geometry)
