"""Several devices train as one: what is counted and normalised over the batch that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import distributed
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules._functions import SyncBatchNorm
from torch.overrides import TorchFunctionMode


def device_count() -> int:
    """How many devices train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def sum_over_devices(values: torch.Tensor) -> torch.Tensor:
    """The sum of each number over all devices; no gradient goes through it."""
    if device_count() == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


class SharedBatchNorm(TorchFunctionMode):
    """In this context batch norm takes mean and variance over the batch of all devices, whichever layer asks for it.

    It replaces the function, not the layers: converting layers, as PyTorch and timm do, would lose what a subclass
    of `nn.BatchNorm2d` does besides.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Every function of PyTorch comes through here; only batch norm in training is changed."""
        kwargs = kwargs or {}
        if func is functional.batch_norm and kwargs["training"]:
            return _shared(*args, **kwargs)
        return func(*args, **kwargs)


def _shared(
    maps: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    *,
    training: bool,
    momentum: float,
    eps: float,
) -> torch.Tensor:
    """`functional.batch_norm` over all devices, each of which has a part (N, C, ...) of the batch."""
    if maps.device.type != "cpu":
        group = distributed.group.WORLD
        shared: torch.Tensor = SyncBatchNorm.apply(
            maps, weight, bias, running_mean, running_var, eps, momentum, group, device_count()
        )
        return shared
    # PyTorch's own is for accelerators only.
    axes = [axis for axis in range(maps.ndim) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(maps.ndim)]
    variances, means = torch.var_mean(maps.double(), dim=axes, correction=0)
    count = maps.numel() / maps.shape[1]
    sums = torch.stack([torch.full_like(means, count), count * means, count * (variances + means**2)])
    total, first, second = _Sum.apply(sums)
    mean = first / total
    variance = (second / total - mean**2).clamp(min=0)
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * total / (total - 1)).to(running_var.dtype), momentum)
    scale = torch.rsqrt(variance + eps) * (1.0 if weight is None else weight)
    offset = (0.0 if bias is None else bias) - mean * scale
    normal: torch.Tensor = maps * scale.float().view(shape) + offset.float().view(shape)
    return normal.to(maps.dtype)


class _Sum(torch.autograd.Function):
    """The sum over all devices, through which gradients of all devices come back."""

    @staticmethod
    def forward(_: Any, values: torch.Tensor) -> torch.Tensor:
        return sum_over_devices(values)

    @staticmethod
    @once_differentiable
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:
        return sum_over_devices(gradient)
