"""How images become pixels, beside the geometry of the model: what is known of the files, and what a frame is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tuningfork.catalogs import find_position_columns, in_arcsec
from tuningfork.errors import CatalogError, ImageError
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
    looked
        How much of the square's side a model looks at; the rest is there to be turned and moved in training.
    located
        Whether a model looks for the galaxy in the square, which then need not be in the middle.
    """

    stated: Survey = Survey()
    assumed: Survey = Survey()
    field: Field = Field()
    usual: tuple[float, float] | None = None
    looked: float = 1.0
    located: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For a manifest: what held for its images."""
        said = {"survey": self.stated.or_else(self.assumed).as_dict(), "field": str(self.field)}
        return said | ({"arcsec": list(self.usual)} if self.usual else {})

    @staticmethod
    def from_dict(table: Mapping[str, Any]) -> Reading:
        """From a manifest: what its images were read as, to be assumed of others."""
        low, high = table.get("arcsec") or (0.0, 0.0)
        return Reading(
            assumed=Survey.from_dict(table.get("survey", {})),
            field=Field.parse(table.get("field", "1")),
            usual=(float(low), float(high)) if low else None,
        )

    def like(self, trained: Reading) -> Reading:
        """The same, and where it says nothing as the images that a model was trained on were read."""
        field = trained.field if self.field == Field() else self.field
        return replace(
            self,
            assumed=self.assumed.or_else(trained.assumed),
            field=field,
            usual=trained.usual,
            looked=trained.looked,
            located=trained.located,
        )

    def note(self, field_arcsec: float | None) -> str | None:
        """What to say where a square of that angle is unlike those that the model was trained on."""
        if field_arcsec is None or self.usual is None:
            return None
        low, high = self.usual
        if low / ALIKE <= field_arcsec <= high * ALIKE:
            return None
        ratio = field_arcsec / (low if field_arcsec < low else high)
        return f"{ratio:.2g} times as much of the sky, in angle, as the model was trained on"

    def for_row(self, row: Mapping[str, Any]) -> Reading:
        """The same for one galaxy of a catalogue, whose row may state more; `row` holds what `columns` names.

        Raises
        ------
        ImageError
            If the row has a value that can't be used.
        """
        if not row and not self.field.column:
            return self
        said: dict[str, Any] = {}
        for name in COLUMNS:
            value = row.get(name)
            if pd.isna(value) or value == "" or (name == "bands" and not any(map(str.isalpha, str(value)))):
                continue  # a number of bands says nothing of which they are
            said[name] = _value(name, value)
        stated = Survey(**said).or_else(self.stated) if said else self.stated
        return replace(self, stated=stated, field=self.field.for_row(row))

    def check(self, table: pd.DataFrame, origin: str) -> None:
        """Refuse a catalogue without the column that the field is a multiple of.

        Raises
        ------
        CatalogError
            If it is not there.
        """
        column = self.field.column
        if column and column not in self._columns(table):
            there = ", ".join(map(str, table.columns[:12]))
            raise CatalogError(f"{origin} has no column {column!r}, which --field {self.field} needs; it has {there}")

    def columns(self, table: pd.DataFrame) -> list[str]:
        """The columns of a catalogue that say something of its images."""
        return list(dict.fromkeys([*self._columns(table).values(), *(find_position_columns(table) or ())]))

    def _columns(self, table: pd.DataFrame) -> dict[str, str]:
        """What each column that says something is called in a catalogue, whatever its case."""
        wanted = (*COLUMNS, self.field.column) if self.field.column else COLUMNS
        there = {str(name).casefold(): name for name in reversed(table.columns)}
        found = {name: name if name in table else there.get(name.casefold()) for name in wanted}
        return {name: column for name, column in found.items() if column is not None}

    def rows(self, table: pd.DataFrame, start: int = 0) -> Iterator[Mapping[str, Any]]:
        """What each galaxy's row says, from the `start`-th on; its position under `POSITION`, if there are positions.

        Raises
        ------
        CatalogError
            If the unit of the field's column is no angle.
        """
        names = self._columns(table)
        columns = {name: table[column] for name, column in names.items()}
        if self.field.column in columns:
            columns[self.field.column] = in_arcsec(table, names[self.field.column])
        values: dict[str, Iterable[Any]] = {name: column.iloc[start:] for name, column in columns.items()}
        places = known_places(table)
        if places is not None:
            values[POSITION] = map(tuple, places[start:])
        if not values:
            return iter([{}] * (len(table) - start))
        return (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))


def _value(name: str, value: Any) -> Any:
    if name == "bands":
        from tuningfork.images.fits.bands import parse_bands  # half a second that most catalogues need not wait for

        return parse_bands(str(value))
    if name == "hdu":
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ImageError(f"the catalogue's {name} is {value!r}; a number is needed") from error
    if not math.isfinite(number) or (name == "pixel_scale" and number <= 0):
        raise ImageError(f"the catalogue's {name} is {value!r}; it can't be used")
    return (number,) if name == "zero_point" else number
