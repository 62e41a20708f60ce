"""What is taken away: a selection as a table in any format, or as one HTML file with pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tuningfork.catalogs import About, column, write_parts
from tuningfork.errors import CatalogError
from tuningfork.explore.catalogue import Catalogue
from tuningfork.explore.labelling import Labelling
from tuningfork.explore.pictures import Pictures
from tuningfork.explore.queue import Rows
from tuningfork.files import write_text

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
        from tuningfork.explore.sheet import page  # Matplotlib, which other formats need not wait for

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
    for name, about, texts in labels_of(chosen):
        fields.append(column(f"{name}_label" if name in own else name, pa.string(), about))
        arrays.append(pa.array(texts, pa.string()))
    return pa.table(arrays, pa.schema(fields))


def labels_of(chosen: Selection) -> list[tuple[str, About, list[str | None]]]:
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


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type as tables are written: texts of any kind as `string`."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    texts = (pa.types.is_null, pa.types.is_large_string, pa.types.is_string_view)
    return pa.string() if any(is_text(kind) for is_text in texts) else kind
