"""`tuningfork similar`: the galaxies most like a given one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.options import Plots
from tuningfork.cli.say import say


def command(
    embedding: Annotated[Path, typer.Argument(help="An embedding (tuningfork embed).")],
    id_str: Annotated[list[str], typer.Argument(metavar="ID...", help="The galaxies to look for, by id.")],
    out: Annotated[
        Path, typer.Option(help="The table to write: .csv, .parquet, .fits, .vot. A contact sheet goes beside it.")
    ] = Path("similar.csv"),
    n: Annotated[int, typer.Option("-n", min=1, help="How many neighbours of each.")] = 12,
    plots: Plots = "png",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist already.")] = False,
) -> None:
    """List and show the galaxies whose features are nearest to those of the ones asked about."""
    from tuningfork.embeddings import similar

    say(similar(embedding, id_str, out, n=n, plots=plots, overwrite=overwrite))
