"""Engines: what runs a model's networks. PyTorch, ONNX Runtime, OpenVINO, plug-ins, exported folders."""

from tuningfork.engines.choose import find_engine, leave_device, use_engine, use_torch
from tuningfork.engines.engine import Engine, Graph
from tuningfork.engines.load import load_engine
from tuningfork.engines.plugins import engine_class, engine_names

__all__ = [
    "Engine",
    "Graph",
    "engine_class",
    "engine_names",
    "find_engine",
    "leave_device",
    "load_engine",
    "use_engine",
    "use_torch",
]
