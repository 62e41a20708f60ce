"""How sure a model is, measured on galaxies it was not trained on and kept in its folder."""

from tuningfork.uncertainty.conformal import FEWEST_LABELS, conform
from tuningfork.uncertainty.flag import fit_flag
from tuningfork.uncertainty.intervals import FEWEST, LEVEL, Intervals, fit_intervals
from tuningfork.uncertainty.mahalanobis import Mahalanobis, fit_mahalanobis
from tuningfork.uncertainty.regression import Regression
from tuningfork.uncertainty.samples import Samples, sample_framings, sample_renderings
from tuningfork.uncertainty.store import Uncertainty, read_uncertainty, write_uncertainty

__all__ = [
    "FEWEST",
    "FEWEST_LABELS",
    "LEVEL",
    "Intervals",
    "Mahalanobis",
    "Regression",
    "Samples",
    "Uncertainty",
    "conform",
    "fit_flag",
    "fit_intervals",
    "fit_mahalanobis",
    "read_uncertainty",
    "sample_framings",
    "sample_renderings",
    "write_uncertainty",
]
