"""How large a network may become: known before its memory is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from tuningfork.errors import ModelError

LARGEST = 1 << 31  # numbers, 8 GB
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


def _numbers(*shape: Any) -> int:
    sides = shape[0] if len(shape) == 1 and isinstance(shape[0], list | tuple) else shape
    count = 1
    for side in sides:
        count *= side if isinstance(side, int) else 1
    return count
