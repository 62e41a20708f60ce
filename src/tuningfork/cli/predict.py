"""`tuningfork predict`: images to a table of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuningfork.cli.options import SPEED, Look, with_image_options
from tuningfork.cli.say import say

if TYPE_CHECKING:
    from tuningfork.sources import ImageOptions


@with_image_options
def command(
    images: Annotated[str, typer.Argument(help="A folder, a glob, a catalog, Parquet or HDF5 with images, or a pack.")],
    out: Annotated[
        Path, typer.Argument(help="The table to write: .parquet, .csv, .fits, .vot; a folder where it has no ending.")
    ],
    model: Annotated[str, typer.Option(help="A model folder, or the name of a bundled model.")] = "default",
    layout: Annotated[
        str,
        typer.Option(
            "--format",
            help="table; kaggle, the challenge's submission; or spreadsheet, a CSV in which no text is a formula.",
        ),
    ] = "table",
    columns: Annotated[
        str, typer.Option(help="readable (spiral_arms_yes), or schema: the names of its labels (Class4.1).")
    ] = "readable",
    tta: Annotated[
        int | None,
        typer.Option(
            metavar="VIEWS",
            help="Test-time augmentation: average over 1, 2, 4, 8, 16 or 32 views. Default: as calibrated; with "
            "another number intervals and ood are empty.",
        ),
    ] = None,
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
    """Predict for every image. Run the same command again on a killed run: it goes on where it stopped."""
    from tuningfork.inference import draw_preview as draw_look
    from tuningfork.inference import predict

    if look:
        say(f"look: {draw_look(images, out, n=look, model=model, options=options, workers=workers)}")
        return
    written = predict(
        images,
        out,
        model=model,
        layout=layout,
        columns=columns,
        tta=tta,
        device=device,
        engine=engine,
        options=options,
        workers=workers,
        ray=ray,
        overwrite=overwrite,
        profile=profile,
    )
    say(f"predictions: {written}")
