"""Engines: what runs a model's networks. PyTorch, compiled or not, ONNX Runtime, OpenVINO, or an exported folder."""

from tuningfork.inference.engines.choose import use_engine
from tuningfork.inference.engines.engine import Engine
from tuningfork.inference.engines.mount import ENGINES, mount

__all__ = ["ENGINES", "Engine", "mount", "use_engine"]
