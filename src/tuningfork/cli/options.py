"""What a user says of the images, as options that several verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tuningfork.images import ImageOptions

IdColumn = Annotated[str | None, typer.Option(help="The column of the catalogue that holds the ids.")]
FileColumn = Annotated[str | None, typer.Option(help="The column of the catalogue that names the files.")]
Tiles = Annotated[
    str | None,
    typer.Option(help="Cut the catalogue's galaxies out of these tiles, by ra and dec: 'tiles/*-{band}.fits.fz'."),
]
SurveyName = Annotated[str | None, typer.Option("--survey", help="How the files of a survey are to be read: hsc, ...")]
Bands = Annotated[str | None, typer.Option(help="The bands of the planes or files, in their order: g,r,z.")]
ZeroPoint = Annotated[
    str | None, typer.Option(help="The AB magnitude of a pixel value of 1; or one a band, with commas.")
]
PixelScale = Annotated[float | None, typer.Option(help="Arcseconds a pixel.")]
Hdu = Annotated[str | None, typer.Option(help="The FITS unit that holds the image: its name or number.")]
FrameField = Annotated[
    str, typer.Option("--field", help="What is taken for a whole frame: 0.5 of an image, 30arcsec, 8.5*petro_r.")
]
Look = Annotated[
    int | None,
    typer.Option("--look", min=1, metavar="N", help="Only draw the first N images as they will be seen, and stop."),
]


def image_options(
    *,
    id_column: str | None,
    file_column: str | None,
    tiles: str | None,
    survey: str | None,
    bands: str | None,
    zero_point: str | None,
    pixel_scale: float | None,
    hdu: str | None,
    field: str = "1",
) -> ImageOptions:
    """The options of a verb as the library takes them.

    Raises
    ------
    CatalogError
        If one can't be understood.
    """
    from tuningfork.images import Field, ImageOptions, Reading, Survey, load_survey, parse_survey

    stated = parse_survey(bands=bands, zero_point=zero_point, pixel_scale=pixel_scale, hdu=hdu)
    reading = Reading(stated, load_survey(survey) if survey else Survey(), Field.parse(field))
    return ImageOptions(id_column, file_column, tiles, reading)
