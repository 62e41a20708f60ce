"""`tuningfork ensemble`: several models as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    models: Annotated[
        list[str],
        typer.Argument(help="Two or more model folders or bundled models, of one field."),
    ],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
) -> None:
    """Make one model of several: its answers are the means of theirs, and where they disagree it is unsure."""
    from tuningfork.models import make_ensemble

    say(f"ensemble of {len(models)}: {make_ensemble(models, out)}; without intervals until you run `calibrate`")
