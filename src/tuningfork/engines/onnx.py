"""ONNX, the graph that every other engine reads, and ONNX Runtime, which runs it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tuningfork.engines.engine import Engine, Graph
from tuningfork.extras import installed, require
from tuningfork.files import whole_file
from tuningfork.models import GalaxyModel

EXTRA = "fast"
INPUT, FEATURES = "images", "features"
WRITERS = ("onnx", "onnxscript")  # what writing a graph takes


def write_onnx(member: GalaxyModel, path: Path) -> None:
    """Write a network as one ONNX file: `images` (N, C, size, size) float32 in 0 to 1 to `features` and its heads.

    Raises
    ------
    TuningforkError
        If the libraries that write it are not installed.
    """
    for module in WRITERS:
        require(module, EXTRA)
    graph = Graph(member).to("cpu")
    size, channels = member.spec.view.size, member.spec.geometry.channels
    with whole_file(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated", FutureWarning)  # torch 2.11 about its own code
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


@contextmanager
def onnx_file(network: GalaxyModel) -> Iterator[Path]:
    """A network's ONNX file, for as long as it takes to read it."""
    with TemporaryDirectory(prefix="tuningfork-") as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(network, path)
        yield path


class OnnxFile(Engine):
    """An ONNX file in ONNX Runtime, on the CPU."""

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


class OnnxEngine(OnnxFile):
    """A network as an ONNX graph in ONNX Runtime, on the CPU."""

    def __init__(self, network: GalaxyModel, device: torch.device) -> None:
        with onnx_file(network) as path:
            super().__init__(path, list(network.heads))

    @classmethod
    def suits(cls, network: GalaxyModel) -> bool:
        """Whether its libraries are installed."""
        return installed(*WRITERS, "onnxruntime")
