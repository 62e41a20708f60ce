"""How sure a model is, measured on galaxies it was not trained on and kept in its folder."""

from tuningfork.models.uncertainty.intervals import FEWEST, LEVEL, Intervals, fit_intervals
from tuningfork.models.uncertainty.likeness import Likeness, fit_likeness
from tuningfork.models.uncertainty.store import Uncertainty, read_uncertainty, write_uncertainty

__all__ = [
    "FEWEST",
    "LEVEL",
    "Intervals",
    "Likeness",
    "Uncertainty",
    "fit_intervals",
    "fit_likeness",
    "read_uncertainty",
    "write_uncertainty",
]
