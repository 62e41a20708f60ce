"""`tuningfork study`: a group of recipes, run and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuningfork.cli.options import Plots
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
    seeds: Annotated[int, typer.Option(min=1, help="How many times each run is trained, each with its own seed.")] = 1,
    plots: Plots = "png",
) -> None:
    """Train every recipe of a study and write the comparison. A killed study goes on where it stopped."""
    from tuningfork.errors import RecipeError
    from tuningfork.files import read_json
    from tuningfork.plotting.style import check_format
    from tuningfork.study import bundled_studies, load_study
    from tuningfork.study.repeats import repeats_of
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
        check_format(plots)
        recipes = [repeat.recipe for repeat in repeats_of(study, change, seeds)]
        check_places(recipes, Rows(split, where), Path(pack), out)  # torch, which is slow to import, comes after
        from tuningfork.study import run_study

        folder = run_study(study, pack, out, changes=change, split=split, where=where, seeds=seeds, plots=plots)
        written = read_json(folder / "study.json", RecipeError)
        runs = written["runs"]
        _show(runs, seeds, split)
        if seeds > 1:
            _show_seeds(written["over_seeds"], split)
        say(f"study: {folder}; open {folder / 'report.html'}")
        failed = [_named(run, seeds) for run in runs if "error" in run]
        if failed:
            say(f"failed: {', '.join(failed)}; the report and comparison.csv say why", err=True)
            raise typer.Exit(1)


def _show(runs: list[dict[str, Any]], seeds: int, split: str) -> None:
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
            label = escape(shown(_named(run, seeds)))
            table.add_row(label, f"{figure['schema']} {figure['figure']}", value, interval, f"{figure['n']:,}", *cost)
    if table.row_count:
        Console().print(table)


def _named(run: dict[str, Any], seeds: int) -> str:
    """A training: its run, and where it has several its seed."""
    return f"{run['label']}, seed {run['seed']}" if seeds > 1 else str(run["label"])


def _show_seeds(summary: list[dict[str, Any]], split: str) -> None:
    """The first figure of each schema, a row a run: its mean over the seeds, and their standard deviation."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    mains: dict[str, str] = {}
    table = Table("run", "figure", "mean", "spread", "seeds", title=f"Over the seeds, on the {split} split")
    for entry in summary:
        if mains.setdefault(entry["schema"], entry["figure"]) == entry["figure"]:
            spread = "–" if entry["spread"] is None else f"{entry['spread']:.4f}"
            row = (f"{entry['schema']} {entry['figure']}", f"{entry['mean']:.4f}", spread, str(len(entry["values"])))
            table.add_row(escape(shown(entry["label"])), *row)
    Console().print(table)
