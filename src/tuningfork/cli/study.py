"""`tuningfork study`: a group of recipes, run and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuningfork.cli.say import say
from tuningfork.text import shown


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
    from tuningfork.study import bundled_studies, load_study
    from tuningfork.study.study import Rows, check_places

    if name == "list" and not pack:
        for entry in bundled_studies():
            study = load_study(entry)
            say(f"{entry}\n    {study.title}; {study.source}\n    {', '.join(run.label for run in study.run)}")
    elif name == "show" and pack and out is None:
        import tomli_w

        say(tomli_w.dumps(load_study(pack).model_dump(mode="json", exclude_defaults=True)))
    elif not pack or out is None:
        raise RecipeError(
            "write `tuningfork study NAME PACK OUT`, `tuningfork study list` or `tuningfork study show NAME`"
        )
    else:
        study = load_study(name)
        recipes = study.recipes(change)
        check_places(recipes, Rows(split, where), Path(pack), out)  # torch, which is slow to import, comes after
        from tuningfork.study import run_study

        folder = run_study(study, pack, out, changes=change, split=split, where=where)
        runs = read_json(folder / "study.json", RecipeError)["runs"]
        _show(runs, split)
        say(f"study: {folder}; open {folder / 'report.html'}")
        failed = [run["label"] for run in runs if "error" in run]
        if failed:
            say(f"failed: {', '.join(failed)}; the report and comparison.csv say why", err=True)
            raise typer.Exit(1)


def _show(runs: list[dict[str, Any]], split: str) -> None:
    """The first figure of each schema, a row a run."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "figure", "value", "95 % interval", "n", "epochs", "seconds", title=f"On the {split} split")
    for run in runs:
        seen: set[str] = set()
        for figure in run.get("figures", []):
            if figure["schema"] in seen:
                continue
            seen.add(figure["schema"])
            interval = " to ".join(f"{end:.4f}" for end in figure["interval"] or ())
            value = "–" if figure["value"] is None else f"{figure['value']:.4f}"
            cost = (str(run["epochs"]), f"{run['seconds']:.0f}")
            label = escape(shown(run["label"]))
            table.add_row(label, f"{figure['schema']} {figure['figure']}", value, interval, f"{figure['n']:,}", *cost)
    if table.row_count:
        Console().print(table)
