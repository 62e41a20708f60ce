"""From images to predictions and features, streaming; and a model's figures on a pack."""

from tuningfork.inference.calibrate import calibrate
from tuningfork.inference.embedding import embed
from tuningfork.inference.export import export_model
from tuningfork.inference.robustness import robustness
from tuningfork.inference.score import evaluate_model
from tuningfork.inference.streaming import predict, predict_pack

__all__ = ["calibrate", "embed", "evaluate_model", "export_model", "predict", "predict_pack", "robustness"]
