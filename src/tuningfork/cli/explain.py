"""`tuningfork explain`: what a model looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.options import (
    Bands,
    FileColumn,
    FrameField,
    Hdu,
    IdColumn,
    PixelScale,
    SurveyName,
    Tiles,
    ZeroPoint,
    image_options,
)


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a bundled model.")],
    images: Annotated[str, typer.Argument(help="A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    answer: Annotated[
        str | None, typer.Option(help="The answer to explain, a prediction column; the most likely one unless told.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many images.")] = 12,
    id_column: IdColumn = None,
    file_column: FileColumn = None,
    tiles: Tiles = None,
    survey: SurveyName = None,
    bands: Bands = None,
    zero_point: ZeroPoint = None,
    pixel_scale: PixelScale = None,
    hdu: Hdu = None,
    field: FrameField = "1",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an explanation that stands there.")] = False,
) -> None:
    """Grad-CAM, occlusion, feature maps layer by layer and the channels apart, for each image."""
    from tuningfork.explain import explain

    options = image_options(
        id_column=id_column,
        file_column=file_column,
        tiles=tiles,
        survey=survey,
        bands=bands,
        zero_point=zero_point,
        pixel_scale=pixel_scale,
        hdu=hdu,
        field=field,
    )
    written = explain(model, images, out, answer=answer, limit=limit, options=options, overwrite=overwrite)
    typer.echo(f"explanations: {written}")
