"""Some rows of a table, by the values of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tuningfork.errors import CatalogError


def matching(table: pd.DataFrame, conditions: Sequence[str], name: str) -> np.ndarray:
    """Which rows (N,) bool satisfy all conditions, each written ``column=value`` and compared as text.

    ``column=one|other`` is satisfied by either value.

    Raises
    ------
    CatalogError
        If a condition is written otherwise, or `name`, as the table is called, has no such column.
    """
    chosen = np.ones(len(table), dtype=bool)
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals or column not in table:
            some = ", ".join(map(str, table.columns[:12]))
            raise CatalogError(f"where {condition}: write it as column=value; {name} has {some}, ...")
        chosen &= table[column].astype(str).isin(value.split("|")).to_numpy()
    return chosen
