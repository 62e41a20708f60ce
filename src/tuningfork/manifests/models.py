"""What a model says of its network, and of the heads it answers with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, FiniteFloat

from tuningfork.errors import ModelError
from tuningfork.manifests.base import MOST_MEMBERS, Count, Entry, FileName, Manifest, Number, Positive
from tuningfork.manifests.evaluations import FigureEntry
from tuningfork.manifests.packs import GeometryEntry, ReadingEntry


class EncoderEntry(Entry):
    """The network, and what it is built with."""

    name: str
    options: dict[str, Any]


class InputEntry(Entry):
    """What a network sees of a square, the colours it expects, and whether galaxies are looked for in it."""

    field: Annotated[Positive, Field(le=1)]
    size: Annotated[int, Field(ge=1, le=2048)]
    mean: list[Number]
    std: list[Annotated[Positive, Field(strict=False)]]
    located: bool = False


class HeadEntry(Entry):
    """A head, and the schema it answers."""

    spec: dict[str, Any]
    schema_: dict[str, Any] = Field(alias="schema")


class ComparedEntry(Entry):
    """A figure before and after a model was adapted."""

    figure: str
    before: FigureEntry | None
    after: FigureEntry


class BiasEntry(Entry):
    """How far an answer is from what is known, on average over galaxies."""

    answer: str
    n: Count
    before: FiniteFloat | None
    after: FiniteFloat | None


class CurveEntry(Entry):
    """A figure by the number of labels."""

    labels: Count
    figure: str
    value: FiniteFloat


class AdaptedEntry(Entry):
    """What labels have made of a head: the penalty that was chosen, None where it is as it was.

    Of a `new` one, what was before is the same answer for all galaxies: the one that suits the labels best.
    """

    n: Count
    penalty: FiniteFloat | None
    new: bool = False
    figures: list[ComparedEntry]
    bias: list[BiasEntry]
    curve: list[CurveEntry]
    further: list[CurveEntry]


class AdaptationEntry(Entry):
    """From what model, by which galaxies, and what has become of each head.

    `data` are the hashes of the pack, of which the galaxies are a `split`, those with the values `rows`.
    """

    model: str
    sha256: dict[str, str]
    pack: str
    where: str
    data: dict[str, str] = Field(default_factory=dict)
    split: str = "all"
    rows: list[str] = Field(default_factory=list)
    job: str
    schemas: dict[str, AdaptedEntry] = Field(default_factory=dict)


class LocatorEntry(Entry):
    """What the network that looks for galaxies was trained on: the hashes of a pack, whose split `train` it was."""

    sha256: dict[str, str] = Field(default_factory=dict)


class ModelManifest(Manifest):
    """Of a model: all it is built from, and how it was made."""

    FORMAT, NAME, WHAT = "tuningfork-model", "model.json", "a model"
    MAKE = "train"
    AGAIN, ERROR = "copy the whole model folder, or train it again", ModelError

    encoder: EncoderEntry
    geometry: GeometryEntry
    input: InputEntry
    heads: Annotated[list[HeadEntry], Field(min_length=1)]
    images: ReadingEntry | None = None
    members: Annotated[list[FileName], Field(min_length=2, max_length=MOST_MEMBERS)] | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    locator: LocatorEntry | None = None
    recipe: dict[str, Any] | None = None
    figures: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    calibration: dict[str, Any] | None = None
    adaptation: AdaptationEntry | None = None
