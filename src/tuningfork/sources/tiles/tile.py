"""A tile: a piece of sky, imaged in one band or several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.sources.tiles.grid import Grid
from tuningfork.sources.tiles.units import TileUnit, read_units


@dataclass(frozen=True)
class Layer:
    """An image of a tile: one plane of a unit of a file, in a band (empty where that is not known).

    `flags` are the units that say which of its pixels are bad.
    """

    path: str
    unit: int
    plane: int
    band: str
    flags: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tile:
    """`layers` are in the order of the bands; `problem` says why galaxies can't be cut out, empty where they can.

    `notes` say which units of its files were taken.
    """

    name: str
    layers: tuple[Layer, ...]
    problem: str = ""
    notes: tuple[str, ...] = ()

    def absolute(self) -> Tile:
        """The same for a process that works in another folder."""
        layers = tuple(replace(layer, path=os.path.abspath(layer.path)) for layer in self.layers)  # noqa: PTH100
        return replace(self, layers=layers)

    def units(self) -> list[tuple[TileUnit, ...]]:
        """The unit of each layer's image, then those of its flags; a file is looked into once."""
        found = {path: read_units(path) for path in dict.fromkeys(layer.path for layer in self.layers)}
        units = []
        for layer in self.layers:
            if max(layer.unit, *layer.flags, 0) >= len(found[layer.path]):
                raise ImageError(f"{layer.path} is cut short or has changed; get it again")
            units.append(tuple(found[layer.path][number] for number in (layer.unit, *layer.flags)))
        return units


def grids_of(units: Sequence[TileUnit]) -> list[Grid]:
    """The pixel grid of each unit; layers that share a unit share its grid.

    Raises
    ------
    ImageError
        If one has no WCS of the sky.
    """
    known: dict[int, Grid] = {}
    for unit in units:
        if id(unit) not in known:
            known[id(unit)] = Grid.of(unit.said, *unit.shape[-2:])
    return [known[id(unit)] for unit in units]


def depth(grids: Sequence[Grid], positions: np.ndarray) -> np.ndarray:
    """How far inside the rim of every layer positions (N, 2) are, in arcseconds; at most 0 where one ends before."""
    depths = [grid.depth(grid.pixels(positions)) for grid in dict.fromkeys(grids)]
    inside: np.ndarray = np.minimum.reduce(depths)
    return inside
