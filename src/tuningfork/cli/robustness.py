"""`tuningfork robustness`: where a model breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.options import Plots
from tuningfork.cli.say import say


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a bundled model.")],
    pack: Annotated[Path, typer.Argument(help="A pack with labels.")],
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    split: Annotated[str, typer.Option(help="The split to measure on.")] = "val",
    where: Annotated[list[str], typer.Option(help="Only rows with column=value (or one|other). Repeatable.")] = [],  # noqa: B006
    limit: Annotated[int, typer.Option(min=1, help="At most this many galaxies.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the choice of galaxies and the bootstrap.")] = 0,
    plots: Plots = "png",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another measurement that is there.")] = False,
) -> None:
    """Measure a model on galaxies turned, shifted, noisier, blurred, coarser and compressed; draw the curves."""
    from tuningfork.robustness import measure_robustness

    written = measure_robustness(
        model, pack, out, split=split, where=where, limit=limit, seed=seed, plots=plots, overwrite=overwrite
    )
    say(f"robustness: {written}")
