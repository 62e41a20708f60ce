"""What every engine does: run one network, as a graph from images to features and raw outputs."""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tuningfork.errors import ModelError
from tuningfork.models import GalaxyModel
from tuningfork.models.model import Outputs
from tuningfork.models.networks.equivariant import GroupConv, GroupNorm

log = logging.getLogger(__name__)

CPU_BATCH = 32  # images at once: large enough for the kernels, small enough that maps do not crowd out the caches
GPU_BATCH = 256


class Engine(ABC):
    """Runs a network in its own way; it is called with images and answers as `GalaxyModel.outputs` does.

    A plug-in is a subclass that is made of a network and the device it is on, and has `run`. Where a GPU has too little
    memory for a batch, the batch is halved.

    Parameters
    ----------
    heads
        Names of the network's heads, in the order in which `run` returns their outputs.
    batch
        How many images `run` is given at once, at most.

    Attributes
    ----------
    fixed
        Whether `run` must always be given `batch` images: a smaller last batch is filled up with repetitions.
    cpu_only
        Whether it runs on the CPU alone.
    repaid
        For how many seconds PyTorch must have to work before ``auto`` tries the engine: until then making it and
        trying it cost more than they save.
    """

    fixed: ClassVar[bool] = False
    cpu_only: ClassVar[bool] = True
    repaid: ClassVar[float] = 200

    def __init__(self, heads: Sequence[str], batch: int = CPU_BATCH) -> None:
        self.heads, self.batch = tuple(heads), batch

    @classmethod
    def suits(cls, network: GalaxyModel) -> bool:
        """Whether ``auto`` should try it: it may be quicker than PyTorch for the network, and what it needs is here."""
        return True

    def __call__(self, images: torch.Tensor) -> Outputs:
        """Features (N, F) and raw outputs (N, K) of each head, for images (N, C, size, size) float32 in 0 to 1."""
        parts: list[Sequence[torch.Tensor]] = []
        rest = images
        while len(rest):
            part = self._attempt(rest[: self.batch])
            if part is None:
                torch.cuda.empty_cache()
                continue
            parts.append(part)
            rest = rest[len(part[0]) :]
        features, *raw = (torch.cat(results) for results in zip(*parts, strict=True))
        return features, dict(zip(self.heads, raw, strict=True))

    @abstractmethod
    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features (N, F), then the raw outputs (N, K) of each head, float32, on the device of the images.

        Parameters
        ----------
        images
            (N, C, size, size) float32 in 0 to 1, N at most `batch`; mean and standard deviation are still to be taken
            off.
        """

    def _attempt(self, images: torch.Tensor) -> Sequence[torch.Tensor] | None:
        """What `_part` gives, or None where memory did not suffice and the batch has been halved."""
        try:
            return self._part(images)
        except torch.OutOfMemoryError as error:
            if self.batch == 1:
                raise ModelError("the device has too little memory for one image; use --device cpu") from error
            self.batch //= 2
            log.info("the device has too little memory: %d images at once from here on", self.batch)
            return None

    def _part(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        missing = self.batch - len(images)
        if not self.fixed or missing == 0:
            return self.run(images)
        filled = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)])
        return [result[: len(images)] for result in self.run(filled)]


class Graph(nn.Module):
    """A network as engines take it: images (N, C, size, size) in 0 to 1 to features and the raw outputs of each head.

    The weights are a copy, in which layers that are ordinary ones once they are trained have become these, and
    convolutions have taken over the norms after them.
    """

    def __init__(self, member: GalaxyModel) -> None:
        super().__init__()
        self.member = copy.deepcopy(member)
        self.member.locator = None  # it looks before there are images
        _make_ordinary(self.member)
        self.eval().requires_grad_(False)
        _fold_norms(self.member)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Features (N, F), then raw outputs (N, K) of each head."""
        features, raw = self.member.outputs(images)
        return (features, *raw.values())


def _fold_norms(module: nn.Module) -> None:
    """Let each convolution do what the norm after it in a sequence does: maps are passed through once less."""
    for sequence in [child for child in module.modules() if type(child) is nn.Sequential]:
        for (name, convolution), (next_name, norm) in pairwise(list(sequence.named_children())):
            if type(convolution) is nn.Conv2d and type(norm) is nn.BatchNorm2d and norm.running_mean is not None:
                setattr(sequence, name, fuse_conv_bn_eval(convolution, norm))
                setattr(sequence, next_name, nn.Identity())


def _make_ordinary(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, GroupConv | GroupNorm):
            setattr(module, name, child.ordinary())
        else:
            _make_ordinary(child)
