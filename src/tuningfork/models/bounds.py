"""How large a network may become: known before its memory is taken."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from tuningfork.errors import ModelError

LARGEST = 1 << 31  # numbers, 8 GB
LARGEST_MAP = 1 << 27  # numbers of the largest map of one image, 512 MB; a network holds two or three such
LARGEST_MAPS = 1 << 27  # of those of all images that are looked at together
_MAKERS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn}


class Bounded(TorchFunctionMode):
    """In this context, networks are built until their tensors would hold more than `largest` numbers.

    Raises
    ------
    ModelError
        When they would.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        super().__init__()
        self.largest, self.made = largest, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Make what is asked for, if there is room."""
        if func in _MAKERS:
            self.made += _numbers(*args)
            if self.made > self.largest:
                raise ModelError(
                    f"the network would hold more than {self.largest:,} numbers; choose a smaller encoder or options"
                )
        return func(*args, **(kwargs or {}))


def largest_map(network: nn.Module, channels: int, size: int) -> int:
    """The numbers of the largest tensor that a network makes of one image (channels, size, size).

    The network is run without numbers, on PyTorch's device ``meta``, so that no memory is taken; whatever it raises
    there is raised.
    """
    without: dict[int, Any] = {id(buffer): buffer.to("meta") for buffer in network.buffers()}
    for weights in network.parameters():
        empty = nn.UninitializedParameter(device="meta") if is_lazy(weights) else nn.Parameter(weights.to("meta"))
        without[id(weights)] = empty
    shape = copy.deepcopy(network, without).eval()
    with torch.no_grad(), _Watched() as seen:
        shape(torch.empty(1, channels, size, size, device="meta"))
    return int(seen.largest)


class _Watched(TorchFunctionMode):
    """In this context, the largest tensor is known that PyTorch's functions make."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.largest = max(self.largest, made.numel())
        return made


def _numbers(*shape: Any) -> int:
    sides = shape[0] if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
    count = 1
    for side in sides:
        count *= side if isinstance(side, int) else 1
    return count
