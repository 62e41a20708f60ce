"""An evaluation in a few lines of text, and its figures in words."""

from __future__ import annotations

from typing import Any

from tuningfork.evaluation.evaluate import main_figures
from tuningfork.manifests.evaluations import FigureEntry

NAMES = {
    "rmse": "RMSE",
    "rmse_complete": "RMSE, all columns known",
    "baseline_rmse": "RMSE of the mean",
    "baseline_rmse_complete": "RMSE of the mean, all columns known",
    "rmse_where_asked": "RMSE where asked",
    "tree_violation": "largest tree violation",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log-loss",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mae": "mean absolute error",
    "median_absolute_error": "median absolute error",
    "bias": "bias",
    "pearson": "Pearson r",
    "spearman": "Spearman r",
    "coverage": "coverage of the 90 % intervals",
    "interval_width": "mean width of the intervals",
    "expected_rmse": "RMSE that the model expects",
    "volunteers": "equivalent volunteers",
    "within_limits": "within limits",
}

HIGHER = ("accuracy", "precision", "recall", "f1", "pearson", "spearman", "coverage", "volunteers", "within_limits")


def lower_is_better(name: str) -> bool:
    """Whether a smaller value of a figure is a better one; False of those that are shares of what is right."""
    return not name.endswith(HIGHER)


def figures_text(evaluation: dict[str, Any]) -> str:
    """The main figures as aligned lines: schema, figure, value, 95 % interval, galaxies."""
    rows = [("schema", "figure", "value", "95 % interval", "n")]
    for schema, name, figure in main_figures(evaluation):
        rows.append((schema, in_words(name), number(figure["value"]), interval(figure), f"{figure['n']:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:<{widths[3]}}  {e:>{widths[4]}}".rstrip()
        for a, b, c, d, e in rows
    )


def in_words(name: str) -> str:
    """A figure's name for people; the last word of ``T mae`` is looked up, the quantity before it stays."""
    before, _, last = name.rpartition(" ")
    return f"{before} {NAMES.get(last, last)}".strip()


def number(value: float | None) -> str:
    """A figure to four significant places at most; what is undefined is a dash."""
    if value is None:
        return "–"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 100 else f"{value:.3g}"


def interval(figure: dict[str, Any]) -> str:
    """A figure's interval as text, empty where it has none."""
    bounds = figure["interval"]
    return f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""


def with_interval(figure: FigureEntry | None) -> str:
    """A figure and its interval as text; what is undefined is a dash."""
    if figure is None:
        return number(None)
    ends = interval({"interval": figure.interval})
    return f"{number(figure.value)} ({ends})" if ends else number(figure.value)
