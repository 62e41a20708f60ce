"""How sure a model is, measured on galaxies it was not trained on and kept in its folder."""

from tuningfork.uncertainty.alter import disturb
from tuningfork.uncertainty.conformal import FEWEST_LABELS, conform
from tuningfork.uncertainty.expected import ExpectedError, fit_expected
from tuningfork.uncertainty.flag import fit_flag
from tuningfork.uncertainty.intervals import FEWEST, LEVEL, Intervals, fit_intervals
from tuningfork.uncertainty.mahalanobis import Mahalanobis, fit_mahalanobis
from tuningfork.uncertainty.regression import Regression
from tuningfork.uncertainty.samples import Samples, sample_framings, sample_renderings
from tuningfork.uncertainty.store import Measurements, Uncertainty, read_uncertainty, write_uncertainty

__all__ = [
    "FEWEST",
    "FEWEST_LABELS",
    "LEVEL",
    "ExpectedError",
    "Intervals",
    "Mahalanobis",
    "Measurements",
    "Regression",
    "Samples",
    "Uncertainty",
    "conform",
    "disturb",
    "fit_expected",
    "fit_flag",
    "fit_intervals",
    "fit_mahalanobis",
    "read_uncertainty",
    "sample_framings",
    "sample_renderings",
    "write_uncertainty",
]
