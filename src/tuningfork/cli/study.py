"""`tuningfork study`: a group of recipes, run and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="A bundled study (tuningfork study list) or a .toml file.")],
    pack: Annotated[Path | None, typer.Argument(help="A pack with labels and splits.")] = None,
    out: Annotated[Path | None, typer.Argument(help="The folder to write.")] = None,
    change: Annotated[list[str], typer.Option("--set", help="Change one key of every recipe: optim.epochs=5.")] = [],  # noqa: B006
    split: Annotated[str, typer.Option(help="The split to compare on; test only to report, never to choose.")] = "val",
    where: Annotated[list[str], typer.Option(help="Only rows with this value: column=value. Repeatable.")] = [],  # noqa: B006
) -> None:
    """Train every recipe of a study and write the comparison. A killed study goes on where it stopped."""
    from tuningfork.errors import RecipeError
    from tuningfork.study import bundled_studies, load_study, run_study

    if name == "list" and pack is None:
        for entry in bundled_studies():
            study = load_study(entry)
            typer.echo(f"{entry:28} {study.title}\n{'':28} {', '.join(run.label for run in study.run)}")
    elif pack is None or out is None:
        raise RecipeError("write `tuningfork study NAME PACK OUT`, or `tuningfork study list`")
    else:
        typer.echo(f"study: {run_study(load_study(name), pack, out, changes=change, split=split, where=where)}")
