"""How sure a model is, measured on galaxies it was not trained on and kept in its folder."""

from tuningfork.models.uncertainty.flag import fit_flag
from tuningfork.models.uncertainty.intervals import FEWEST, LEVEL, Intervals, fit_intervals
from tuningfork.models.uncertainty.likeness import Likeness, fit_likeness
from tuningfork.models.uncertainty.rendering import Rendering, sample_renderings
from tuningfork.models.uncertainty.store import Uncertainty, read_uncertainty, write_uncertainty

__all__ = [
    "FEWEST",
    "LEVEL",
    "Intervals",
    "Likeness",
    "Rendering",
    "Uncertainty",
    "fit_flag",
    "fit_intervals",
    "fit_likeness",
    "read_uncertainty",
    "sample_renderings",
    "write_uncertainty",
]
