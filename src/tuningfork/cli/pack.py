"""`tuningfork pack`: images and labels to a pack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tuningfork.cli.options import (
    Bands,
    FileColumn,
    Hdu,
    Look,
    PixelScale,
    SurveyName,
    Tiles,
    ZeroPoint,
    image_options,
)


def command(
    source: Annotated[str, typer.Argument(help="A folder, a glob, a catalog, Parquet or HDF5 with images.")],
    out: Annotated[Path, typer.Argument(help="The pack folder to write.")],
    labels: Annotated[Path | None, typer.Option(help="A table of labels, joined by id.")] = None,
    schema: Annotated[list[str], typer.Option(help="What the labels answer; may be given again.")] = [],  # noqa: B006
    label: Annotated[
        list[str], typer.Option(help="A column of labels, which makes its own schema; may be given again.")
    ] = [],  # noqa: B006
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 128,
    field: Annotated[
        str, typer.Option(help="The central part of each image to keep: 0.75, 30arcsec, 8.5*petro_r.")
    ] = "1",
    channels: Annotated[int, typer.Option(help="3 for colour, 1 for greyscale.")] = 3,
    split: Annotated[
        str, typer.Option(help="Fractions train/val/test: 0.8/0.1/0.1. Else a split column is kept.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    id_column: Annotated[
        str | None, typer.Option(help="The column of the ids, in the labels and the catalogue.")
    ] = None,
    file_column: FileColumn = None,
    tiles: Tiles = None,
    survey: SurveyName = None,
    bands: Bands = None,
    zero_point: ZeroPoint = None,
    pixel_scale: PixelScale = None,
    hdu: Hdu = None,
    look: Look = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads that decode; cores + 1 unless told.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Say at the end what the time went to.")] = False,
) -> None:
    """Pack images. Run the same command again on a killed run: it goes on where it stopped."""
    from tuningfork.catalogs import parse_fractions
    from tuningfork.images import Field, Geometry
    from tuningfork.packs import count_labels, count_lines, empty_classes, make_pack

    kept = Field.parse(field)
    geometry = Geometry(1.0 if kept.is_angle else kept.number, size, channels)
    options = image_options(
        id_column=None,
        file_column=file_column,
        tiles=tiles,
        survey=survey,
        bands=bands,
        zero_point=zero_point,
        pixel_scale=pixel_scale,
        hdu=hdu,
        field=field if kept.is_angle else "1",
    )
    if look:
        from tuningfork.inference import look as draw_look

        named = options if labels else replace(options, id_column=id_column)  # else it is of the labels
        typer.echo(f"look: {draw_look(source, out, n=look, geometry=geometry, options=named, workers=workers)}")
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
        id_column=id_column,
        options=options,
        workers=workers,
        profile=profile,
    )
    manifest = pack.manifest
    typer.echo(f"packed {manifest['n']:,} galaxies, left out {len(manifest['errors']):,} bad images")
    typer.echo("splits: " + ", ".join(f"{name} {count:,}" for name, count in sorted(manifest["splits"].items())))
    for entry in pack.schemas:
        typer.echo(f"labels of {entry.name}: {manifest['labelled'][entry.name]:,}")
        counts = count_labels(pack, entry)
        typer.echo("\n".join(count_lines(counts)))
        for where, names in empty_classes(counts).items():
            typer.echo(f"warning: split {where} has no galaxy of {', '.join(names)}", err=True)
    typer.echo(f"pack: {pack.path}")
