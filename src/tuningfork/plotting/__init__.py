"""How plots and contact sheets are drawn, once for all of them."""

from tuningfork.plotting.sheet import Row, Sheet, Tile

__all__ = ["Row", "Sheet", "Tile"]
