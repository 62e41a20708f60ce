"""`tuningfork simulate`: galaxies of known morphology."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.say import say


def command(
    out: Annotated[Path, typer.Argument(help="A new or empty folder for the images and their catalog.")],
    n: Annotated[int, typer.Option(help="How many images.")] = 3000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    size: Annotated[int, typer.Option(help="Pixels along a side; the field stays 84 arcsec.")] = 212,
    fits: Annotated[bool, typer.Option("--fits", help="Write FITS files too: g, r, i in nanomaggies.")] = False,
    contact_sheet: Annotated[
        Path | None, typer.Option(help="Also lay out a few images of each class in this JPEG or PNG.")
    ] = None,
) -> None:
    """Simulate galaxies of known morphology and the votes of volunteers who looked at them."""
    from tuningfork.simulate import contact_sheet as lay_out
    from tuningfork.simulate import simulate_galaxies

    catalog = simulate_galaxies(out, n, seed, size=size, fits=fits)
    if contact_sheet is not None:
        lay_out(catalog, contact_sheet)
    say(f"{n} images and their votes: {catalog}")
