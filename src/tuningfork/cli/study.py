"""`tuningfork study`: a group of recipes, run and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[
        str, typer.Argument(help="A bundled study or a .toml file; list, to list them; show, to show one.")
    ],
    pack: Annotated[str, typer.Argument(help="A pack with labels and splits. After show: the study.")] = "",
    out: Annotated[Path | None, typer.Argument(help="The folder to write.")] = None,
    change: Annotated[list[str], typer.Option("--set", help="Change one key of every recipe: optim.epochs=5.")] = [],  # noqa: B006
    split: Annotated[str, typer.Option(help="The split to compare on; test only to report, never to choose.")] = "val",
    where: Annotated[list[str], typer.Option(help="Only rows with column=value (or one|other). Repeatable.")] = [],  # noqa: B006
) -> None:
    """Train every recipe of a study and write the comparison. A killed study goes on where it stopped."""
    from tuningfork.errors import RecipeError
    from tuningfork.files import read_json
    from tuningfork.study import bundled_studies, load_study, run_study

    if name == "list" and not pack:
        for entry in bundled_studies():
            study = load_study(entry)
            typer.echo(f"{entry}\n    {study.title}; {study.source}\n    {', '.join(run.label for run in study.run)}")
    elif name == "show" and pack and out is None:
        import tomli_w

        typer.echo(tomli_w.dumps(load_study(pack).model_dump(mode="json", exclude_defaults=True)))
    elif not pack or out is None:
        raise RecipeError(
            "write `tuningfork study NAME PACK OUT`, `tuningfork study list` or `tuningfork study show NAME`"
        )
    else:
        folder = run_study(load_study(name), pack, out, changes=change, split=split, where=where)
        typer.echo(f"study: {folder}")
        failed = [run["label"] for run in read_json(folder / "study.json", RecipeError)["runs"] if "error" in run]
        if failed:
            typer.echo(f"failed: {', '.join(failed)}; the report and comparison.csv say why", err=True)
            raise typer.Exit(1)
