"""`tuningfork explore`: a catalogue on a page, to be looked at, labelled and learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    catalogue: Annotated[
        Path, typer.Argument(help="A predictions table (tuningfork predict), a folder of Parquet, or any catalogue.")
    ],
    images: Annotated[
        str | None,
        typer.Option(help="Where its images are: a folder, a pack, Parquet. Default: where the catalogue says."),
    ] = None,
    embedding: Annotated[
        Path | None, typer.Option(help="The features of its galaxies (tuningfork embed): maps and similar galaxies.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model, by folder or name, that explains its answers (Grad-CAM).")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="The journal that labels are added to.")] = None,
    schema: Annotated[str | None, typer.Option(help="The schema, by name or file, that labels are given by.")] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than 127.0.0.1 let other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any that is free.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Look at a catalogue on a page of this machine: its galaxies, maps and histograms; label them, and learn."""
    from tuningfork.explore.asked import Asked
    from tuningfork.explore.serve import explore

    asked = Asked(catalogue, images, embedding, model, labels, schema)
    explore(asked, host, port, browser=browser, say=say)
