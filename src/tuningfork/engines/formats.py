"""The files that a network can be exported to, and its quantisation to 8-bit integers in each."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tuningfork.engines.onnx import EXTRA, INPUT, OnnxFile, write_onnx
from tuningfork.engines.openvino import OpenvinoFile
from tuningfork.errors import ModelError, one_line
from tuningfork.extras import require
from tuningfork.models import GalaxyModel

STANDARD = ("", "ai.onnx")  # the domains of ONNX's own operations


class Format(ABC):
    """How graphs lie in files, and the engine that reads them."""

    suffix: ClassVar[str]
    engine: ClassVar[type[OnnxFile] | type[OpenvinoFile]]

    def export(self, member: GalaxyModel, folder: Path, name: str, samples: Sequence[np.ndarray] | None) -> str:
        """Write a network to a folder; the name of the file.

        With `samples`, each (1, C, size, size) float32 in 0 to 1, weights and maps become 8-bit integers, whose
        ranges are those that the samples show (post-training static quantisation, Jacob et al. 2018, CVPR).
        """
        source = folder / f"{name}.onnx"
        write_onnx(member, source)
        graph = self.read(source)
        source.unlink()
        self.write(
            _quantised(graph, [self.feed(one) for one in samples]) if samples else graph,
            folder / f"{name}{self.suffix}",
        )
        return f"{name}{self.suffix}"

    @abstractmethod
    def files(self, name: str) -> tuple[str, ...]:
        """The names of all files of the graph whose file has this name."""

    @abstractmethod
    def check(self, path: Path) -> None:
        """See that a graph, which may come from anyone, is of this format and names no other file and no code.

        Raises
        ------
        ModelError
            If it is not.
        """

    @abstractmethod
    def read(self, path: Path) -> Any:
        """The graph in an ONNX file."""

    @abstractmethod
    def write(self, graph: Any, path: Path) -> None:
        """Write a graph as a file of this format."""

    @abstractmethod
    def feed(self, images: np.ndarray) -> Any:
        """Images as the quantiser is given them."""


class Onnx(Format):
    """The open format that most runtimes read."""

    suffix = ".onnx"
    engine = OnnxFile

    def files(self, name: str) -> tuple[str, ...]:
        """One."""
        return (name,)

    def check(self, path: Path) -> None:
        """Its weights lie in itself, and its operations are those of the standard."""
        onnx = require("onnx", EXTRA)
        from google.protobuf.message import DecodeError  # comes with onnx

        try:
            graph = onnx.load_model_from_string(path.read_bytes())
        except (OSError, DecodeError) as error:
            raise ModelError(f"{path} is no ONNX graph ({one_line(error)}); export again") from error
        for part in _parts(graph):
            if part.DESCRIPTOR.name == "TensorProto" and (part.external_data or part.data_location):
                raise ModelError(
                    f"{path}: the tensor {part.name!r} lies in another file, which is not read; export again"
                )
            if part.DESCRIPTOR.name == "NodeProto" and part.domain not in STANDARD:
                raise ModelError(
                    f"{path}: the operation {part.op_type!r} of {part.domain!r} is not of ONNX itself; export again"
                )

    def read(self, path: Path) -> Any:
        """The graph, in memory."""
        return require("onnx", EXTRA).load(path)

    def write(self, graph: Any, path: Path) -> None:
        """One file."""
        require("onnx", EXTRA).save(graph, path)

    def feed(self, images: np.ndarray) -> Any:
        """By name."""
        return {INPUT: images}


class Openvino(Format):
    """OpenVINO's own: a graph (.xml) and, beside it, its weights (.bin)."""

    suffix = ".xml"
    engine = OpenvinoFile

    def files(self, name: str) -> tuple[str, ...]:
        """The graph and its weights."""
        return (name, f"{name.removesuffix(self.suffix)}.bin")

    def check(self, path: Path) -> None:
        """It is no other format under the name of this one; its weights are in the file beside it alone."""
        with path.open("rb") as file:
            if not file.read(5) == b"<?xml":
                raise ModelError(f"{path} is no graph of OpenVINO's; export again")

    def read(self, path: Path) -> Any:
        """The graph, in memory."""
        return require("openvino", EXTRA).Core().read_model(path.read_bytes())

    def write(self, graph: Any, path: Path) -> None:
        """Two files; the weights keep their precision."""
        require("openvino", EXTRA).save_model(graph, path, compress_to_fp16=False)

    def feed(self, images: np.ndarray) -> Any:
        """As they are."""
        return images


def _parts(message: Any) -> Iterator[Any]:
    """A message of ONNX and all messages in it."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        for field, value in part.ListFields():
            if field.message_type is not None:
                waiting += [value] if hasattr(value, "DESCRIPTOR") else value


FORMATS: dict[str, Format] = {"onnx": Onnx(), "openvino": Openvino()}


def _quantised(graph: Any, samples: list[Any]) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # or it sends word of its use to its makers
    nncf = require("nncf", EXTRA)
    # Bias correction made it worse: the bundled model's fractions moved by 0.014 with it in ONNX, by 0.009 without.
    plain = nncf.AdvancedQuantizationParameters(disable_bias_correction=True)
    with redirect_stdout(sys.stderr):  # where its progress bars belong
        return nncf.quantize(
            graph,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset.MIXED,  # maps may lie more on one side of 0, as GELU's do
            subset_size=len(samples),
            advanced_parameters=plain,
        )
