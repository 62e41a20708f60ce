"""`tuningfork train`: a recipe and a pack to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    recipe: Annotated[str, typer.Argument(help="A bundled recipe (see `tuningfork recipes`) or a .toml file.")],
    pack: Annotated[Path, typer.Argument(help="A pack with labels and a train and a val split.")],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
    change: Annotated[list[str], typer.Option("--set", help="Change one key of the recipe: optim.lr=1e-3.")] = [],  # noqa: B006
    devices: Annotated[int, typer.Option(min=1, help="How many devices to train on, on each machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="How many machines (torchrun or SLURM: docs/scale.md).")] = 1,
    accelerator: Annotated[str, typer.Option(help="cpu, gpu, mps, or auto: the best there is.")] = "auto",
) -> None:
    """Train a model. Run the same command again on a killed run: it goes on where it stopped."""
    from tuningfork.training import check_places, load_recipe

    checked = load_recipe(recipe, change)
    check_places(checked, pack, out)  # torch, which takes seconds to import, comes after that
    from tuningfork.training import train

    folder = train(checked, pack, out, devices=devices, nodes=nodes, accelerator=accelerator)
    say(f"model: {folder}")
