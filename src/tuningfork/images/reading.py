"""How images become pixels, beside the geometry of the model: what is known of the files, and what a frame is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tuningfork.errors import ImageError
from tuningfork.images.field import Field
from tuningfork.images.survey import Survey

COLUMNS = ("bands", "zero_point", "pixel_scale", "hdu")  # of a catalogue, where it says these of each galaxy


@dataclass(frozen=True)
class Reading:
    """What is said of the images.

    Parameters
    ----------
    stated
        What the user says; it counts more than what a file says.
    assumed
        What holds where neither the user nor the file says it: a survey's preset, or what a model was trained on.
    field
        How much of an image is taken for a whole frame.
    """

    stated: Survey = Survey()
    assumed: Survey = Survey()
    field: Field = Field()

    def for_row(self, row: Mapping[str, Any]) -> Reading:
        """The same for one galaxy of a catalogue, whose row may state more; `row` holds what `columns` names.

        Raises
        ------
        ImageError
            If the row has a value that can't be used.
        """
        said: dict[str, Any] = {}
        for name in COLUMNS:
            value = row.get(name)
            if pd.isna(value) or value == "":
                continue
            said[name] = _value(name, value)
        stated = Survey(**said).or_else(self.stated) if said else self.stated
        return replace(self, stated=stated, field=self.field.for_row(row))

    def columns(self, table: pd.DataFrame) -> list[str]:
        """The columns of a catalogue that say something of its images."""
        wanted = (*COLUMNS, self.field.column) if self.field.column else COLUMNS
        return [name for name in wanted if name in table]

    def rows(self, table: pd.DataFrame, start: int = 0) -> Iterator[Mapping[str, Any]]:
        """What each galaxy's row says, from the `start`-th on."""
        names = self.columns(table)
        if not names:
            yield from ({} for _ in range(len(table) - start))
            return
        values = (table[name].iloc[start:] for name in names)
        yield from (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))


def _value(name: str, value: Any) -> Any:
    if name == "bands":
        return tuple(str(value).replace(",", " ").split()) if any(c in str(value) for c in ", ") else tuple(str(value))
    if name == "hdu":
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ImageError(f"the catalogue's {name} is {value!r}; a number is needed") from error
    if not math.isfinite(number) or (name == "pixel_scale" and number <= 0):
        raise ImageError(f"the catalogue's {name} is {value!r}; it can't be used")
    return (number,) if name == "zero_point" else number
