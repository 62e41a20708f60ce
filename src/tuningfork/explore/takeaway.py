"""What is taken away: a selection as a table in any format, or as one HTML file with pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from tuningfork.catalogs import About, column, write_parts
from tuningfork.errors import CatalogError, ImageError
from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.labelling import Labelling
from tuningfork.explore.pictures import Look, Pictures
from tuningfork.explore.queue import Rows
from tuningfork.explore.values import Cell
from tuningfork.files import write_text
from tuningfork.report.blocks import Picture
from tuningfork.report.pictures import data_uri

ENDINGS = {"csv": ".csv", "parquet": ".parquet", "fits": ".fits", "votable": ".vot", "html": ".html"}
PICTURES = 200  # of an HTML file
LISTED = 12  # columns of its table
SIDE = 112  # pixels of its pictures
MEDIA = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "fits": "application/fits",
    "votable": "application/x-votable+xml",
    "html": "text/html",
}


@dataclass(frozen=True)
class Selection:
    """Some rows of a catalogue, with their labels and pictures where there are any."""

    catalogue: Catalogue
    rows: Rows
    labelling: Labelling
    pictures: Pictures | None

    @property
    def name(self) -> str:
        """What a file of it is called: letters, digits, dots, - and _."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", self.catalogue.path.stem).strip("._") or "catalogue"
        return f"{stem[:60]}-selection"


def write_selection(chosen: Selection, kind: str, folder: Path) -> Path:
    """Write a selection to a file of its own name in `folder`.

    Raises
    ------
    CatalogError
        If no row is chosen, there is no such kind of file, or it can't hold such a table.
    """
    if kind not in ENDINGS:
        raise CatalogError(f"there is no format {kind[:40]!r}; choose {', '.join(ENDINGS)}")
    if not len(chosen.rows):
        raise CatalogError("no galaxy is selected; widen the filter")
    path = folder / f"{chosen.name}{ENDINGS[kind]}"
    if kind == "html":
        write_text(path, page(chosen))
    else:
        table = table_of(chosen)
        write_parts(table.schema, [table], path)
    return path


def table_of(chosen: Selection) -> pa.Table:
    """The rows with all their columns, those put beside the catalogue and the labels last."""
    catalogue, taken = chosen.catalogue, pa.array(chosen.rows, pa.int64())
    fields, arrays = [], []
    for entry in catalogue.table.schema:
        kind = _plain(entry.type)
        fields.append(entry.with_type(kind))
        arrays.append(catalogue.table.read(entry.name).take(taken).cast(kind))
    own = set(catalogue.table.schema.names)
    for each in catalogue.columns:
        if each.role != "width" and each.name not in own:
            numbers = catalogue.numbers(each.name)
            fields.append(column(each.name.replace(":", "_"), pa.from_numpy_dtype(numbers.values.dtype), each.about))
            arrays.append(pa.array(numbers.values[chosen.rows], mask=~numbers.known[chosen.rows]))
    for name, about, texts in _labels(chosen):
        fields.append(column(f"{name}_label" if name in own else name, pa.string(), about))
        arrays.append(pa.array(texts, pa.string()))
    return pa.table(arrays, pa.schema(fields))


def page(chosen: Selection) -> str:
    """One HTML file: the pictures of at most `PICTURES` galaxies, and a table of what is known of them."""
    from tuningfork.report.blocks import Block, Facts, Note, Pictures, Section, Table
    from tuningfork.report.page import render

    catalogue, shown = chosen.catalogue, chosen.rows[:PICTURES]
    labels = [texts for _, _, texts in _labels(replace(chosen, rows=shown))][:1]
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


def _labels(chosen: Selection) -> list[tuple[str, About, list[str | None]]]:
    """The columns of the labels: the class of each galaxy, and what it is for; none where nothing is labelled."""
    labelling, schema = chosen.labelling, chosen.labelling.schema
    events = list(labelling.labels.labelled(schema.name)) if schema else []
    if schema is None or not events:
        return []
    rows = labelling.rows_of(event.id for event in events)
    known = {row: event for row, event in zip(rows, events, strict=True) if row is not None}
    said = [known.get(row) for row in chosen.rows.tolist()]
    return [
        (schema.label_column, About(f"Label: {schema.title}"), [event.answer if event else None for event in said]),
        (
            f"{schema.label_column}_set",
            About("Set aside for validation, or to learn from"),
            [event.set if event else None for event in said],
        ),
    ]


def _text(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type as tables are written: texts of any kind as `string`."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    texts = (pa.types.is_null, pa.types.is_large_string, pa.types.is_string_view)
    return pa.string() if any(is_text(kind) for is_text in texts) else kind
