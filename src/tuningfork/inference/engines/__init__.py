"""Engines: what runs a model's networks. PyTorch, compiled or not, ONNX Runtime, OpenVINO, or an exported folder."""

from tuningfork.inference.engines.choose import find_engine, use_engine, use_torch
from tuningfork.inference.engines.engine import Engine
from tuningfork.inference.engines.mount import ENGINES, mount

__all__ = ["ENGINES", "Engine", "find_engine", "mount", "use_engine", "use_torch"]
