"""The section of a pack: how many, of what, and what they look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tuningfork.packs import Pack
from tuningfork.report.answers import label_words
from tuningfork.report.blocks import Bars, Block, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.pictures import galaxy_uri
from tuningfork.report.provenance import provenance
from tuningfork.schemas import ClassSchema, Schema, class_indices

SAMPLES = 16
ERRORS_SHOWN = 50


def pack_section(pack: Pack, *, folded: bool = False) -> Section:
    """Counts, splits, geometry, labels, bad images and a sample of a pack."""
    manifest, geometry, n = pack.manifest, pack.geometry, len(pack.catalog)
    seen = "the whole frame" if geometry.field == 1 else f"the central {geometry.field:g} of the frame"
    rows = [
        ("Galaxies", f"{n:,}"),
        ("Pixels", f"{geometry.size} × {geometry.size}, {geometry.channels} channels; {seen}"),
    ]
    if "split" in pack.catalog:
        counts = pack.catalog["split"].value_counts()
        order = [name for name in ("train", "val", "test") if name in counts]
        rows.append(("Splits", ", ".join(f"{name} {counts[name]:,}" for name in order)))
    labelled = manifest.get("labelled") or {}
    rows += [(f"Labels {schema.name}", _labelled(schema, labelled)) for schema in pack.schemas]
    if manifest.get("labels"):
        rows += [(f"Labels: {key.replace('_', ' ')}", str(value)) for key, value in manifest["labels"].items()]
    errors = manifest.get("errors") or []
    rows.append(("Unreadable images", f"{len(errors):,}"))
    blocks: list[Block] = [_sample(pack), Facts(rows)]
    blocks += [Note(f"{count:,} images: {note}") for note, count in (manifest.get("notes") or {}).items()]
    blocks += [_class_bars(pack.catalog, schema) for schema in pack.schemas if isinstance(schema, ClassSchema)]
    if errors:
        blocks.append(_bad_images(errors))
    blocks.append(provenance(manifest, _command(pack)))
    return Section("Pack", Path(pack.path).name, f"{n:,} galaxies", blocks, folded)


def _labelled(schema: Schema, labelled: dict[str, int]) -> str:
    count = labelled.get(schema.name)
    return schema.title if count is None else f"{count:,} galaxies: {schema.title}"


def _class_bars(catalog: pd.DataFrame, schema: ClassSchema) -> Bars:
    indices = class_indices(catalog, schema, "the catalog")
    counts = np.bincount(indices[indices >= 0], minlength=len(schema.classes))
    longest = max(int(counts.max()), 1)
    rows = [(entry.label, f"{count:,}", count / longest) for entry, count in zip(schema.classes, counts, strict=True)]
    return Bars([(f"Classes of {schema.name}", rows)])


def _bad_images(errors: list[dict[str, str]]) -> Table:
    rows = [
        (str(e.get("id_str", "")), str(e.get("file_loc", "")), str(e.get("error", ""))) for e in errors[:ERRORS_SHOWN]
    ]
    more = len(errors) - len(rows)
    note = f"and {more:,} more; all are listed in pack.json" if more > 0 else ""
    return Table("Images that could not be read", ("galaxy", "file", "why"), rows, texts=3, note=note)


def _sample(pack: Pack) -> Pictures:
    """Galaxies spread evenly over the catalog, with what their labels say."""
    rows = np.unique(np.linspace(0, len(pack.catalog) - 1, SAMPLES).astype(int))
    table = pack.catalog.iloc[rows].reset_index(drop=True)
    words: list[list[str]] = [[] for _ in rows]
    for schema in pack.schemas:
        if set(schema.columns) & set(table.columns):
            words = [have or more for have, more in zip(words, label_words(schema, table), strict=True)]
    pictures = [
        Picture(galaxy_uri(pack.pixels[row]), " · ".join([str(id_str), *said]))
        for row, id_str, said in zip(rows, table["id_str"], words, strict=True)
    ]
    note = "Spread evenly over the catalog, stretched to be seen; with the most voted answers."
    return Pictures(pictures, note=note, thumbnails=True)


def _command(pack: Pack) -> str:
    origin = Path(str((pack.manifest.get("source") or {}).get("origin", "IMAGES"))).name
    schemas = "".join(f" --schema {schema.name}" for schema in pack.schemas)
    geometry = f"--size {pack.geometry.size} --field {pack.geometry.field:g}"
    return f"tuningfork pack {origin} {pack.path.name} {geometry}{schemas} --seed {pack.manifest.get('seed', 0)}"
