"""A selection as one HTML file, which needs nothing else: for a paper's supplement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from tuningfork.errors import ImageError
from tuningfork.explore.pictures import Look
from tuningfork.explore.queue import Rows
from tuningfork.explore.takeaway import Selection, labels_of
from tuningfork.explore.values import Cell
from tuningfork.report.blocks import Block, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.page import render
from tuningfork.report.pictures import data_uri

PICTURES = 200
LISTED = 12  # columns of the table
SIDE = 112  # pixels of a picture


def page(chosen: Selection) -> str:
    """One HTML file: the pictures of at most `PICTURES` galaxies, and a table of what is known of them."""
    catalogue, shown = chosen.catalogue, chosen.rows[:PICTURES]
    labels = [texts for _, _, texts in labels_of(replace(chosen, rows=shown))][:1]
    blocks: list[Block] = [Facts([("Catalogue", catalogue.name), ("Galaxies", f"{len(chosen.rows):,}")])]
    if len(shown) < len(chosen.rows):
        blocks.append(Note(f"The first {len(shown)} of {len(chosen.rows):,} galaxies are shown.", warning=True))
    drawn = list(_drawn(chosen, shown, labels[0] if labels else [None] * len(shown)))
    if drawn:
        blocks.append(Pictures(drawn, "Galaxies", "As the model sees them.", thumbnails=True))
    names = [each.name for each in catalogue.columns if each.role not in ("file", "map", "width")][:LISTED]
    cells = catalogue.cells(shown, names)
    table = [
        [catalogue.ids(shown[[place]])[0], *(_text(row[name]) for name in names)] for place, row in enumerate(cells)
    ]
    more = len(catalogue.columns) - len(names)
    note = f"{more} more columns are in the catalogue." if more > 0 else ""
    blocks.append(Table("Columns", ["galaxy", *names], table, note=note, folded=True))
    return render([Section("Selection", catalogue.name, f"{len(chosen.rows):,} galaxies", blocks)], chosen.name)


def _drawn(chosen: Selection, rows: Rows, labels: Sequence[str | None]) -> Iterator[Picture]:
    """The pictures of those galaxies that have one."""
    if chosen.pictures is None:
        return
    for row, id_str, label in zip(rows.tolist(), chosen.catalogue.ids(rows), labels, strict=True):
        with suppress(ImageError):
            drawn = chosen.pictures.jpeg(row, Look(SIDE))
            yield Picture(data_uri(drawn, "image/jpeg"), f"{id_str} · {label}" if label else id_str)


def _text(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
