"""The progress bar of long work: on a terminal it moves, in a log it is a line a minute and one at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_A_LINE = 60.0


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error; call what it gives with the number of steps done since the last call."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console, said = Console(stderr=True, force_jupyter=False), time.monotonic()  # widgets need ipywidgets
    with Progress(*columns, console=console, transient=False) as progress:
        task = progress.add_task(description, total=total, rate="")

        def advance(steps: int) -> None:
            nonlocal said
            progress.advance(task, steps)
            (bar,) = progress.tasks
            if bar.speed:
                progress.update(task, rate=f"{bar.speed:,.0f}/s")
            if not console.is_terminal and time.monotonic() - said >= SECONDS_A_LINE:
                said = time.monotonic()
                console.print(f"{description} {bar.completed:,.0f}/{bar.total or 0:,.0f} {bar.fields['rate']}")

        yield advance
