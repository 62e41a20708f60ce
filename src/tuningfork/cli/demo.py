"""`tuningfork demo`: the whole path on simulated galaxies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    out: Annotated[Path, typer.Argument(help="The folder to write.")] = Path("demo-out"),
    n: Annotated[int, typer.Option(min=60, help="How many galaxies to simulate.")] = 2400,
    seed: Annotated[int, typer.Option(help="Another seed, other galaxies.")] = 1,
    change: Annotated[list[str], typer.Option("--set", help="Change one key of the recipe: optim.epochs=2.")] = [],  # noqa: B006
) -> None:
    """Simulated galaxies, all the steps, a report: a few minutes on two cores, no network."""
    from rich.console import Console
    from rich.table import Table

    from tuningfork.demo import run_demo
    from tuningfork.evaluation import main_figures

    result = run_demo(out, n=n, seed=seed, changes=tuple(change))
    console = Console()
    table = Table("figure on the test split", "value", "95 % interval", "n", title="Demo: simulated galaxies")
    for schema, label, figure in main_figures(result.evaluation):
        interval = " to ".join(f"{end:.3f}" for end in figure["interval"] or ())
        table.add_row(f"{schema}: {label}", f"{figure['value']:.3f}", interval, f"{figure['n']:,}")
    console.print(table)
    for name, path in result.paths.items():
        say(f"{name:12} {result.seconds[name]:4.0f} s   {path}")
    say(f"open {result.paths['report']} in a browser: galaxies, figures and plots of all that was made")
