"""`tuningfork calibrate`: how sure a model is, measured and kept in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    model: Annotated[str, typer.Argument(help="A model folder.")],
    pack: Annotated[Path, typer.Argument(help="A pack with labels, of galaxies the model was not trained on.")],
    split: Annotated[str, typer.Option(help="The split to measure on.")] = "val",
    where: Annotated[list[str], typer.Option(help="Intervals from rows with column=value (or one|other).")] = [],  # noqa: B006
    tta: Annotated[
        int, typer.Option(metavar="VIEWS", help="Test-time augmentation: average over 1, 2, 4, 8, 16 or 32 views.")
    ] = 8,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what was measured on other galaxies.")
    ] = False,
) -> None:
    """Measure a model's uncertainty: conformal intervals, calibrated probabilities, the out-of-distribution flag."""
    from tuningfork.inference import calibrate

    say(f"calibrated: {calibrate(model, pack, split=split, where=where, tta=tta, overwrite=overwrite)}")
