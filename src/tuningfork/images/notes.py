"""What is to be said of many images: each kind of note once, with a count, and the angles that were looked at."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from tuningfork.images.reading import ALIKE

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"\d[\d.,]*")
Angles = tuple[float, float]


def count_notes(counts: dict[str, int], note: str, n: int = 1) -> None:
    """Count a note, whose parts are set off by semicolons; parts that differ in their numbers alone are one kind."""
    for part in note.split("; "):
        kind = _kind(part)
        same = next((known for known in counts if _kind(known) == kind), part)
        counts[part if same == part else kind] = counts.pop(same, 0) + n


def _kind(part: str) -> str:
    return _NUMBER.sub("…", part)


def widest(angles: Iterable[float | None], known: Angles | None = None) -> Angles | None:
    """The smallest and largest of angles and of those `known`; None where there are none."""
    values = [*(angle for angle in angles if angle is not None), *(known or ())]
    return (min(values), max(values)) if values else None


def counted(n: int) -> str:
    """``1 image``, ``1,234 images``."""
    return "1 image" if n == 1 else f"{n:,} images"


def say_notes(counts: dict[str, int], angles: Angles | None) -> None:
    """Log each kind of note, and the `angles` in arcseconds that were looked at where they differ."""
    for note, count in counts.items():
        log.info("%s: %s", counted(count), note)
    if angles and angles[1] > ALIKE * angles[0]:
        log.info(
            "the squares that were looked at are %.3g to %.3g arcsec wide; where galaxies are to be seen at one scale, "
            "give --field as an angle",
            *angles,
        )
