"""The feature maps of any encoder, found by watching it at work, so that no network has to name its layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt

import numpy as np
import torch
from torch import nn

from tuningfork.models import GalaxyModel

NEXT_STAGE = 0.7  # a map this much smaller than the last is a new stage; valid convolutions nibble off less


@dataclass(frozen=True)
class Watched:
    """One module's output that holds maps: `raw` is the tensor the module gave, `side` the maps' height and width.

    `layout` is NCHW, NHWC (as Swin has it) or tokens: (N, prefix + side * side, C), as vision transformers have it.
    """

    name: str
    kind: type[nn.Module]
    raw: torch.Tensor
    side: int
    layout: str

    def maps(self, values: torch.Tensor) -> torch.Tensor:
        """Values in the shape of `raw`, the output itself or its gradient, as maps (N, C, side, side)."""
        if self.layout == "NCHW":
            return values
        if self.layout == "tokens":
            values = values[:, -self.side * self.side :].unflatten(1, (self.side, self.side))
        return values.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class FeatureMap:
    """The maps of one stage of an encoder: `layer` is the module's name, `values` (N, C, side, side) float32."""

    layer: str
    values: np.ndarray


def feature_maps(model: GalaxyModel, pixels: np.ndarray) -> list[FeatureMap]:
    """The feature maps of an encoder, stage by stage from first to last.

    A stage is the last output at each resolution. In a network of one resolution (a vision transformer) each of its
    repeated blocks is a stage, and class tokens are left out.

    Parameters
    ----------
    pixels
        (N, H, W, C) uint8 in the model's geometry.
    """
    with torch.no_grad():
        _, watched = watch(model, network_view(model, pixels))
    return [FeatureMap(stage.name, stage.maps(stage.raw).float().cpu().numpy()) for stage in stages(watched)]


def network_view(model: GalaxyModel, pixels: np.ndarray) -> torch.Tensor:
    """The images a network sees, (N, C, size, size) float32 in 0 to 1 on its device, of pixels (N, H, W, C) uint8."""
    return next(model.images(torch.from_numpy(np.array(pixels)).to(model.mean.device)))


def watch(model: GalaxyModel, images: torch.Tensor) -> tuple[dict[str, torch.Tensor], list[Watched]]:
    """Smooth answers for images (N, C, size, size), and every output of the encoder's modules with maps, in order."""
    encoder, seen = model.encoder, list[Watched]()
    prefix = int(getattr(encoder, "num_prefix_tokens", 0))  # timm's word for class and register tokens

    def note(name: str, module: nn.Module, output: object) -> None:
        if isinstance(output, torch.Tensor) and len(output) == len(images):
            found = _layout(output.shape, images.shape[-1], {watched.side for watched in seen}, prefix)
            if found is not None:
                seen.append(Watched(name, type(module), output, *found))

    def hook(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return module.register_forward_hook(lambda module, _, output: note(name, module, output))

    # Inside attention these may give square weights that are no maps; elsewhere they have nothing new to show.
    idle = (nn.Identity, nn.Dropout, nn.Softmax)
    handles = [hook(name, module) for name, module in encoder.named_modules() if name and not isinstance(module, idle)]
    try:
        return model.expected_answers(model(images)), seen
    finally:
        for handle in handles:
            handle.remove()


def stages(watched: list[Watched]) -> list[Watched]:
    """The stages among an encoder's outputs: the last at each resolution, or its blocks where there is but one."""
    sides = sorted({output.side for output in watched}, reverse=True)
    starts = [after for before, after in pairwise(sides) if after < NEXT_STAGE * before]
    if watched and not starts:
        return _blocks(watched)
    # A later output of the same stage takes the place of an earlier one.
    last = {sum(output.side <= start for start in starts): output for output in watched}
    return [last[stage] for stage in sorted(last)]


def _blocks(watched: list[Watched]) -> list[Watched]:
    """The outputs of the modules of one type that stand most often side by side, the outermost and latest of them."""
    groups = defaultdict(list)
    for output in watched:
        groups[output.name.rpartition(".")[0], output.kind].append(output)
    return max(reversed(groups.values()), key=lambda group: (len(group), -group[0].name.count(".")))


def _layout(shape: torch.Size, size: int, sides: Iterable[int], prefix: int) -> tuple[int, str] | None:
    """Side and layout of an output, None if it holds no maps: images are square, so maps are, of 2 to `size` pixels.

    Tokens are known by their number: that of the pixels of a map seen before, the patch embedding's if no other.
    """
    if len(shape) == 4 and shape[2] == shape[3] and 1 < shape[2] <= size:
        return shape[2], "NCHW"
    if len(shape) == 4 and shape[1] == shape[2] and 1 < shape[1] <= size:
        return shape[1], "NHWC"
    if len(shape) == 3 and shape[1] - prefix in {side * side for side in sides}:
        return isqrt(shape[1] - prefix), "tokens"
    return None
