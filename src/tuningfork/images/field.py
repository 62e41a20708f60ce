"""How much of an image is taken for a whole frame: a fraction of it, an angle, or an angle from the catalogue."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuningfork.errors import CatalogError, ImageError

_UNITS = {"arcsec": 1.0, '"': 1.0, "arcmin": 60.0, "deg": 3600.0}
_ANGLE = re.compile(r"(?P<number>[0-9.eE+-]+)\s*(?P<unit>arcsec|arcmin|deg|\")")
_COLUMN = re.compile(r"(?P<number>[0-9.eE+-]+)\s*\*\s*(?P<column>\S.*)")
SLACK = 1.02  # an image may be smaller than the angle by this factor: stated sizes are rounded


@dataclass(frozen=True)
class Field:
    """The central square that is taken for a whole frame.

    Its side is `number` of the image's shorter side; or, where `arcsec`, that many arcseconds; or, with a `column` of
    the catalogue, `number` times the arcseconds that it holds.
    """

    number: float = 1.0
    arcsec: bool = False
    column: str = ""

    def __post_init__(self) -> None:
        angle = self.arcsec or bool(self.column)
        if not (math.isfinite(self.number) and self.number > 0) or (self.number > 1 and not angle):
            raise CatalogError(
                f"a field of {self.number:g}: write a fraction of the image (above 0, at most 1), an angle such as "
                "30arcsec, or a multiple of a column of the catalogue in arcseconds such as 8.5*petro_r"
            )

    @staticmethod
    def parse(text: str) -> Field:
        """``0.5``, ``30arcsec``, ``2arcmin``, or ``8.5*petro_r`` with a column of the catalogue, in arcseconds.

        Raises
        ------
        CatalogError
            If it says none of these.
        """
        try:
            if angle := _ANGLE.fullmatch(text.strip()):
                return Field(float(angle["number"]) * _UNITS[angle["unit"]], arcsec=True)
            if column := _COLUMN.fullmatch(text.strip()):
                return Field(float(column["number"]), column=column["column"])
            return Field(float(text))
        except ValueError as error:
            raise CatalogError(
                f"--field {text}: write a fraction (0.5), an angle (30arcsec, 2arcmin), or a multiple of a column of "
                "the catalogue in arcseconds (8.5*petro_r)"
            ) from error

    def __str__(self) -> str:
        if self.column:
            return f"{self.number:g}*{self.column}"
        return f"{self.number:g}arcsec" if self.arcsec else f"{self.number:g}"

    @property
    def is_angle(self) -> bool:
        """Whether it is an angle on the sky, so that the pixel scale must be known."""
        return self.arcsec or bool(self.column)

    def for_row(self, row: Mapping[str, Any]) -> Field:
        """The field of one galaxy: an angle where it depends on the catalogue.

        Raises
        ------
        ImageError
            If the galaxy's row does not give it.
        """
        if not self.column:
            return self
        try:
            size = self.number * float(row.get(self.column))  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise ImageError(f"the catalogue gives no {self.column} (arcseconds) for the field {self}") from error
        if not (math.isfinite(size) and size > 0):
            raise ImageError(f"{self.column} = {row.get(self.column)} gives no field; it must be above 0 arcseconds")
        return Field(size, arcsec=True)

    def fraction(self, height: int, width: int, pixel_scale: float | None) -> float:
        """The side of the square as a fraction of an image's shorter side, at most 1.

        Raises
        ------
        ImageError
            If it is an angle and the pixel scale is not known, or the image is smaller.
        """
        if not self.is_angle:
            return self.number
        if pixel_scale is None:
            raise ImageError(
                f"its pixel scale is not known, so {self} can't be cut out; give --pixel-scale in arcseconds"
            )
        share = self.number / (pixel_scale * min(height, width))
        if share > SLACK:
            raise ImageError(
                f"it is {pixel_scale * min(height, width):.4g} arcsec wide, less than the field of {self.number:.4g} "
                "arcsec; give a smaller --field or larger images"
            )
        return min(share, 1.0)
