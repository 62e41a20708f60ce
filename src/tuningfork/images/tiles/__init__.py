"""Galaxies cut out of the tiles of a survey, at their positions."""

from tuningfork.images.tiles.named import cut_out_shared
from tuningfork.images.tiles.open import open_tiles
from tuningfork.images.tiles.source import TileSource

__all__ = ["TileSource", "cut_out_shared", "open_tiles"]
