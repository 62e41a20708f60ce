"""What a journal of labels says: a first line of what it is, then an event a line."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tuningfork.errors import CatalogError
from tuningfork.manifests.base import Count, Entry, Manifest


class LabelsManifest(Manifest):
    """Of a journal of labels: its first line. `seed` decides which galaxies are set aside for validation."""

    FORMAT, NAME, WHAT = "tuningfork-labels", "", "a journal of labels"
    MAKE, AGAIN, ERROR = "explore", "begin a new one with --labels", CatalogError

    seed: Count


class LabelEvent(Entry):
    """One line of a journal: `user` did something at `time` (UTC).

    ``schema`` defines one; ``label`` and ``skip`` are of the galaxy `id` by the schema `schema`; ``undo`` takes back
    the event `undoes`; ``vote`` says of an unusual galaxy whether it is interesting. `queued` is whether the galaxy
    came from the queue, and was not chosen for what it is; `filtered`, whether a filter had narrowed the queue.
    """

    n: Count
    time: str
    user: str
    kind: Literal["schema", "label", "skip", "undo", "vote"]
    id: str = ""
    schema_: str = Field("", alias="schema")
    answer: str | None = None
    set: Literal["train", "validation"] = "train"
    queued: bool = False
    filtered: bool = False
    undoes: Count | None = None
    interesting: bool | None = None
    definition: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _whole(self) -> LabelEvent:
        needed = {
            "schema": self.definition is not None,
            "label": bool(self.id and self.schema_ and self.answer is not None),
            "skip": bool(self.id and self.schema_),
            "undo": self.undoes is not None,
            "vote": bool(self.id) and self.interesting is not None,
        }
        if not needed[self.kind]:
            raise ValueError(f"a {self.kind} that does not say of what")
        return self
