"""What a user says of the images, as options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from tuningfork.sources import ImageOptions

IMAGES, SPEED = "The images", "Speed"  # groups of options

Look = Annotated[
    int | None,
    typer.Option("--look", min=1, metavar="N", help="Only draw the first N images as they will be seen, and stop."),
]
Plots = Annotated[str, typer.Option("--plots", help="Plots as pdf or svg for a paper, too, beside the png.")]


def image_options(
    id_column: Annotated[
        str | None, typer.Option(rich_help_panel=IMAGES, help="The column of ids, in a catalogue or in labels.")
    ] = None,
    file_column: Annotated[
        str | None, typer.Option(rich_help_panel=IMAGES, help="The column of a catalogue that names the files.")
    ] = None,
    tiles: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=IMAGES,
            help="Cut the galaxies out of these tiles, at their ra and dec: 'tiles/*-{band}.fits.fz'.",
        ),
    ] = None,
    survey: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=IMAGES,
            help="What its files leave unsaid: legacy, sdss, hsc, kids, panstarrs, des, hst, jwst, euclid, rubin.",
        ),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option(rich_help_panel=IMAGES, help="The bands of the planes or files, in their order: g,r,z."),
    ] = None,
    zero_point: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=IMAGES, help="The AB magnitude of a pixel value of 1; or one a band, with commas."
        ),
    ] = None,
    pixel_scale: Annotated[float | None, typer.Option(rich_help_panel=IMAGES, help="Arcseconds a pixel.")] = None,
    hdu: Annotated[
        str | None, typer.Option(rich_help_panel=IMAGES, help="The FITS unit that holds the image: its name or number.")
    ] = None,
    field: Annotated[
        str,
        typer.Option(
            rich_help_panel=IMAGES, help="What is taken for a whole frame: 0.5 of an image, 30arcsec, 8.5*petro_r."
        ),
    ] = "1",
) -> ImageOptions:
    """What the options say, as the library takes it.

    Raises
    ------
    CatalogError
        If one can't be understood.
    """
    from tuningfork.sources import ImageOptions

    return ImageOptions.of(
        {
            "id_column": id_column,
            "file_column": file_column,
            "tiles": tiles,
            "survey": survey,
            "bands": bands,
            "zero_point": zero_point,
            "pixel_scale": pixel_scale,
            "hdu": hdu,
            "field": field,
        }
    )


def with_image_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb these options in place of its parameter `options`, which takes what they say."""
    shared, own = (signature(function).parameters for function in (image_options, command))

    def verb(**given: Any) -> None:
        said = image_options(**{name: given.pop(name) for name in shared})
        command(options=said, **given)

    hints = _hints(image_options) | _hints(command)
    parameters = [each for name in own for each in (shared.values() if name == "options" else [own[name]])]
    parameters = [each.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[each.name]) for each in parameters]
    verb.__doc__, verb.__name__, verb.__module__ = command.__doc__, command.__name__, command.__module__
    verb.__annotations__ = {each.name: each.annotation for each in parameters}
    verb.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return verb


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function, localns={"ImageOptions": object}, include_extras=True)
