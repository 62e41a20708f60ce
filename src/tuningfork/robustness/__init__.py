"""How far the answers of a model hold when images are disturbed."""

from tuningfork.robustness.measure import measure_robustness

__all__ = ["measure_robustness"]
