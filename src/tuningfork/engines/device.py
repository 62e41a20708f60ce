"""The device a model runs on."""

from __future__ import annotations

import torch

from tuningfork.errors import ModelError, one_line


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is a GPU where there is one.

    Raises
    ------
    ModelError
        If there is no such device here.
    """
    if name != "auto":
        try:
            torch.device(name)
        except RuntimeError as error:
            raise ModelError(f"no device {name!r} here; use cpu, cuda, mps or auto") from error
        try:
            return torch.empty(0, device=name).device
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"no device {name!r} here ({one_line(error).split('. ')[0]}); use cpu or auto") from error
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
