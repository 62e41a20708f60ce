"""`tuningfork anomalies`: the galaxies least like the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.options import Plots
from tuningfork.cli.say import say


def command(
    embedding: Annotated[Path, typer.Argument(help="An embedding (tuningfork embed).")],
    out: Annotated[
        Path, typer.Option(help="The table to write: .csv, .parquet, .fits, .vot. Contact sheets go beside it.")
    ] = Path("anomalies.csv"),
    n: Annotated[int, typer.Option("-n", min=1, help="How many to show on the contact sheets.")] = 24,
    seed: Annotated[int, typer.Option(help="Of the isolation forest.")] = 0,
    plots: Plots = "png",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist already.")] = False,
) -> None:
    """Rank galaxies by how much they differ from the others: isolation forest, and distance to neighbours."""
    from tuningfork.embeddings import anomalies

    say(anomalies(embedding, out, n=n, seed=seed, plots=plots, overwrite=overwrite))
