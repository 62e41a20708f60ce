"""From images to predictions and features, streaming; and a model's figures on a pack.

Each part is imported when it is first asked for: a prediction need not wait for what calibration and plots import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.inference.calibrate import calibrate
    from tuningfork.inference.embedding import embed
    from tuningfork.inference.export import export_model
    from tuningfork.inference.look import look
    from tuningfork.inference.robustness import robustness
    from tuningfork.inference.score import evaluate_model
    from tuningfork.inference.streaming import predict, predict_pack

_HOMES = {
    "calibrate": "calibrate",
    "embed": "embedding",
    "evaluate_model": "score",
    "export_model": "export",
    "look": "look",
    "predict": "streaming",
    "predict_pack": "streaming",
    "robustness": "robustness",
}

__all__ = ["calibrate", "embed", "evaluate_model", "export_model", "look", "predict", "predict_pack", "robustness"]

import_when_asked(__name__, _HOMES)
