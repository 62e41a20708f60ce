"""A predictions table against labels: metrics with intervals, calibration, plots."""

from tuningfork.evaluation.compare import evaluate_file
from tuningfork.evaluation.difference import paired_difference
from tuningfork.evaluation.evaluate import evaluate_predictions, main_figures
from tuningfork.evaluation.result import Evaluation
from tuningfork.evaluation.text import figures_text
from tuningfork.evaluation.write import read_evaluation, write_evaluation

__all__ = [
    "Evaluation",
    "evaluate_file",
    "evaluate_predictions",
    "figures_text",
    "main_figures",
    "paired_difference",
    "read_evaluation",
    "write_evaluation",
]
