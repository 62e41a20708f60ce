"""The uncertainty of a model as a file of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tuningfork.files import whole_file
from tuningfork.uncertainty.framing import measure_framing
from tuningfork.uncertainty.intervals import Intervals
from tuningfork.uncertainty.likeness import Likeness
from tuningfork.uncertainty.regression import Regression
from tuningfork.uncertainty.statistics import measure


@dataclass(frozen=True)
class Uncertainty:
    """What was fitted, by schema name: the temperature of class probabilities, the intervals of everything else.

    All of it holds for predictions averaged over `views` views, and no other number of them. `rendering` is of the
    statistics of the central `share` of the side of pack pixels, `framing` of all of them; models calibrated by earlier
    versions lack one or both.
    """

    views: int
    temperatures: Mapping[str, float]
    intervals: Mapping[str, Intervals]
    likeness: Likeness
    rendering: Regression | None = None
    framing: Regression | None = None
    share: float = 1.0

    def ood_score(self, features: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """How unlike the galaxies that it was fitted to images are, (N,), of features (N, F), pixels (N, H, W, C)."""
        distances = [self.likeness.distance(features)]
        if self.rendering is not None:
            distances.append(self.rendering.distance(measure(pixels, self.share)))
        if self.framing is not None:
            distances.append(self.framing.distance(measure_framing(pixels)))
        return np.asarray(np.maximum.reduce(distances))


def write_uncertainty(uncertainty: Uncertainty, path: Path) -> None:
    """Write it as safetensors, whole or not at all."""
    likeness = uncertainty.likeness
    arrays = {
        "views": np.array(uncertainty.views),
        "likeness/mean": likeness.mean.astype(np.float32),
        "likeness/whitening": likeness.whitening.astype(np.float32),
        "likeness/threshold": np.array(likeness.threshold),
    }
    arrays |= {f"temperature/{name}": np.array(value) for name, value in uncertainty.temperatures.items()}
    for name, table in uncertainty.intervals.items():
        parts = {"knots": table.knots, "low": table.low, "high": table.high}
        arrays |= {f"intervals/{name}/{part}": values.astype(np.float32) for part, values in parts.items()}
    for name, fitted in (("rendering", uncertainty.rendering), ("framing", uncertainty.framing)):
        if fitted is not None:
            arrays |= {f"{name}/{part}": np.asarray(value, np.float32) for part, value in asdict(fitted).items()}
    arrays["rendering/share"] = np.asarray(uncertainty.share, np.float32)
    with whole_file(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)


def read_uncertainty(path: Path) -> Uncertainty:
    """Read what `write_uncertainty` wrote."""
    arrays = {name: array.astype(np.float64) for name, array in load_file(path).items()}
    names = dict.fromkeys(name.split("/")[1] for name in arrays if name.startswith("intervals/"))
    return Uncertainty(
        views=int(arrays["views"].item()),
        temperatures={
            name.removeprefix("temperature/"): value.item()
            for name, value in arrays.items()
            if name.startswith("temperature/")
        },
        intervals={
            name: Intervals(*(arrays[f"intervals/{name}/{part}"] for part in ("knots", "low", "high")))
            for name in names
        },
        likeness=Likeness(arrays["likeness/mean"], arrays["likeness/whitening"], arrays["likeness/threshold"].item()),
        rendering=_regression(arrays, "rendering"),
        framing=_regression(arrays, "framing"),
        share=float(arrays.get("rendering/share", np.ones(1)).item()),
    )


def _regression(arrays: Mapping[str, np.ndarray], name: str) -> Regression | None:
    if f"{name}/weights" not in arrays:
        return None
    parts: dict[str, Any] = {part.name: arrays[f"{name}/{part.name}"] for part in fields(Regression)}
    return Regression(**{part: value if value.size > 1 else value.item() for part, value in parts.items()})
