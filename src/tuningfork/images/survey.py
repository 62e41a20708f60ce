"""What must be known of a survey's files to read them as flux."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from tuningfork.bundled import Bundle
from tuningfork.errors import CatalogError
from tuningfork.files import read_toml


@dataclass(frozen=True)
class Survey:
    """How the pixel values of files are to be read; what is None or empty is not said.

    It is stored in packs and models, so that what a model was trained on is what it is given.

    Parameters
    ----------
    bands : tuple of str
        The bands of the planes or files, in their order, such as ``("g", "r", "z")``.
    zero_point : tuple of float
        The AB magnitude of a pixel value of 1; one for all bands or one a band.
    per_second : bool
        Whether the zero point is that of a count a second, so that values are divided by EXPTIME.
    unit : str
        The unit of a pixel value, as astropy writes it (``nJy``), where there is no zero point.
    pixel_scale : float, optional
        Arcseconds a pixel.
    hdu : str
        The name or number of the FITS unit that holds the image.

    Examples
    --------
    >>> import tuningfork as tf
    >>> tf.Survey(bands=("g", "r"), zero_point=(22.5,)).as_dict()
    {'bands': ['g', 'r'], 'zero_point': [22.5]}
    """

    bands: tuple[str, ...] = ()
    zero_point: tuple[float, ...] = ()
    per_second: bool = False
    unit: str = ""
    pixel_scale: float | None = None
    hdu: str = ""

    def or_else(self, other: Survey) -> Survey:
        """The same, and where it says nothing what another says. A unit and a zero point say the same thing.

        Parameters
        ----------
        other : Survey
            What is taken where this one is silent.

        Returns
        -------
        Survey
        """
        flux = {"unit", "zero_point", "per_second"} if self.unit or self.zero_point else set()
        missing = [f.name for f in fields(self) if not getattr(self, f.name) and f.name not in flux]
        return replace(self, **{name: getattr(other, name) for name in missing})

    def as_dict(self) -> dict[str, Any]:
        """For a manifest: what is said.

        Returns
        -------
        dict
            Ready for JSON.
        """
        return {
            f.name: list(value) if isinstance(value := getattr(self, f.name), tuple) else value
            for f in fields(self)
            if getattr(self, f.name)
        }

    @staticmethod
    def from_dict(table: dict[str, Any]) -> Survey:
        """From a manifest or a TOML file.

        Parameters
        ----------
        table : dict
            As `as_dict` gives it.

        Returns
        -------
        Survey

        Raises
        ------
        CatalogError
            If a key is unknown.
        """
        unknown = set(table) - {f.name for f in fields(Survey)}
        if unknown:
            raise CatalogError(f"a survey has no {', '.join(sorted(unknown))}")
        said: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return Survey(**said)


def parse_survey(
    *, bands: str | None = None, zero_point: str | None = None, pixel_scale: float | None = None, hdu: str | None = None
) -> Survey:
    """What the options of the command say.

    Raises
    ------
    CatalogError
        If one can't be understood.
    """
    names = tuple(name.strip() for name in bands.split(",")) if bands else ()
    if not all(names):
        raise CatalogError(f"--bands {bands}: write the bands with commas between, such as g,r,z")
    try:
        points = tuple(float(part) for part in zero_point.split(",")) if zero_point else ()
    except ValueError as error:
        raise CatalogError(f"--zero-point {zero_point}: write a magnitude, or one a band with commas") from error
    if len(points) > 1 and len(points) != len(names):
        raise CatalogError(f"--zero-point {zero_point}: {len(points)} magnitudes for {len(names)} bands")
    if pixel_scale is not None and not 0 < pixel_scale < math.inf:
        raise CatalogError(f"--pixel-scale {pixel_scale}: it must be above 0 arcseconds")
    return Survey(names, points, pixel_scale=pixel_scale, hdu=hdu or "")


BUNDLE = Bundle("survey", "tuningfork.images", "surveys", "*.toml", CatalogError)


def bundled_surveys() -> list[str]:
    """The names of the surveys whose files are known, in alphabetical order."""
    return BUNDLE.names()


def load_survey(name: str) -> Survey:
    """A bundled survey by name.

    Raises
    ------
    CatalogError
        If there is none of that name.
    """
    table = read_toml(BUNDLE.find(name), CatalogError)
    return Survey.from_dict({key: value for key, value in table.items() if key not in ("title", "sources")})
