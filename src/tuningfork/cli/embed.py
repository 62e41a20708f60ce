"""`tuningfork embed`: images to features and their maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuningfork.cli.options import SPEED, Look, Plots, with_image_options
from tuningfork.cli.say import say

if TYPE_CHECKING:
    from tuningfork.sources import ImageOptions


@with_image_options
def command(
    images: Annotated[str, typer.Argument(help="A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.")],
    out: Annotated[Path, typer.Argument(help="The embedding to write: .parquet.")],
    model: Annotated[str, typer.Option(help="A model folder, or the name of a bundled model.")] = "default",
    maps: Annotated[str, typer.Option(help="Maps to make: pca, tsne, umap, with commas between; or none.")] = "pca",
    seed: Annotated[int, typer.Option(help="Of the maps, and of the intervals of the purity.")] = 0,
    plots: Plots = "png",
    device: Annotated[str, typer.Option(rich_help_panel=SPEED, help="cpu, cuda, cuda:1, mps, or auto.")] = "auto",
    engine: Annotated[
        str,
        typer.Option(
            rich_help_panel=SPEED,
            help="torch, onnxruntime, openvino, compile, a plug-in (fused), an exported folder, or auto: the quickest.",
        ),
    ] = "auto",
    *,
    options: ImageOptions,
    look: Look = None,
    workers: Annotated[
        int | None,
        typer.Option(rich_help_panel=SPEED, min=1, help="Threads that decode. Default: cores + 1; 1 for tiles."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(rich_help_panel=SPEED, metavar="ADDRESS", help="Work on a Ray cluster: its address, or local."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", rich_help_panel=SPEED, help="Say at the end what the time went to.")
    ] = False,
) -> None:
    """The features of every image, and where each lies on the map. A killed run goes on where it stopped."""
    from tuningfork.inference import draw_preview as draw_look
    from tuningfork.inference import embed

    if look:
        say(f"look: {draw_look(images, out, n=look, model=model, options=options, workers=workers)}")
        return
    names = [] if maps == "none" else maps.split(",")
    written = embed(
        images,
        out,
        model=model,
        maps=names,
        seed=seed,
        plots=plots,
        device=device,
        engine=engine,
        options=options,
        workers=workers,
        ray=ray,
        overwrite=overwrite,
        profile=profile,
    )
    say(f"embedding: {written}")
