"""The pixels of galaxies for thumbnails, cut out as the model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuningfork.errors import ImageError, TuningforkError
from tuningfork.images import Geometry, Item, Reading, decode
from tuningfork.images.field import Field
from tuningfork.images.survey import Survey
from tuningfork.packs import Pack

SIDE = 128  # pixels; about as many as they are shown at
WHITE = 250  # of 255, in all channels
SATURATED = 0.05  # of the pixels seen; of challenge galaxies bright cores reach 0.03


@dataclass(frozen=True)
class Crop:
    """What a model looks at: the share `field` of the frame that `reading` says, of a pack of which it is `looked`."""

    field: float = 1.0
    looked: float = 1.0
    reading: Reading = Reading()

    @staticmethod
    def of_predictions(manifest: Mapping[str, Any]) -> Crop:
        """Of the provenance of a predictions table; the whole frame where it says nothing that can be used."""
        try:
            read = manifest["reading"] or {}
            looked = float(read.get("looked", 1.0))
            stated, assumed = (Survey.from_dict(_said(read.get(key))) for key in ("stated", "assumed"))
            reading = Reading(stated, assumed, Field(**read["field"]) if "field" in read else Field())
            geometry = Geometry.from_dict(manifest["geometry"])
        except (KeyError, TypeError, ValueError, AttributeError, TuningforkError):
            return Crop()
        return Crop(geometry.field * looked, looked, reading) if 0 < looked <= 1 else Crop()


@dataclass(frozen=True)
class Finder:
    """Finds the picture of a galaxy: its file, or its row in one of the packs of the page."""

    packs: Sequence[Pack] = ()

    def pixels(self, id_str: str, file_loc: str | None, beside: Path, crop: Crop) -> np.ndarray | None:
        """What a model sees (H, W, C), or None where there is no picture.

        A relative `file_loc` is tried as it is and from `beside`.
        """
        for pack in self.packs:
            rows = np.flatnonzero((pack.catalog["id_str"] == id_str).to_numpy())
            if len(rows):
                return middle(pack.pixels[rows[0]], crop.looked)
        for path in (Path(file_loc), beside / file_loc) if file_loc else ():
            if path.is_file():
                try:
                    geometry = Geometry(crop.field, SIDE, 3)
                    return decode(Item.of_file(id_str, str(path), path).load(), geometry, crop.reading)[0]
                except ImageError:
                    return None
        return None


def middle(pixels: np.ndarray, share: float) -> np.ndarray:
    """The central square of a square (H, W, C)."""
    side = max(1, round(share * len(pixels)))
    start = (len(pixels) - side) // 2
    return np.asarray(pixels[start : start + side, start : start + side])


def saturated(pixels: np.ndarray) -> bool:
    """Whether much of what is seen is white: such a frame is no galaxy that is surely round."""
    return bool((pixels.min(axis=2) >= WHITE).mean() > SATURATED)


def _said(table: Any) -> dict[str, Any]:
    """What a survey says, without what it leaves open."""
    return {key: value for key, value in dict(table or {}).items() if value not in (None, "", [], False)}
