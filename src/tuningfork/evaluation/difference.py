"""Is one model better than another? The difference of their figures on the same galaxies, drawn together.

Each resample draws the same galaxies for both, so what makes a galaxy hard for both cancels out of the interval
(the paired bootstrap: Efron & Tibshirani 1993, section 8.5).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tuningfork.errors import PredictionsError
from tuningfork.evaluation.bootstrap import Measure, estimate
from tuningfork.evaluation.evaluate import N_BOOTSTRAP, measures_of
from tuningfork.evaluation.tables import join
from tuningfork.schemas import Schema


def paired_difference(
    first: pd.DataFrame,
    second: pd.DataFrame,
    labels: pd.DataFrame,
    schema: Schema,
    *,
    n_bootstrap: int = N_BOOTSTRAP,
    seed: int = 0,
) -> dict[str, Any]:
    """The overall figures of `second` minus those of `first`, each ``{"value", "n", "interval"}`` as an evaluation's.

    Parameters
    ----------
    first, second
        Predictions of the same galaxies; those that only one could read are left out.
    labels
        As `evaluate_predictions`.

    Raises
    ------
    PredictionsError
        If the two have no galaxy in common, or as `evaluate_predictions`.
    """
    tables = []
    common = _read(first) & _read(second)
    if not common:
        raise PredictionsError("the two predictions have no galaxy in common; evaluate both on the same split")
    for table in (first, second):
        shared = table[table["id_str"].isin(list(common))].sort_values("id_str")
        kept, known, _ = join(shared, labels, [schema], "a comparison")
        tables.append((kept, measures_of(kept, known, schema, "a comparison")["figures"]))
    (kept, ours), (_, theirs) = tables
    differences = {
        name: Measure(lambda weights, a=ours[name], b=theirs[name]: b.of(weights) - a.of(weights), ours[name].n)  # type: ignore[misc]
        for name in ours.keys() & theirs.keys()
        if isinstance(ours[name], Measure)
    }
    figures = estimate(differences, len(kept), n_bootstrap, seed)
    return {name: figures[name] for name in ours if name in figures}


def _read(table: pd.DataFrame) -> set[str]:
    """The galaxies of a predictions table whose images could be read."""
    failed = table["error"].notna() if "error" in table else pd.Series(False, index=table.index)
    return set(table.loc[~failed, "id_str"])
