"""What a model says of its network, and of the heads it answers with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tuningfork.errors import ModelError
from tuningfork.manifests.base import MOST_MEMBERS, Entry, FileName, Manifest, Number, Positive
from tuningfork.manifests.packs import GeometryEntry, ReadingEntry


class EncoderEntry(Entry):
    """The network, and what it is built with."""

    name: str
    options: dict[str, Any]


class InputEntry(Entry):
    """What a network sees of a square, and the colours it expects."""

    field: Annotated[Positive, Field(le=1)]
    size: Annotated[int, Field(ge=1, le=2048)]
    mean: list[Number]
    std: list[Annotated[Positive, Field(strict=False)]]


class HeadEntry(Entry):
    """A head, and the schema it answers."""

    spec: dict[str, Any]
    schema_: dict[str, Any] = Field(alias="schema")


class ModelManifest(Manifest):
    """Of a model: all it is built from, and how it was made."""

    FORMAT, NAME, WHAT = "tuningfork-model", "model.json", "a model"
    ABSENT = "training has not finished there; run the same train command again"
    AGAIN, ERROR = "copy the whole model folder, or train it again", ModelError

    encoder: EncoderEntry
    geometry: GeometryEntry
    input: InputEntry
    heads: Annotated[list[HeadEntry], Field(min_length=1)]
    images: ReadingEntry | None = None
    members: Annotated[list[FileName], Field(min_length=2, max_length=MOST_MEMBERS)] | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    recipe: dict[str, Any] | None = None
    figures: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    calibration: dict[str, Any] | None = None
