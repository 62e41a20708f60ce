"""How images become pixels, beside the geometry of the model: what is known of the files, and what a frame is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tuningfork.catalogs import find_position_columns, in_arcsec
from tuningfork.errors import ImageError
from tuningfork.images.field import Field
from tuningfork.images.position import POSITION, known_places
from tuningfork.images.survey import Survey

ALIKE = 1.25  # factor between angles that are about the same
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
    usual
        The smallest and largest angle, in arcseconds, of the squares that a model was trained on, where known.
    """

    stated: Survey = Survey()
    assumed: Survey = Survey()
    field: Field = Field()
    usual: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a manifest: what held for its images."""
        said = {"survey": self.stated.or_else(self.assumed).as_dict(), "field": str(self.field)}
        return said | ({"arcsec": list(self.usual)} if self.usual else {})

    @staticmethod
    def from_dict(table: Mapping[str, Any]) -> Reading:
        """From a manifest: what its images were read as, to be assumed of others."""
        low, high = table.get("arcsec", (None, None))
        return Reading(
            assumed=Survey.from_dict(table["survey"]),
            field=Field.parse(table["field"]),
            usual=(float(low), float(high)) if low else None,
        )

    def like(self, trained: Reading) -> Reading:
        """The same, and where it says nothing as the images that a model was trained on were read."""
        field = trained.field if self.field == Field() else self.field
        return replace(self, assumed=self.assumed.or_else(trained.assumed), field=field, usual=trained.usual)

    def note(self, field_arcsec: float | None) -> str | None:
        """What to say where a square of that angle is unlike those that the model was trained on."""
        if field_arcsec is None or self.usual is None:
            return None
        low, high = self.usual
        if low / ALIKE <= field_arcsec <= high * ALIKE:
            return None
        trained = f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"
        return f"{field_arcsec:.3g} arcsec are looked at; the model was trained on {trained}"

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
        wanted = (*COLUMNS, self.field.column, *(find_position_columns(table) or ()))
        return [name for name in dict.fromkeys(wanted) if name in table]

    def rows(self, table: pd.DataFrame, start: int = 0) -> Iterator[Mapping[str, Any]]:
        """What each galaxy's row says, from the `start`-th on; its position under `POSITION`, if there are positions.

        Raises
        ------
        CatalogError
            If the unit of the field's column is no angle.
        """
        columns = {name: table[name] for name in self.columns(table)}
        if self.field.column in columns:
            columns[self.field.column] = in_arcsec(table, self.field.column)
        values: dict[str, Iterable[Any]] = {name: column.iloc[start:] for name, column in columns.items()}
        places = known_places(table)
        if places is not None:
            values[POSITION] = map(tuple, places[start:])
        if not values:
            return iter([{}] * (len(table) - start))
        return (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))


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
