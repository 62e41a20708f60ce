"""What the seeds of a study's runs came to: means, spreads, and differences from the first run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuningfork.evaluation.seeds import OverSeeds, difference_of_means


def over_seeds(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each run and figure the mean over its finished repeats, their spread, and the difference from the first run.

    A difference has an interval where both were trained with several seeds that do not all agree.
    """
    runs: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        for figure in row.get("figures", ()):
            if figure["value"] is not None:
                of_run = runs.setdefault((figure["schema"], figure["figure"]), {})
                of_run.setdefault(row["label"], []).append(figure["value"])
    found = []
    for (schema, name), values in runs.items():
        measured = {label: OverSeeds(tuple(figures)) for label, figures in values.items()}
        first = next(iter(measured.values()))
        for label, run in measured.items():
            difference, interval = difference_of_means(first, run)
            found.append(
                {
                    "label": label,
                    "schema": schema,
                    "figure": name,
                    "mean": run.mean,
                    "spread": run.spread,
                    "values": list(run.values),
                    "difference": None if run is first else difference,
                    "interval": None if run is first else interval,
                }
            )
    return found
