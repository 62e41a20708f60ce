"""`tuningfork report`: packs, models, predictions and evaluations as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Packs, models, predictions tables and evaluations, in order."),
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="The title of the page.")] = "Tuningfork report",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
) -> None:
    """Draw packs, models, predictions and evaluations as one HTML file that needs nothing else."""
    from tuningfork.report import write_report

    say(write_report(paths, out, title, overwrite=overwrite))
