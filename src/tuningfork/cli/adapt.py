"""`tuningfork adapt`: a model made to fit another survey by some labels of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a bundled model.")],
    pack: Annotated[Path, typer.Argument(help="A pack of galaxies like those to predict, some with labels.")],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
    split: Annotated[str, typer.Option(help="The galaxies to learn from: all, train, val or test.")] = "all",
    where: Annotated[list[str], typer.Option(help="Only rows with column=value (or one|other). Repeatable.")] = [],  # noqa: B006
    tta: Annotated[
        int | None,
        typer.Option(metavar="VIEWS", help="Test-time augmentation. Default: as the model was calibrated, else 8."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the folds of cross-validation.")] = 0,
) -> None:
    """Adapt a model to another survey by a hundred labels: its heads, its intervals and its flag."""
    from tuningfork.adaptation import adapt
    from tuningfork.adaptation.card import summary

    written = adapt(model, pack, out, split=split, where=where, tta=tta, seed=seed)
    say(summary(written))
    say(f"model: {written}; predict with `--model {written}`")
