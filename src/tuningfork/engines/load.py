"""A model that answers through an engine, once the engine has shown that it answers as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch.nn import functional

from tuningfork.engines.agree import distance, tolerance
from tuningfork.engines.engine import Engine
from tuningfork.engines.plugins import engine_class
from tuningfork.errors import ModelError, TuningforkError, first_line
from tuningfork.images import Geometry
from tuningfork.models import GalaxyModel, Model
from tuningfork.models.model import Outputs

SAMPLES = 4  # images on which an engine is compared with PyTorch


def load_engine(model: Model, name: str, device: torch.device) -> None:
    """Let every network of a model, which is on `device`, run in the engine of that name.

    The engine is used only where its answers and features for a few images are PyTorch's.

    Raises
    ------
    ModelError
        If there is no such engine, it can't run on the device, can't run a network, or answers otherwise. The model is
        then left without engines.
    TuningforkError
        If a library that it needs is not installed.
    """
    kind = engine_class(name)
    if kind.cpu_only and device.type != "cpu":
        raise ModelError(f"the engine {name} runs on the CPU alone; say --device cpu, or take --engine torch")
    _detach(model)
    images = _samples(model.spec.geometry).to(device)
    expected = model.infer_unchecked(images)
    make = cast(Callable[[GalaxyModel, torch.device], Engine], kind)
    attach(model, device, name, lambda member, _: make(member, device))
    apart = distance(model, model.infer_unchecked(images), expected)
    if not apart <= tolerance(device):  # NaN is not
        _detach(model)
        raise ModelError(f"the engine {name} gives other answers than PyTorch (by {apart:.2g}), and is not used")


def attach(model: Model, device: torch.device, name: str, make: Callable[[GalaxyModel, int], Engine]) -> None:
    """Give every network the engine that is made for it, each tried on a blank image first.

    Raises
    ------
    ModelError
        If one can't be made, or can't run. The model is then left without engines.
    """
    _detach(model)  # what is copied and exported is the network alone
    engines = []
    for index, member in enumerate(model.members):
        size, channels = member.spec.view.size, member.spec.geometry.channels
        try:
            engine = make(member, index)
            if device.type == "cpu":
                engine.batch = min(engine.batch, member.at_once)
            with torch.inference_mode():
                blank = torch.zeros(1, channels, size, size, device=device)
                if _shapes(engine(blank)) != _shapes(member.outputs(blank)):
                    raise ModelError(f"the engine {name} gives answers of other shapes than PyTorch, and is not used")
        except TuningforkError:
            raise
        except Exception as error:  # whatever the exporters, compilers and runtimes of others raise
            reason = first_line(error)
            raise ModelError(f"the engine {name} can't run this network ({reason}); take --engine torch") from error
        engines.append(engine)
    for member, engine in zip(model.members, engines, strict=True):
        member.engine = engine


def _detach(model: Model) -> None:
    for member in model.members:
        member.engine = None


def _shapes(outputs: Outputs) -> dict[str, torch.Size]:
    features, raw = outputs
    return {"": features.shape} | {head: values.shape for head, values in raw.items()}


def _samples(geometry: Geometry) -> torch.Tensor:
    """Pack pixels (N, H, W, C) of smooth blots of light: in noise a network would see the same everywhere."""
    coarse = torch.rand(SAMPLES, geometry.channels, 4, 4, generator=torch.Generator().manual_seed(0))
    fine = functional.interpolate(coarse, size=geometry.size, mode="bilinear")
    return (255 * fine).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
