"""From images to predictions, streaming; and a model's figures on a pack."""

from tuningfork.inference.score import evaluate_model
from tuningfork.inference.streaming import predict, predict_pack

__all__ = ["evaluate_model", "predict", "predict_pack"]
