"""OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tuningfork.engines.engine import Engine
from tuningfork.engines.onnx import EXTRA, WRITERS, onnx_file
from tuningfork.extras import installed, require
from tuningfork.models import GalaxyModel

SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all threads
    "INFERENCE_PRECISION_HINT": "f32",  # where the CPU has bfloat16, it would be taken unasked
}


class OpenvinoFile(Engine):
    """An ONNX file, or one of OpenVINO's own, in OpenVINO, on the CPU."""

    fixed = True  # kernels made for one shape are the quickest

    def __init__(self, path: Path, heads: Sequence[str]) -> None:
        super().__init__(heads)
        openvino = require("openvino", EXTRA)
        core = openvino.Core()
        model = core.read_model(path)
        _, *image = model.inputs[0].partial_shape
        model.reshape([self.batch, *image])
        inputs = openvino.preprocess.PrePostProcessor(model)
        inputs.input().tensor().set_layout(openvino.Layout("NHWC"))  # as images lie in memory: nothing is copied
        inputs.input().model().set_layout(openvino.Layout("NCHW"))
        model = inputs.build()
        settings = SETTINGS | {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self.request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(self, images: torch.Tensor) -> Sequence[torch.Tensor]:
        """Features and raw outputs, float32, on the CPU."""
        rows = images.permute(0, 2, 3, 1).contiguous()
        results = self.request.infer([rows.numpy()], share_inputs=True)
        return [torch.from_numpy(result) for result in results.to_tuple()]


class OpenvinoEngine(OpenvinoFile):
    """A network as an ONNX graph in OpenVINO, on the CPU."""

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        with onnx_file(network) as path:
            super().__init__(path, list(network.heads))

    @classmethod
    def suits(cls, network: GalaxyModel) -> bool:
        """Whether its libraries are installed."""
        return installed(*WRITERS, "openvino")
