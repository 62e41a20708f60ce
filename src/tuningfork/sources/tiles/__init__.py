"""Galaxies cut out of the tiles of a survey, at their positions."""

from tuningfork.sources.tiles.named import cut_out_shared
from tuningfork.sources.tiles.open import open_tiles
from tuningfork.sources.tiles.source import TileSource

__all__ = ["TileSource", "cut_out_shared", "open_tiles"]
