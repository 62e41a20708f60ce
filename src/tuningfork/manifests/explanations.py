"""What an explanation says of each galaxy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from tuningfork.errors import OutputError
from tuningfork.manifests.base import Digest, Entry, FileName, Manifest, Size


class LookEntry(Entry):
    """What the model sees, and how large the hidden patch is."""

    field: FiniteFloat
    size: Size
    patch: Size
    located: bool = False


class GradCamEntry(Entry):
    """Where Grad-CAM's map lies."""

    centroid_offset: FiniteFloat | None
    inner_half: FiniteFloat | None


class OcclusionEntry(Entry):
    """How far the answer falls, and where the patch is then."""

    largest_drop: FiniteFloat
    x: FiniteFloat
    y: FiniteFloat


class FrameEntry(Entry):
    """Where the galaxy was found in its frame, and the frame's width; as of `models.locator.Places`."""

    width: FiniteFloat
    x: FiniteFloat
    y: FiniteFloat


class ExplainedEntry(Entry):
    """A galaxy that was explained."""

    id_str: str
    answer: str
    words: str
    value: FiniteFloat
    gradcam: GradCamEntry
    occlusion: OcclusionEntry
    frame: FrameEntry | None = None
    plots: Annotated[list[FileName], Field(min_length=2)]
    sha256: dict[FileName, Digest] = Field(default_factory=dict)
    note: str = ""


class UnreadEntry(Entry):
    """A galaxy whose image could not be read."""

    id_str: str
    error: str


class ExplanationManifest(Manifest):
    """Of an explanation: the galaxies with their plots, and those that could not be read."""

    FORMAT, NAME, WHAT = "tuningfork-explanation", "explanation.json", "an explanation"
    MAKE = "explain"
    AGAIN, ERROR = "explain again", OutputError

    model: str
    view: LookEntry
    galaxies: list[ExplainedEntry]
    errors: list[UnreadEntry]
