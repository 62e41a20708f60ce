"""Some rows of a table, by the values of its columns."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tuningfork.errors import CatalogError

log = logging.getLogger(__name__)


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
        some = ", ".join(map(str, table.columns[:12]))
        if not equals:
            raise CatalogError(f"where {condition}: write it as column=value; {name} has {some}, ...")
        if column not in table:
            raise CatalogError(f"where {condition}: {name} has no column {column!r}; it has {some}, ...")
        values, asked = table[column].astype(str), [value, *value.split("|")]
        absent = [one for one in value.split("|") if not values.isin([one, value]).any()]
        if absent:
            log.warning("where %s: no row of %s has the value %r", condition, name, absent[0])
        chosen &= values.isin(asked).to_numpy()
    return chosen
