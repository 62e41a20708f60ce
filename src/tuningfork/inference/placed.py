"""What is to be said of where a model looked for galaxies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tuningfork.images import Decoded
from tuningfork.models import ModelSpec
from tuningfork.models.locator import Places

TRIED = (0.4, 2.5)  # widths; a little beyond those that were measured, 0.5 to 2
REACH = 0.1  # of the side of the square: so far beyond it a view may go without a word


def place_notes(places: Places, spec: ModelSpec) -> list[str | None]:
    """Of each galaxy what a user should know: the frame is unusually wide or narrow, or ends within what is seen."""
    width, aside = places.width.numpy(), np.maximum(places.x.abs().numpy(), places.y.abs().numpy())
    seen = spec.view.field / spec.geometry.field / width
    cut = aside + seen / 2 > 0.5 + REACH
    odd = (width < TRIED[0]) | (width > TRIED[1])
    return [_note(*each) for each in zip(width, odd, cut, strict=True)]


def _note(width: float, odd: bool, cut: bool) -> str | None:
    said = [f"the frame was found to be {width:.2g} times as wide as usual; only 0.5 to 2 was measured"] if odd else []
    if cut:
        said.append("a part of what the model sees lies beyond the frame, and was taken for empty sky")
    return "; ".join(said) or None


def with_notes(batch: Sequence[Decoded], notes: Sequence[str | None]) -> list[Decoded]:
    """The images of a batch, each that could be read with one note more, of which there are as many."""
    more = iter(notes)
    return [
        entry
        if entry.error is not None
        else replace(entry, note="; ".join(filter(None, (entry.note, next(more)))) or None)
        for entry in batch
    ]
