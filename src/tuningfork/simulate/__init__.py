"""Galaxies whose morphology is known because it was drawn, and volunteers who vote on them."""

from tuningfork.simulate.run import DEFAULT_MIX, examples, simulate_galaxies
from tuningfork.simulate.sheet import contact_sheet
from tuningfork.simulate.truth import CLASSES

__all__ = ["CLASSES", "DEFAULT_MIX", "contact_sheet", "examples", "simulate_galaxies"]
