"""Tuningfork turns images of galaxies into a morphology catalogue that a scientist can trust.

The verbs of the command are functions here; each is imported when it is first used, so that
`import tuningfork` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked
from tuningfork.threads import wait_briefly

if TYPE_CHECKING:
    from tuningfork.embeddings import anomalies, read_embedding, similar
    from tuningfork.evaluation import evaluate_predictions
    from tuningfork.explain import explain_images
    from tuningfork.inference import calibrate, draw_preview, embed, evaluate_model, export_model, predict
    from tuningfork.models import load_model, make_ensemble
    from tuningfork.packs import make_pack, open_pack
    from tuningfork.report import write_report
    from tuningfork.robustness import measure_robustness
    from tuningfork.schemas import load_schema
    from tuningfork.simulate import simulate_galaxies
    from tuningfork.study import load_study, run_study
    from tuningfork.training import load_recipe, train

_HOMES = {
    "anomalies": "embeddings",
    "calibrate": "inference",
    "embed": "inference",
    "evaluate_model": "inference",
    "evaluate_predictions": "evaluation",
    "draw_preview": "inference",
    "explain_images": "explain",
    "export_model": "inference",
    "load_model": "models",
    "load_recipe": "training",
    "load_schema": "schemas",
    "load_study": "study",
    "make_ensemble": "models",
    "make_pack": "packs",
    "measure_robustness": "robustness",
    "open_pack": "packs",
    "predict": "inference",
    "read_embedding": "embeddings",
    "run_study": "study",
    "similar": "embeddings",
    "simulate_galaxies": "simulate",
    "train": "training",
    "write_report": "report",
}

__all__ = [
    "anomalies",
    "calibrate",
    "draw_preview",
    "embed",
    "evaluate_model",
    "evaluate_predictions",
    "explain_images",
    "export_model",
    "load_model",
    "load_recipe",
    "load_schema",
    "load_study",
    "make_ensemble",
    "make_pack",
    "measure_robustness",
    "open_pack",
    "predict",
    "read_embedding",
    "run_study",
    "similar",
    "simulate_galaxies",
    "train",
    "write_report",
]


wait_briefly()
import_when_asked(__name__, _HOMES)
