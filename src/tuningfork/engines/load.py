"""The engines by name, and a model that looks at galaxies through one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tuningfork.engines.eager import CompiledEngine, TorchEngine
from tuningfork.engines.engine import Engine
from tuningfork.engines.fused import FusedEngine, suits
from tuningfork.engines.onnx import OnnxEngine, write_onnx
from tuningfork.engines.openvino import OpenvinoEngine
from tuningfork.errors import ModelError, TuningforkError
from tuningfork.models import GalaxyModel, Model

Make = Callable[[GalaxyModel, torch.device, Path], Engine]


@dataclass(frozen=True)
class Kind:
    """How an engine is made for a network on a device, and when it is worth it.

    `make` takes an ONNX file to read, perhaps yet to be written, as its third argument. `modules` are the libraries
    that the engine needs; `repaid` says how many seconds torch must have to work before its making and its trial are;
    `suits` whether a network is one that it may be quicker for.
    """

    make: Make
    modules: tuple[str, ...]
    repaid: float
    cpu_only: bool
    suits: Callable[[GalaxyModel], bool] = lambda _: True

    @property
    def installed(self) -> bool:
        """Whether its libraries are."""
        return all(find_spec(module) is not None for module in self.modules)


def _reader(engine: Callable[[Path, list[str]], Engine]) -> Make:
    def make(member: GalaxyModel, _: torch.device, path: Path) -> Engine:
        if not path.exists():
            write_onnx(member, path)
        return engine(path, list(member.heads))

    return make


ENGINES = {
    "torch": Kind(lambda member, device, _: TorchEngine(member, device), (), 0, cpu_only=False),
    "fused": Kind(lambda member, *_: FusedEngine(member), (), 20, cpu_only=True, suits=suits),
    "onnxruntime": Kind(_reader(OnnxEngine), ("onnx", "onnxscript", "onnxruntime"), 200, cpu_only=True),
    "openvino": Kind(_reader(OpenvinoEngine), ("onnx", "onnxscript", "openvino"), 200, cpu_only=True),
    "compile": Kind(lambda member, device, _: CompiledEngine(member, device), (), 900, cpu_only=False),
}


def load_engine(model: Model, name: str, device: torch.device, scratch: Path | None = None) -> None:
    """Let every network of a model, which is on `device`, run in the engine of that name.

    Graphs are written to the folder `scratch`, and taken from there where an engine before has written them.

    Raises
    ------
    ModelError
        If the engine can't run on the device, or can't run a network.
    TuningforkError
        If it is not installed.
    """
    if scratch is None:
        with TemporaryDirectory(prefix="tuningfork-") as folder:
            return load_engine(model, name, device, Path(folder))
    kind = ENGINES[name]
    if kind.cpu_only and device.type != "cpu":
        raise ModelError(f"the engine {name} runs on the CPU alone; say --device cpu, or take --engine torch")
    attach(model, device, name, lambda member, index: kind.make(member, device, scratch / f"{index}.onnx"))
    return None


def attach(model: Model, device: torch.device, name: str, make: Callable[[GalaxyModel, int], Engine]) -> None:
    """Give every network the engine that is made for it, each tried on a blank image first.

    Raises
    ------
    ModelError
        If one can't be made, or can't run. The model is then left without engines.
    """
    for member in model.members:
        member.engine = None  # what is copied and exported is the network alone
    engines = []
    for index, member in enumerate(model.members):
        size, channels = member.spec.view.size, member.spec.geometry.channels
        try:
            engine = make(member, index)
            with torch.inference_mode():
                engine(torch.zeros(1, channels, size, size, device=device))
        except TuningforkError:
            raise
        except Exception as error:  # whatever the exporters, compilers and runtimes of others raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"the engine {name} can't run this network ({reason}); take --engine torch") from error
        engines.append(engine)
    for member, engine in zip(model.members, engines, strict=True):
        member.engine = engine
