"""Engines: what runs a model's networks. PyTorch, compiled or not, ONNX Runtime, OpenVINO, or an exported folder."""

from tuningfork.engines.choose import find_engine, use_engine, use_torch
from tuningfork.engines.engine import Engine
from tuningfork.engines.load import ENGINES, load_engine

__all__ = ["ENGINES", "Engine", "find_engine", "load_engine", "use_engine", "use_torch"]
