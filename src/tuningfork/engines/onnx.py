"""ONNX, the graph that every other engine reads, and ONNX Runtime, which runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tuningfork.engines.engine import Engine, Graph
from tuningfork.extras import require
from tuningfork.files import whole_file
from tuningfork.models import GalaxyModel

EXTRA = "fast"
INPUT, FEATURES = "images", "features"


def write_onnx(member: GalaxyModel, path: Path) -> None:
    """Write a network as one ONNX file: `images` (N, C, size, size) float32 in 0 to 1 to `features` and its heads.

    Raises
    ------
    TuningforkError
        If the libraries that write it are not installed.
    """
    for module in ("onnx", "onnxscript"):
        require(module, EXTRA)
    graph = Graph(member).to("cpu")
    size, channels = member.spec.view.size, member.spec.geometry.channels
    with whole_file(path) as temporary:
        program = torch.onnx.export(
            graph,
            (torch.zeros(2, channels, size, size),),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[FEATURES, *member.heads],
            dynamic_shapes=({0: torch.export.Dim("galaxies")},),
        )
        program.save(temporary, external_data=False)  # type: ignore[union-attr]


class OnnxEngine(Engine):
    """ONNX Runtime on the CPU."""

    def __init__(self, path: Path, heads: Sequence[str]) -> None:
        super().__init__(heads)
        onnxruntime = require("onnxruntime", EXTRA)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Threads that wait by spinning would take the cores from those that decode the next images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features and raw outputs, float32, on the CPU."""
        return [torch.from_numpy(result) for result in self.session.run(None, {INPUT: images.contiguous().numpy()})]
