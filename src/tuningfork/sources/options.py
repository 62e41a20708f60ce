"""What a user says of the images: which columns name them, where the tiles are, how they are to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from tuningfork.images.field import Field
from tuningfork.images.reading import Reading
from tuningfork.images.survey import Survey, load_survey, parse_survey


class ImageArguments(TypedDict, total=False):
    """What can be said of images, as arguments of functions and, with the same names, as options of the command.

    Attributes
    ----------
    id_column, file_column : str
        The columns of a catalogue that hold the ids and the names of the files, where they have no usual names.
    tiles : str
        A pattern of tile files, such as ``tiles/*-{band}.fits.fz``, from which galaxies are cut out.
    survey : str
        What its files leave unsaid: legacy, sdss, hsc, kids, panstarrs, des, hst, jwst, euclid, rubin.
    bands : str
        The bands of the planes or files, in their order: ``g,r,z``.
    zero_point : str or float
        The AB magnitude of a pixel value of 1; or one a band, with commas.
    pixel_scale : float
        Arcseconds a pixel.
    hdu : str or int
        The FITS unit that holds the image.
    field : str or float
        What is taken for a whole frame: a fraction of the image (0.5), an angle (``30arcsec``), or an angle by a column
        of the catalogue (``8.5*petro_r``). Default: the whole image.
    """

    id_column: str | None
    file_column: str | None
    tiles: str | None
    survey: str | None
    bands: str | None
    zero_point: str | float | None
    pixel_scale: float | None
    hdu: str | int | None
    field: str | float


@dataclass(frozen=True)
class ImageOptions:
    """Beside the source itself.

    Parameters
    ----------
    id_column, file_column
        The columns of a catalogue that hold the ids and the names of the files, where they have no usual names.
    tiles
        A pattern of tile files from which the galaxies of a catalogue are cut out at their `ra` and `dec`; with
        ``{band}`` in it, one file a band.
    reading
        How the images are to be read.
    """

    id_column: str | None = None
    file_column: str | None = None
    tiles: str | None = None
    reading: Reading = Reading()

    @staticmethod
    def of(said: ImageArguments) -> ImageOptions:
        """From arguments, as `ImageArguments` describes them.

        Raises
        ------
        CatalogError
            If one can't be understood.
        """
        zero_point, hdu, survey = said.get("zero_point"), said.get("hdu"), said.get("survey")
        stated = parse_survey(
            bands=said.get("bands"),
            zero_point=None if zero_point is None else str(zero_point),
            pixel_scale=said.get("pixel_scale"),
            hdu=None if hdu is None else str(hdu),
        )
        assumed = load_survey(survey) if survey else Survey()
        reading = Reading(stated, assumed, Field.parse(str(said.get("field", "1"))))
        return ImageOptions(said.get("id_column"), said.get("file_column"), said.get("tiles"), reading)

    def as_dict(self) -> dict[str, Any]:
        """For a manifest: what is said."""
        reading = self.reading
        said = {
            "id_column": self.id_column,
            "file_column": self.file_column,
            "tiles": self.tiles,
            "stated": reading.stated.as_dict(),
            "assumed": reading.assumed.as_dict(),
        }
        return {name: value for name, value in said.items() if value} | {"field": str(reading.field)}

    @staticmethod
    def from_dict(said: dict[str, Any]) -> ImageOptions:
        """From a manifest.

        Raises
        ------
        CatalogError
            If it says what this version does not know.
        """
        stated, assumed = (Survey.from_dict(said.get(name, {})) for name in ("stated", "assumed"))
        reading = Reading(stated, assumed, Field.parse(said.get("field", "1")))
        return ImageOptions(said.get("id_column"), said.get("file_column"), said.get("tiles"), reading)
