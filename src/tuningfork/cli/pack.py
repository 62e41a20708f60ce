"""`tuningfork pack`: images and labels to a pack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuningfork.cli.options import SPEED, Look, with_image_options
from tuningfork.cli.say import say

if TYPE_CHECKING:
    from tuningfork.sources import ImageOptions


@with_image_options
def command(
    source: Annotated[str, typer.Argument(help="A folder, a glob, a catalog, Parquet or HDF5 with images.")],
    out: Annotated[Path, typer.Argument(help="The pack folder to write.")],
    labels: Annotated[Path | None, typer.Option(help="A table of labels, joined by id.")] = None,
    schema: Annotated[list[str], typer.Option(help="What the labels answer; may be given again.")] = [],  # noqa: B006
    label: Annotated[
        list[str], typer.Option(help="A column of labels, which makes its own schema; may be given again.")
    ] = [],  # noqa: B006
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 128,
    channels: Annotated[int, typer.Option(help="3 for colour, 1 for greyscale.")] = 3,
    split: Annotated[
        str, typer.Option(help="Fractions train/val/test: 0.8/0.1/0.1. Else a split column is kept.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    *,
    options: ImageOptions,
    look: Look = None,
    workers: Annotated[
        int | None,
        typer.Option(rich_help_panel=SPEED, min=1, help="Threads that decode. Default: cores + 1; 1 for tiles."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", rich_help_panel=SPEED, help="Say at the end what the time went to.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every byte of a pack that is there already, to see that it is whole.")
    ] = False,
) -> None:
    """Pack images. Run the same command again on a killed run: it goes on where it stopped."""
    from tuningfork.catalogs import parse_fractions
    from tuningfork.packs import count_labels, count_lines, empty_classes, frame_geometry, make_pack

    geometry, options = frame_geometry(options, size, channels)
    if look:
        from tuningfork.inference import draw_preview as draw_look

        named = replace(options, id_column=None) if labels else options  # else it is of the labels
        say(f"look: {draw_look(source, out, n=look, geometry=geometry, options=named, workers=workers)}")
        return
    pack = make_pack(
        source,
        out,
        labels=labels,
        schemas=schema,
        label_columns=label,
        geometry=geometry,
        split=parse_fractions(split) if split else None,
        seed=seed,
        id_column=options.id_column,
        options=replace(options, id_column=None),
        workers=workers,
        profile=profile,
        verify=verify,
    )
    manifest = pack.manifest
    say(f"packed {manifest['n']:,} galaxies, left out {len(manifest['errors']):,} bad images")
    say("splits: " + ", ".join(f"{name} {count:,}" for name, count in sorted(manifest["splits"].items())))
    for entry in pack.schemas:
        say(f"labels of {entry.name}: {manifest['labelled'][entry.name]:,}")
        counts = count_labels(pack, entry)
        say("\n".join(count_lines(counts)))
        for where, names in empty_classes(counts).items():
            say(f"warning: split {where} has no galaxy of {', '.join(names)}", err=True)
    say(f"pack: {pack.path}")
