"""What exports, embeddings and simulations say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tuningfork.errors import EmbeddingError, ModelError, OutputError
from tuningfork.manifests.base import MOST_MEMBERS, Count, Entry, FileName, Manifest, Number, Size
from tuningfork.manifests.packs import GeometryEntry


class NetworkEntry(Entry):
    """A graph of an exported model."""

    file: FileName


class OriginEntry(Entry):
    """The model that was exported."""

    name: str
    sha256: dict[str, str]


class ExportManifest(Manifest):
    """Of an exported model: its graphs, and how far their answers lie from PyTorch's."""

    FORMAT, NAME, WHAT = "tuningfork-export", "export.json", "an exported model"
    MAKE = "export"
    AGAIN, ERROR = "export again", ModelError

    to: Literal["onnx", "openvino"]
    int8: bool
    model: OriginEntry
    networks: Annotated[list[NetworkEntry], Field(min_length=1, max_length=MOST_MEMBERS)]
    against_torch: dict[str, Any]


class PurityManifest(Manifest):
    """Of what is written beside an embedding: how well its classes keep together."""

    FORMAT, NAME, WHAT = "tuningfork-purity", "purity.json", "the purity of an embedding"
    MAKE, AGAIN, ERROR = "embed", "embed again", EmbeddingError

    schemas: dict[str, Any]


class EmbeddingManifest(Manifest):
    """Of an embedding, in the metadata of its Parquet file."""

    FORMAT, NAME, WHAT = "tuningfork-embedding", "", "an embedding"
    MAKE, AGAIN, ERROR = "embed", "embed again", EmbeddingError

    n: Count
    n_features: Count
    inputs: dict[str, Any]
    geometry: GeometryEntry
    seed: int
    maps: dict[str, Any]
    schemas: list[dict[str, Any]]


class SimulationManifest(Manifest):
    """Of simulated galaxies: the settings, without a date, so that a seed gives the same bytes."""

    FORMAT, NAME, WHAT = "tuningfork-simulation", "simulation.json", "a simulation"
    MAKE, AGAIN, ERROR = "simulate", "simulate again", OutputError

    n: Count
    seed: Count
    size: Size
    fits: bool
    mix: dict[str, Number]
