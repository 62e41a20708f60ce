"""The uncertainty of a model as a file of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tuningfork.files import whole_file
from tuningfork.uncertainty.intervals import Intervals
from tuningfork.uncertainty.likeness import Likeness
from tuningfork.uncertainty.rendering import Rendering


@dataclass(frozen=True)
class Uncertainty:
    """What was fitted, by schema name: the temperature of class probabilities, the intervals of everything else.

    `class_weights`, (C,) by schema name, say which class is named: that of the largest probability times its weight,
    where a schema has no weights the most likely one. All of it holds for predictions averaged over `views` sides,
    and no other number of them. Models calibrated by earlier versions have no `rendering`.
    """

    views: int
    temperatures: Mapping[str, float]
    intervals: Mapping[str, Intervals]
    likeness: Likeness
    class_weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    rendering: Rendering | None = None

    def ood_score(self, features: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """How unlike the galaxies that it was fitted to images are, (N,), of features (N, F), pixels (N, H, W, C)."""
        distance = self.likeness.distance(features)
        return distance if self.rendering is None else np.maximum(distance, self.rendering.distance(pixels))


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
    arrays |= {f"class_weights/{name}": values.astype(np.float64) for name, values in uncertainty.class_weights.items()}
    for name, table in uncertainty.intervals.items():
        parts = {"knots": table.knots, "low": table.low, "high": table.high}
        arrays |= {f"intervals/{name}/{part}": values.astype(np.float32) for part, values in parts.items()}
    if uncertainty.rendering is not None:
        arrays |= {
            f"rendering/{part}": np.asarray(value, dtype=np.float32)
            for part, value in asdict(uncertainty.rendering).items()
        }
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
        class_weights={
            name.removeprefix("class_weights/"): values
            for name, values in arrays.items()
            if name.startswith("class_weights/")
        },
        rendering=_rendering(arrays),
    )


def _rendering(arrays: Mapping[str, np.ndarray]) -> Rendering | None:
    if "rendering/share" not in arrays:
        return None
    parts: dict[str, Any] = {part.name: arrays[f"rendering/{part.name}"] for part in fields(Rendering)}
    return Rendering(**{name: value if value.size > 1 else value.item() for name, value in parts.items()})
