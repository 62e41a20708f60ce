"""Whether an image is of the place where its catalogue says that the galaxy is."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs import find_position_columns, positions
from tuningfork.errors import CatalogError

log = logging.getLogger(__name__)

POSITION = "(ra, dec)"  # of what a row says, beside its columns: its position in degrees
FAR = 5.0  # arcsec between the position and the middle of the image that are worth saying
FAR_SHARE = 0.05  # and so is this share of the field


def known_places(table: pd.DataFrame) -> np.ndarray | None:
    """Positions in degrees, (N, 2), NaN where unknown; None where there are none that can be used, which is said."""
    if find_position_columns(table) is None:
        return None
    try:
        return positions(table, "the catalogue")
    except CatalogError as error:  # images can be read without
        log.warning("positions are not compared with those of the images: %s", error)
        return None


def position_note(row: Mapping[str, Any], sky: tuple[float, float] | None, field_arcsec: float | None) -> str | None:
    """What to say where the middle of an image is not where its row of the catalogue says that the galaxy is.

    `sky` is (ra, dec) in degrees of the middle of an image of which `field_arcsec` is looked at.
    """
    place = row.get(POSITION)
    if place is None or sky is None or not all(map(math.isfinite, place)):
        return None
    apart = _arcsec_between(place, sky)
    if apart <= min(FAR, FAR_SHARE * (field_arcsec or math.inf)):
        return None
    return f"the catalogue's position is {apart:.3g} arcsec from the middle of the image"


def _arcsec_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    (ra, dec), (ra2, dec2) = (map(math.radians, place) for place in (one, other))
    haversine = math.sin((dec - dec2) / 2) ** 2 + math.cos(dec) * math.cos(dec2) * math.sin((ra - ra2) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(haversine)))) * 3600
