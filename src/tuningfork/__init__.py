"""Tuningfork turns images of galaxies into a morphology catalogue that a scientist can trust.

Each name is imported when it is first used, so that `import tuningfork` is quick and changes nothing in the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.api import TrainedModel, load_model, pack, train
    from tuningfork.embeddings import Embedding, anomalies, read_embedding
    from tuningfork.errors import TuningforkError
    from tuningfork.evaluation import Evaluation, evaluate_file, evaluate_predictions
    from tuningfork.explain import Explanation, explain_images
    from tuningfork.images import Survey
    from tuningfork.inference import draw_preview, export_model
    from tuningfork.models import bundled_models, make_ensemble, register_encoder, register_head
    from tuningfork.packs import Pack, open_pack
    from tuningfork.process import tune_process
    from tuningfork.report import write_report
    from tuningfork.robustness import measure_robustness
    from tuningfork.schemas import Schema, bundled_schemas, load_schema
    from tuningfork.simulate import simulate_galaxies
    from tuningfork.study import load_study, run_study
    from tuningfork.training import Recipe, bundled_recipes, load_recipe

__version__ = "0.1.0"

_HOMES = {
    "Embedding": "embeddings",
    "Evaluation": "evaluation",
    "Explanation": "explain",
    "Pack": "packs",
    "Recipe": "training",
    "Schema": "schemas",
    "Survey": "images",
    "TrainedModel": "api",
    "TuningforkError": "errors",
    "anomalies": "embeddings",
    "bundled_models": "models",
    "bundled_recipes": "training",
    "bundled_schemas": "schemas",
    "draw_preview": "inference",
    "evaluate_file": "evaluation",
    "evaluate_predictions": "evaluation",
    "explain_images": "explain",
    "export_model": "inference",
    "load_model": "api",
    "load_recipe": "training",
    "load_schema": "schemas",
    "load_study": "study",
    "make_ensemble": "models",
    "measure_robustness": "robustness",
    "open_pack": "packs",
    "pack": "api",
    "read_embedding": "embeddings",
    "register_encoder": "models",
    "register_head": "models",
    "run_study": "study",
    "simulate_galaxies": "simulate",
    "train": "api",
    "tune_process": "process",
    "write_report": "report",
}

__all__ = [
    "Embedding",
    "Evaluation",
    "Explanation",
    "Pack",
    "Recipe",
    "Schema",
    "Survey",
    "TrainedModel",
    "TuningforkError",
    "anomalies",
    "bundled_models",
    "bundled_recipes",
    "bundled_schemas",
    "draw_preview",
    "evaluate_file",
    "evaluate_predictions",
    "explain_images",
    "export_model",
    "load_model",
    "load_recipe",
    "load_schema",
    "load_study",
    "make_ensemble",
    "measure_robustness",
    "open_pack",
    "pack",
    "read_embedding",
    "register_encoder",
    "register_head",
    "run_study",
    "simulate_galaxies",
    "train",
    "tune_process",
    "write_report",
]


import_when_asked(__name__, _HOMES)
