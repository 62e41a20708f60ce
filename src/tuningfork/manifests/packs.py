"""What a pack says of its images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tuningfork.errors import PackError
from tuningfork.manifests.base import Count, Digest, Entry, Manifest, Number, Positive

LARGEST_SQUARE = 1 << 26  # bytes of a square: 4096 pixels a side in four channels


class GeometryEntry(Entry):
    """As `images.Geometry`."""

    field: Annotated[Positive, Field(le=1)]
    size: Annotated[int, Field(ge=1, le=4096)]
    channels: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _is_small(self) -> Self:
        if self.size**2 * self.channels > LARGEST_SQUARE:
            raise ValueError(f"{self.size} x {self.size} pixels of {self.channels} channels are too many")
        return self


class SurveyEntry(Entry):
    """As `images.Survey`; what is not there is not said."""

    bands: list[str] = Field(default_factory=list)
    zero_point: list[Number] = Field(default_factory=list)
    per_second: bool = False
    unit: str = ""
    pixel_scale: Annotated[Positive, Field(strict=False)] | None = None
    hdu: str = ""


class ReadingEntry(Entry):
    """As `images.Reading`: how images were read."""

    survey: SurveyEntry = SurveyEntry()
    field: str = "1"
    arcsec: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None


class PackManifest(Manifest):
    """Of a pack: N images in one geometry, with what is asked of them."""

    FORMAT, NAME, WHAT = "tuningfork-pack", "pack.json", "a pack"
    MAKE = "pack"
    AGAIN, ERROR = "pack again", PackError

    n: Count
    geometry: GeometryEntry
    schemas: list[dict[str, Any]]
    splits: dict[str, Count] = Field(default_factory=dict)
    errors: list[dict[str, str]] = Field(default_factory=list)
    notes: dict[str, int] = Field(default_factory=dict)
    labelled: dict[str, Count] = Field(default_factory=dict)
    source: dict[str, Any] = Field(default_factory=dict)
    images: ReadingEntry | None = None
    job: str | None = None
    sampled: Digest | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """As of every manifest; where there is no folder, nothing was ever packed there."""
        if not folder.exists():
            raise cls.ERROR(f"no pack at {folder}; make it with `tuningfork pack`")
        return super().read(folder)
