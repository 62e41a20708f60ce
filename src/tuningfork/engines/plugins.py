"""The engines by name: those of the package, and plug-ins, found by the entry points `tuningfork.engines`."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

from tuningfork.engines.eager import CompiledEngine, TorchEngine
from tuningfork.engines.engine import Engine
from tuningfork.engines.onnx import OnnxEngine
from tuningfork.engines.openvino import OpenvinoEngine
from tuningfork.errors import ModelError, first_line

log = logging.getLogger(__name__)

GROUP = "tuningfork.engines"
BUILT_IN: dict[str, type[Engine]] = {
    "torch": TorchEngine,
    "onnxruntime": OnnxEngine,
    "openvino": OpenvinoEngine,
    "compile": CompiledEngine,
}
IN_THE_CLONE = {"fused": "packages/tuningfork-fused"}  # plug-ins that are developed beside the package


def engine_names() -> list[str]:
    """The names that can be asked for; no plug-in is imported for it."""
    return [*BUILT_IN, *_plug_ins()]


def engine_class(name: str) -> type[Engine]:
    """The engine of a name.

    Raises
    ------
    ModelError
        If there is none, or it is a plug-in that can't be imported or is no `Engine`.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    entry = _plug_ins().get(name)
    if entry is None:
        raise ModelError(_absent(name))
    try:
        found = entry.load()
    except Exception as error:  # whatever the code of others raises
        raise ModelError(f"{_said(entry)} can't be imported ({first_line(error)}); update or uninstall it") from error
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise ModelError(f"{_said(entry)} is no tuningfork.engines.Engine; update or uninstall it")
    return found


def _plug_ins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in BUILT_IN}


def _absent(name: str) -> str:
    if name in IN_THE_CLONE:
        return (
            f"the engine {name} is a plug-in that is not installed; "
            f"in a clone of Tuningfork: pip install ./{IN_THE_CLONE[name]}"
        )
    names = ", ".join(["auto", *engine_names()])
    return f"no engine {name!r}; use one of {names}, or a folder that `tuningfork export` wrote"


def _said(entry: EntryPoint) -> str:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
    return f"the engine {entry.name} of {package}"
