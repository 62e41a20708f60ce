"""How plots and contact sheets are drawn, once for all of them."""

from tuningfork.plotting.sheet import Row, Tile, contact_sheet

__all__ = ["Row", "Tile", "contact_sheet"]
