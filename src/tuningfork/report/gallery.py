"""Rows of a predictions table as pictures: cut out as the model saw them, and only sound ones where that matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tuningfork.report.blocks import Picture
from tuningfork.report.pictures import galaxy_uri
from tuningfork.report.thumbnails import Crop, Finder, saturated

TRIED = 12  # rows for each picture that is wanted, before fewer are shown
LEFT_OUT = "Flagged images, images with a note and saturated ones are left out."


@dataclass(frozen=True)
class Gallery:
    """Draws rows of a table of readable images, which lies in the folder `beside`."""

    table: pd.DataFrame
    finder: Finder
    beside: Path
    crop: Crop

    def pictures(self, rows: Sequence[int], said: Sequence[str], most: int, *, sound: bool = False) -> list[Picture]:
        """The first `most` of these rows whose images are there, with what is said of each.

        `sound` leaves out images that are flagged, that have a note, and that are saturated.
        """
        found: list[Picture] = []
        for row, words in list(zip(rows, said, strict=True))[: most * TRIED]:
            if len(found) == most:
                break
            if sound and self._doubted(row):
                continue
            pixels = self._pixels(row)
            if pixels is not None and not (sound and saturated(pixels)):
                found.append(Picture(galaxy_uri(pixels), f"{words} · {self.table['id_str'].iloc[row]}"))
        return found

    def _pixels(self, row: int) -> np.ndarray | None:
        galaxy = self.table.iloc[row]
        place = galaxy.get("file_loc")
        identity = str(galaxy["id_str"])
        return self.finder.pixels(identity, place if isinstance(place, str) else None, self.beside, self.crop)

    def _doubted(self, row: int) -> bool:
        return any(column in self.table and bool(known(self.table[column]).iloc[row]) for column in ("ood", "note"))


def known(values: pd.Series) -> pd.Series:
    """Whether a flag is set, or a text is there."""
    if values.dtype == object or pd.api.types.is_string_dtype(values):
        return values.notna() & ~values.astype(str).str.casefold().isin(["", "false", "0"])
    return pd.Series(np.nan_to_num(values.to_numpy(dtype=np.float64, na_value=np.nan)) != 0, index=values.index)
