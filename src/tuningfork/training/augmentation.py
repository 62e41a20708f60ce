"""Augmentation of a whole uint8 batch: parameters are sampled first, then applied, so that any batch can be replayed.

Geometry is one affine warp, the only resampling between pack and network. Shear and unequal zoom change a galaxy's axis
ratio, which is what the roundedness question asks about: they are for the seed reports' recipes, and off by default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from tuningfork.images import Geometry
from tuningfork.models.view import View, Warps, warp
from tuningfork.training.tables import Augmentation


@dataclass(frozen=True)
class Photometry:
    """Photometric parameters of each image, all (N,): factors, hue in radians, whether it gets autocontrast.

    `noise` is a standard deviation, and `noise_seed` replays the noise. `band` is the number of the one channel that is
    seen in all, -1 where each is seen.
    """

    brightness: torch.Tensor
    contrast: torch.Tensor
    saturation: torch.Tensor
    hue: torch.Tensor
    autocontrast: torch.Tensor
    noise: torch.Tensor
    noise_seed: torch.Tensor
    band: torch.Tensor


Drawn = TypeVar("Drawn", Warps, Photometry)


def sample_warps(n: int, augmentation: Augmentation, generator: torch.Generator) -> Warps:
    """Draw the warps of `n` images. Magnifications are log-uniform, all else uniform."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    def log_uniform(bounds: tuple[float, float]) -> torch.Tensor:
        return torch.exp(uniform(math.log(bounds[0]), math.log(bounds[1])))

    turn = math.radians(augmentation.rotation)
    shear = torch.tan(torch.deg2rad(uniform(-augmentation.shear, augmentation.shear)))
    half = torch.rand(n, generator=generator) < 0.5
    warps = Warps(
        angle=uniform(-turn, turn),
        zoom=log_uniform(augmentation.zoom),
        shift_x=uniform(-augmentation.shift, augmentation.shift),
        shift_y=uniform(-augmentation.shift, augmentation.shift),
        flip=torch.where(half & augmentation.flip, -1.0, 1.0),
        shear=shear,
        stretch=log_uniform(augmentation.stretch),
    )
    if augmentation.reframe is None:
        return warps
    reframe, drawn = augmentation.reframe, torch.rand(n, generator=generator) < augmentation.reframe.share
    zoom = log_uniform(reframe.zoom)
    aside, up = (uniform(-reframe.shift, reframe.shift) / zoom for _ in range(2))  # in the frame as it is then seen
    return replace(
        warps,
        zoom=torch.where(drawn, zoom, warps.zoom),
        shift_x=torch.where(drawn, aside, warps.shift_x),
        shift_y=torch.where(drawn, up, warps.shift_y),
    )


def sample_photometry(n: int, augmentation: Augmentation, generator: torch.Generator) -> Photometry:
    """Draw the photometric changes of `n` images."""

    def around(spread: float, centre: float = 1.0) -> torch.Tensor:
        return centre + spread * (2 * torch.rand(n, generator=generator) - 1)

    return Photometry(
        brightness=around(augmentation.brightness),
        contrast=around(augmentation.contrast),
        saturation=around(augmentation.saturation),
        hue=around(math.radians(augmentation.hue), centre=0.0),
        noise=torch.full((n,), augmentation.noise),
        noise_seed=torch.randint(2**31, (n,), generator=generator),
        autocontrast=torch.rand(n, generator=generator) < augmentation.autocontrast,
        band=torch.where(
            torch.rand(n, generator=generator) < augmentation.grey, torch.randint(3, (n,), generator=generator), -1
        ),
    )


def photometric(images: torch.Tensor, change: Photometry) -> torch.Tensor:
    """Apply photometric changes to images (N, C, H, W) in 0 to 1; colours only where there are three channels."""
    device = images.device

    def each(values: torch.Tensor) -> torch.Tensor:
        return values.to(device).view(-1, 1, 1, 1)

    if images.shape[1] == 3 and bool((change.band >= 0).any()):
        alone = images[torch.arange(len(images)), change.band.clamp(min=0).to(device)][:, None]
        images = torch.where(each(change.band >= 0), alone, images)
    if bool((change.brightness != 1).any()):
        images = images * each(change.brightness)
    if bool((change.contrast != 1).any()):
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = (images - mean) * each(change.contrast) + mean
    if images.shape[1] == 3 and bool((change.saturation != 1).any() or (change.hue != 0).any()):
        images = torch.einsum("nij,njhw->nihw", colour_matrices(change).to(device), images)
    if bool(change.autocontrast.any()):
        images = torch.where(each(change.autocontrast), stretched(images), images)
    if bool((change.noise > 0).any()):
        images = images + each(change.noise) * _noise(images, change.noise_seed)
    return images.clamp(0, 1)


def _noise(images: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
    """Noise of unit variance for each image by its own seed, whatever the images beside it."""
    generator = torch.Generator(device=images.device)
    noise = torch.empty_like(images)
    for plane, seed in zip(noise, seeds.tolist(), strict=True):
        plane.normal_(generator=generator.manual_seed(seed))
    return noise


def stretched(images: torch.Tensor) -> torch.Tensor:
    """Each channel of each image from its darkest value at 0 to its brightest at 1.

    One that is flat to within a grey level of the pack is left alone: there is nothing in it but rounding.
    """
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    span = high - low
    return torch.where(span > 1 / 255, (images - low) / span.clamp(min=1 / 255), images)


def colour_matrices(change: Photometry) -> torch.Tensor:
    """Matrices (N, 3, 3) on RGB that turn the hue about the grey axis and scale the distance from it (saturation)."""
    n = len(change.hue)
    cos, sin = torch.cos(change.hue).view(n, 1, 1), torch.sin(change.hue).view(n, 1, 1)
    grey = torch.full((1, 3, 3), 1 / 3)
    # Rodrigues' rotation about the unit vector (1, 1, 1) / sqrt(3).
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]).unsqueeze(0) / math.sqrt(3)
    rotation = cos * torch.eye(3).unsqueeze(0) + sin * cross + (1 - cos) * grey
    return grey + change.saturation.view(n, 1, 1) * (rotation - grey)


def augment(
    pixels: torch.Tensor,
    view: View,
    geometry: Geometry,
    augmentation: Augmentation,
    seed: int,
    *,
    first: int = 0,
    whole: int | None = None,
) -> torch.Tensor:
    """Augment a batch (N, H, W, C) uint8 into images (N, C, size, size) float32 in 0 to 1.

    The same seed gives the same images; parameters are drawn on the CPU, so a GPU draws the same ones. Of a batch of
    `whole` images these may be N from the `first` on: they become what they would in the whole batch.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = slice(first, first + len(pixels))
    warps = _part(sample_warps(whole or len(pixels), augmentation, generator), rows)
    change = _part(sample_photometry(whole or len(pixels), augmentation, generator), rows)
    with torch.autocast(pixels.device.type, enabled=False):  # colours keep their full precision
        return photometric(warp(pixels, warps, view, geometry), change)


def _part(drawn: Drawn, rows: slice) -> Drawn:
    return type(drawn)(**{name: values[rows] for name, values in vars(drawn).items()})
