"""Tuningfork turns images of galaxies into a morphology catalogue that a scientist can trust.

The verbs of the command are functions here; each is imported when it is first used, so that
`import tuningfork` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuningfork.evaluation import evaluate_predictions
    from tuningfork.inference import evaluate_model, predict
    from tuningfork.models import load_model
    from tuningfork.packs import make_pack, open_pack
    from tuningfork.report import write_report
    from tuningfork.schemas import load_schema
    from tuningfork.simulate import simulate
    from tuningfork.training import load_recipe, train

_HOMES = {
    "evaluate_model": "inference",
    "evaluate_predictions": "evaluation",
    "load_model": "models",
    "load_recipe": "training",
    "load_schema": "schemas",
    "make_pack": "packs",
    "open_pack": "packs",
    "predict": "inference",
    "simulate": "simulate",
    "train": "training",
    "write_report": "report",
}

__all__ = [
    "evaluate_model",
    "evaluate_predictions",
    "load_model",
    "load_recipe",
    "load_schema",
    "make_pack",
    "open_pack",
    "predict",
    "simulate",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuningfork' has no attribute {name!r}")
    return getattr(import_module(f"tuningfork.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
