"""The uncertainty of a model as a file of its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tuningfork.errors import ModelError, one_line
from tuningfork.files import whole_file
from tuningfork.uncertainty.expected import ExpectedError, of_answers, tamed
from tuningfork.uncertainty.framing import measure_framing
from tuningfork.uncertainty.intervals import Intervals
from tuningfork.uncertainty.mahalanobis import Mahalanobis
from tuningfork.uncertainty.regression import Regression
from tuningfork.uncertainty.statistics import measure

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measurements:
    """What is to be known of N images to say how unlike others they are.

    The `features` (N, F) that a model makes of them, and the statistics (N, S) of how they are rendered and framed,
    None where the uncertainty does not ask for them.
    """

    features: Array
    rendering: Array | None
    framing: Array | None


@dataclass(frozen=True)
class Uncertainty:
    """What was fitted, by schema name: the temperature of class probabilities, the intervals of everything else.

    All of it holds for predictions averaged over `views` views, and no other number of them. `rendering` is of the
    statistics of the central `share` of the side of the pixels that are seen, `framing` of all of them; models
    calibrated by earlier versions lack one or both. `expected` is the expected RMSE, of trees with enough labels.
    """

    views: int
    temperatures: Mapping[str, float]
    intervals: Mapping[str, Intervals]
    mahalanobis: Mahalanobis
    rendering: Regression | None = None
    framing: Regression | None = None
    share: float = 1.0
    expected: Mapping[str, ExpectedError] = field(default_factory=dict)

    def measurements(self, features: np.ndarray, pixels: np.ndarray) -> Measurements:
        """Measure N images, of features (N, F) and the pixels (N, H, W, C) uint8 that the model could see."""
        rendering = None if self.rendering is None else measure(pixels, self.share)
        return Measurements(
            features.astype(np.float64), rendering, None if self.framing is None else measure_framing(pixels)
        )

    def ood_score(self, seen: Measurements) -> Array:
        """How unlike the galaxies that it was fitted to images are, (N,)."""
        distances = [self.mahalanobis.distance(seen.features)]
        for fitted, statistics in ((self.rendering, seen.rendering), (self.framing, seen.framing)):
            if fitted is not None and statistics is not None:
                distances.append(fitted.distance(statistics))
        return np.asarray(np.maximum.reduce(distances))

    def traits(self, seen: Measurements, answers: Array, spread: Array | None, ends: tuple[Array, Array]) -> Array:
        """What the expected RMSE of answers (N, K) depends on, (N, T); `ends` are those of their intervals."""
        found = [of_answers(answers, spread, ends[1] - ends[0]), tamed(self.mahalanobis.whitened(seen.features))]
        for fitted, statistics in ((self.rendering, seen.rendering), (self.framing, seen.framing)):
            if fitted is not None and statistics is not None:
                found += [fitted.tamed(statistics), fitted.whitened(statistics) ** 2]
        return np.concatenate(found, axis=1)

    def check(self, features: int, pixels: np.ndarray, limits: Mapping[str, np.ndarray], path: Path) -> None:
        """See, on one image, that it goes with a model of so many features; `path` is where it stood, for errors.

        Parameters
        ----------
        features
            How many the model has.
        pixels
            An image (1, H, W, C) uint8 of the model's geometry.
        limits
            By schema name (K, 2), those of its answers.
        path
            Where it was read.

        Raises
        ------
        ModelError
            If it is not of this model, or holds numbers that can't be.
        """
        try:
            with np.errstate(all="ignore"):
                seen = self.measurements(np.zeros((1, features)), pixels)
                score = self.ood_score(seen)
                for name, table in self.intervals.items():
                    none = np.zeros((1, len(limits[name])))
                    ends = table.of(none, limits[name])
                    if name in self.expected:
                        score = score + self.expected[name].squared(self.traits(seen, none, None, ends))
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise ModelError(f"{path} is not of this model ({one_line(error)}); calibrate again") from error
        if not (set(self.expected) <= set(self.intervals) and all(each.sound for each in self.expected.values())):
            raise ModelError(f"{path} expects errors that can't be; calibrate again")
        warm = all(0 < value < math.inf for value in self.temperatures.values())
        if not (warm and score.shape == (1,) and np.isfinite(score).all()):
            raise ModelError(f"{path} holds numbers that can't be (not finite, or not above 0); calibrate again")


def write_uncertainty(uncertainty: Uncertainty, path: Path) -> None:
    """Write it as safetensors, whole or not at all."""
    mahalanobis = uncertainty.mahalanobis
    arrays = {
        "views": np.array(uncertainty.views),
        "likeness/mean": mahalanobis.mean.astype(np.float32),
        "likeness/whitening": mahalanobis.whitening.astype(np.float32),
        "likeness/threshold": np.array(mahalanobis.threshold),
    }
    arrays |= {f"temperature/{name}": np.array(value) for name, value in uncertainty.temperatures.items()}
    for name, table in uncertainty.intervals.items():
        parts = {"knots": table.knots, "low": table.low, "high": table.high}
        arrays |= {f"intervals/{name}/{part}": values.astype(np.float32) for part, values in parts.items()}
    for name, fitted in (("rendering", uncertainty.rendering), ("framing", uncertainty.framing)):
        if fitted is not None:
            arrays |= {f"{name}/{part}": np.asarray(value, np.float32) for part, value in asdict(fitted).items()}
    for name, each in uncertainty.expected.items():
        parts = {part: np.asarray(value, np.float32) for part, value in asdict(each).items()}
        arrays |= {f"expected/{name}/{part}": value for part, value in parts.items()}
    arrays["rendering/share"] = np.asarray(uncertainty.share, np.float32)
    with whole_file(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)


def read_uncertainty(path: Path) -> Uncertainty:
    """Read what `write_uncertainty` wrote.

    Raises
    ------
    ModelError
        If it is no such file, or a part of it is missing.
    """
    try:
        return _read(path)
    except (KeyError, ValueError, TypeError, OverflowError, SafetensorError) as error:
        raise ModelError(f"{path} holds no uncertainty of a model ({one_line(error)}); calibrate again") from error


def _read(path: Path) -> Uncertainty:
    arrays = {name: array.astype(np.float64) for name, array in load_file(path).items()}
    names, foreseen = (
        dict.fromkeys(name.removeprefix(kind).rpartition("/")[0] for name in arrays if name.startswith(kind))
        for kind in ("intervals/", "expected/")
    )
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
        mahalanobis=Mahalanobis(
            arrays["likeness/mean"], arrays["likeness/whitening"], arrays["likeness/threshold"].item()
        ),
        rendering=_regression(arrays, "rendering"),
        framing=_regression(arrays, "framing"),
        share=float(arrays.get("rendering/share", np.ones(1)).item()),
        expected={
            name: ExpectedError(
                arrays[f"expected/{name}/level"].item(),
                *(arrays[f"expected/{name}/{part}"] for part in ("location", "scatter", "weights")),
            )
            for name in foreseen
        },
    )


def _regression(arrays: Mapping[str, np.ndarray], name: str) -> Regression | None:
    if f"{name}/weights" not in arrays:
        return None
    parts: dict[str, Any] = {part.name: arrays[f"{name}/{part.name}"] for part in fields(Regression)}
    return Regression(**{part: value if value.size > 1 else value.item() for part, value in parts.items()})
