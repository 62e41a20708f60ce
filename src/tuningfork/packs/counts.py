"""How many galaxies of a pack have which label, in each split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tuningfork.packs.read import Pack
from tuningfork.schemas import ClassSchema, Schema, class_indices

SPLITS = ("train", "val", "test")


def count_labels(pack: Pack, schema: Schema) -> pd.DataFrame:
    """Galaxies with each label: a row for each class, or one for all with a label; a column for each split.

    A split that was asked for has one, even if no galaxy came into it.
    """
    table = pack.catalog
    if isinstance(schema, ClassSchema):
        codes = class_indices(table, schema, str(pack.path))
        names = list(schema.class_names)
    else:
        present = [column for column in schema.columns if column in table]
        codes = np.where(table[present].notna().any(axis=1), 0, -1)
        names = ["galaxies"]
    asked = pack.manifest["split"].get("fractions", {})
    splits = [split for split in SPLITS if asked.get(split, 0) > 0 or (table["split"] == split).any()]
    counts = {split: codes[(table["split"] == split).to_numpy() & (codes >= 0)] for split in splits}
    return pd.DataFrame({split: np.bincount(of, minlength=len(names)) for split, of in counts.items()}, index=names)


def count_lines(counts: pd.DataFrame) -> list[str]:
    """Counts as lines of text, under the names of the splits."""
    width = max(len(str(name)) for name in counts.index)
    rows = [("", *counts), *((name, *map("{:,}".format, row)) for name, *row in counts.itertuples())]
    return [f"  {name:<{width}}" + "".join(f"{cell:>10}" for cell in cells) for name, *cells in rows]


def empty_classes(counts: pd.DataFrame) -> dict[str, list[str]]:
    """The labels without a galaxy, for each split that lacks any."""
    empty = {str(split): counts.index[counts[split] == 0].tolist() for split in counts}
    return {split: names for split, names in empty.items() if names}
