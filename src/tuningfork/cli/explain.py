"""`tuningfork explain`: what a model looks at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuningfork.cli.options import Plots, with_image_options
from tuningfork.cli.say import say

if TYPE_CHECKING:
    from tuningfork.sources import ImageOptions


@with_image_options
def command(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a bundled model.")],
    images: Annotated[str, typer.Argument(help="A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    answer: Annotated[
        str | None, typer.Option(help="The answer to explain, a prediction column; Default: the most likely one.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many images.")] = 12,
    plots: Plots = "png",
    *,
    options: ImageOptions,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an explanation that is there.")] = False,
) -> None:
    """Grad-CAM, occlusion, feature maps layer by layer and the channels apart, for each image."""
    from tuningfork.explain import explain_images

    written = explain_images(
        model, images, out, answer=answer, limit=limit, plots=plots, options=options, overwrite=overwrite
    )
    say(f"explanations: {written}")
