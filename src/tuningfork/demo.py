"""The whole path on simulated galaxies: catalog, pack, model, evaluation, predictions, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuningfork.errors import EvaluationError
from tuningfork.files import read_json


@dataclass(frozen=True)
class DemoResult:
    """Where the demo's files lie, how long each step took in seconds, and its evaluation."""

    paths: dict[str, Path]
    seconds: dict[str, float]
    evaluation: dict[str, Any]


def run_demo(out: Path, *, n: int = 2400, seed: int = 1, changes: tuple[str, ...] = ()) -> DemoResult:
    """Simulate `n` galaxies, pack, train, evaluate, predict and report into the folder `out`.

    Each step is the function behind the verb of the same name. `changes` are made to the recipe `tuningfork/demo`.
    Run again, it goes on where it stopped.
    """
    from tuningfork.images import Geometry
    from tuningfork.inference import evaluate_into, predict
    from tuningfork.packs import make_pack
    from tuningfork.report import write_report
    from tuningfork.simulate import simulate_galaxies
    from tuningfork.training import load_recipe, train

    paths = {
        "galaxies": out / "galaxies",
        "pack": out / "pack",
        "model": out / "model",
        "evaluation": out / "evaluation",
        "predictions": out / "predictions.parquet",
        "report": out / "report.html",
    }
    schemas = ("gz-challenge", "simulated-classes")
    geometry = Geometry(field=0.85, size=68, channels=3)
    steps: dict[str, Callable[[], object]] = {
        "galaxies": lambda: simulate_galaxies(paths["galaxies"], n, seed),
        "pack": lambda: make_pack(
            paths["galaxies"] / "catalog.parquet", paths["pack"], schemas=schemas, geometry=geometry, seed=seed
        ),
        "model": lambda: train(load_recipe("tuningfork/demo", changes), paths["pack"], paths["model"]),
        "evaluation": lambda: evaluate_into(paths["model"], paths["pack"], paths["evaluation"]),
        "predictions": lambda: predict(
            paths["galaxies"] / "images", paths["predictions"], model=paths["model"], overwrite=True
        ),
        "report": lambda: write_report(
            [paths[name] for name in ("evaluation", "model", "predictions", "pack")],
            paths["report"],
            title="Demo",
            overwrite=True,
        ),
    }
    seconds = {}
    for name, step in steps.items():
        started = time.monotonic()
        step()
        seconds[name] = time.monotonic() - started
    return DemoResult(paths, seconds, read_json(paths["evaluation"] / "evaluation.json", EvaluationError))
