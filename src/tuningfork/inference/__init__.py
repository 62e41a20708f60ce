"""From images to predictions and features, streaming; and a model's figures on a pack.

Each part is imported when it is first asked for: a prediction need not wait for what calibration and plots import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.inference.calibration import calibrate
    from tuningfork.inference.embedding import embed
    from tuningfork.inference.export import export_model
    from tuningfork.inference.preview import draw_preview
    from tuningfork.inference.score import evaluate_into, evaluate_model
    from tuningfork.inference.streaming import predict, predict_pack

_HOMES = {
    "calibrate": "calibration",
    "draw_preview": "preview",
    "embed": "embedding",
    "evaluate_into": "score",
    "evaluate_model": "score",
    "export_model": "export",
    "predict": "streaming",
    "predict_pack": "streaming",
}

__all__ = [
    "calibrate",
    "draw_preview",
    "embed",
    "evaluate_into",
    "evaluate_model",
    "export_model",
    "predict",
    "predict_pack",
]

import_when_asked(__name__, _HOMES)
