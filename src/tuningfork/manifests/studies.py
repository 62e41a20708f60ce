"""What a study says of its runs."""

from __future__ import annotations

from typing import Self

from pydantic import Field, FiniteFloat, model_validator

from tuningfork.errors import OutputError
from tuningfork.manifests.base import Count, Entry, FileName, Interval, Manifest
from tuningfork.manifests.evaluations import FigureEntry


class ReportedEntry(Entry):
    """A figure that the source of a recipe reports."""

    figure: str
    value: FiniteFloat
    on: str


class NamedFigureEntry(FigureEntry):
    """A figure of a schema."""

    schema_: str = Field(alias="schema")
    figure: str


class SeedsEntry(Entry):
    """A figure of a run over its seeds, and the difference of its mean from the first run's, with its interval."""

    label: str
    schema_: str = Field(alias="schema")
    figure: str
    mean: FiniteFloat
    spread: FiniteFloat | None
    values: list[FiniteFloat]
    difference: FiniteFloat | None
    interval: Interval | None


class RunEntry(Entry):
    """A run of a study, by one seed; `folder` is its name in `models` and `evaluations`, absent where it failed."""

    label: str
    seed: int = 0
    folder: FileName | None = None
    error: str = ""
    recipe: str = ""
    changes: list[str] = Field(default_factory=list)
    reported: list[ReportedEntry] = Field(default_factory=list)
    galaxies: Count = 0
    parameters: Count = 0
    lr: FiniteFloat = 0
    batch_size: Count = 0
    epochs: Count = 0
    best_epoch: Count = 0
    seconds: FiniteFloat = 0
    device: str = ""
    figures: list[NamedFigureEntry] = Field(default_factory=list)
    differences: list[NamedFigureEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {"recipe", "changes", "reported", "galaxies", "parameters", "lr", "batch_size", "epochs", "best_epoch"}
        absent = sorted((needed | {"seconds", "device"}) - self.model_fields_set)
        if "figures" in self.model_fields_set and absent:
            raise ValueError(f"{absent[0]} is missing of a finished run")
        return self


class StudyManifest(Manifest):
    """Of a study: its runs, compared."""

    FORMAT, NAME, WHAT = "tuningfork-study", "study.json", "a study"
    MAKE = "study"
    AGAIN, ERROR = "run the study again", OutputError

    title: str
    source: str
    split: str
    rows: list[str]
    pack: str
    seeds: Count = 1
    plots: list[FileName]
    runs: list[RunEntry]
    over_seeds: list[SeedsEntry] = Field(default_factory=list)
