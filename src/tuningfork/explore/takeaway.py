"""What is taken away: a selection as a table in any format, or as one HTML file with pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuningfork.catalogs import About, column, write_parts
from tuningfork.errors import CatalogError
from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.labelling import Labelling
from tuningfork.explore.pictures import Pictures
from tuningfork.explore.queue import Rows
from tuningfork.files import write_text
from tuningfork.schemas import ClassSchema

ENDINGS = {"csv": ".csv", "parquet": ".parquet", "fits": ".fits", "votable": ".vot", "html": ".html"}
MEDIA = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "fits": "application/fits",
    "votable": "application/x-votable+xml",
    "html": "text/html",
}


@dataclass(frozen=True)
class Selection:
    """Some rows of a catalogue, with their labels by a schema and pictures where there are any."""

    catalogue: Catalogue
    rows: Rows
    labelling: Labelling
    pictures: Pictures | None
    schema: ClassSchema | None

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
        from tuningfork.explore.sheet import page  # Matplotlib, which other formats need not wait for

        write_text(path, page(chosen))
    else:
        table = table_of(chosen)
        write_parts(table.schema, [table], path)
    return path


def table_of(chosen: Selection) -> pa.Table:
    """The rows with all their columns, those put beside the catalogue and the labels last.

    In a catalogue that was taken away before, these take the place of those that were taken with it.
    """
    catalogue, taken = chosen.catalogue, pa.array(chosen.rows, pa.int64())
    own = set(catalogue.table.schema.names)
    last: dict[str, tuple[pa.Field, Any]] = {}
    for each in catalogue.beside:
        numbers, name = catalogue.numbers(each.name), each.name.replace(":", "_")
        values = pa.array(numbers.values[chosen.rows], mask=~numbers.known[chosen.rows])
        last[name] = column(name, values.type, each.about), values
    for plain, about, texts in labels_of(chosen):
        name = f"{plain}_label" if plain in own else plain
        last[name] = column(name, pa.string(), about), pa.array(texts, pa.string())
    first = [entry.with_type(_plain(entry.type)) for entry in catalogue.table.schema if entry.name not in last]
    arrays = [catalogue.table.read(entry.name).take(taken).cast(entry.type) for entry in first]
    return pa.table(
        [*arrays, *(values for _, values in last.values())], pa.schema([*first, *(entry for entry, _ in last.values())])
    )


def labels_of(chosen: Selection) -> list[tuple[str, About, list[str | None]]]:
    """The columns of the labels: the class of each galaxy, and what it is for; none where nothing is labelled."""
    labels, schema = chosen.labelling.labels, chosen.schema
    known = {event.id: event for event in labels.labelled(schema.name)} if schema else {}
    if schema is None or not known or chosen.catalogue.id_column is None:
        return []
    said = [known.get(id_str) for id_str in chosen.catalogue.ids(chosen.rows)]
    return [
        (schema.label_column, About(f"Label: {schema.title}"), [event.answer if event else None for event in said]),
        (
            f"{schema.label_column}_set",
            About("Set aside for validation, or to learn from"),
            [("validation" if labels.judges(event) else "train") if event else None for event in said],
        ),
    ]


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type as tables are written: texts of any kind as `string`."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    texts = (pa.types.is_null, pa.types.is_large_string, pa.types.is_string_view)
    return pa.string() if any(is_text(kind) for is_text in texts) else kind
