"""Galaxies of a catalogue, cut out of tiles at their positions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.errors import ImageError
from tuningfork.images.frame import Frame
from tuningfork.images.item import Item
from tuningfork.images.reading import Reading
from tuningfork.sources.files import file_stamp
from tuningfork.sources.source import Introduction
from tuningfork.sources.tiles.cutting import Cutting
from tuningfork.sources.tiles.tile import Tile


@dataclass
class TileSource:
    """Galaxies in the order of the tiles, so that each part of a tile is read once.

    Parameters
    ----------
    table
        `id_str`, `file_loc` and the catalogue's other columns; its index is the place of each row in the catalogue.
    positions
        Of the galaxies, (N, 2) in degrees.
    covering
        The number of each galaxy's tile, -1 where none covers it; and how many cover it, (N, 2).
    tiles
        All of them.
    reading
        How they are to be read.
    tables
        Where the galaxies are named.
    """

    table: pd.DataFrame
    origin: str
    introduction: Introduction
    positions: np.ndarray
    covering: np.ndarray
    tiles: Sequence[Tile]
    reading: Reading
    tables: tuple[Path, ...]

    @property
    def n(self) -> int:
        """The number of galaxies."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The galaxies from the `start`-th on; of one tile as many rows of pixels are held as cutouts need."""
        for number, group in groupby(range(start, self.n), key=lambda row: int(self.covering[row, 0])):
            rows = list(group)
            names = self.table[["id_str", "file_loc"]].iloc[rows[0] : rows[-1] + 1].to_numpy()
            cut = self._cutting(number, rows) if number >= 0 else partial(_uncovered, self.positions[rows])
            for index, (identity, location) in enumerate(names):
                yield Item(identity, location, partial(cut, index))

    def part(self, start: int, stop: int) -> TileSource:
        """The galaxies from `start` to `stop`, and their tiles alone."""
        names = ["id_str", "file_loc", *self.reading.columns(self.table)]
        covering = self.covering[start:stop].copy()
        used, covering[:, 0] = np.unique(covering[:, 0], return_inverse=True)
        tiles = [self.tiles[number].absolute() for number in used if number >= 0]
        covering[:, 0] -= len(used) - len(tiles)
        return replace(
            self,
            table=self.table.iloc[start:stop][list(dict.fromkeys(names))],
            positions=self.positions[start:stop],
            covering=covering,
            tiles=tiles,
        )

    def describe(self) -> dict[str, Any]:
        """Where the tiles are, how many galaxies, and a fingerprint of these, their positions and the tiles' files."""
        digest = hashlib.sha256()
        for path in self._paths():
            digest.update(f"{path}\0{file_stamp(path)}\n".encode(errors="surrogateescape"))
        for identity, location, position in zip(
            self.table["id_str"], self.table["file_loc"], self.positions, strict=True
        ):
            digest.update(f"{identity}\0{location}\0{position.tolist()}\n".encode(errors="surrogateescape"))
        return {"kind": "tiles", "origin": self.origin, "n": self.n, "fingerprint": digest.hexdigest()}

    def files(self) -> Iterator[Path]:
        """The tables that galaxies are named in, and the tiles' files."""
        yield from self.tables
        yield from map(Path, self._paths())

    def _paths(self) -> Iterator[str]:
        used = (self.tiles[number] for number in np.unique(self.covering[:, 0]) if number >= 0)
        yield from dict.fromkeys(layer.path for tile in used for layer in tile.layers)

    def _cutting(self, number: int, rows: Sequence[int]) -> Callable[[int], Frame]:
        """What gives the frame of a galaxy by its number among the `rows` of a tile."""
        tile, chosen = self.tiles[number], slice(rows[0], rows[-1] + 1)
        if tile.problem:
            return partial(_refuse, tile.problem)
        said = list(self.reading.rows(self.table.iloc[chosen]))
        try:
            cutting = Cutting(tile, self.positions[chosen], said, self.reading)
        except ImageError as error:
            return partial(_refuse, f"tile {tile.name}: {error}")
        return partial(_frame, cutting, self.covering[chosen, 1])


def _frame(cutting: Cutting, covering: np.ndarray, index: int) -> Frame:
    """The frame of a galaxy; where several tiles cover it, that is said."""
    frame = cutting.frame(index)
    if covering[index] < 2:
        return frame
    return replace(frame, notes=(f"from the most central of {covering[index]} tiles", *frame.notes))


def _uncovered(positions: np.ndarray, index: int) -> Frame:
    ra, dec = positions[index]
    if np.isfinite(ra):
        raise ImageError(f"no tile covers it (ra {ra:.5f}, dec {dec:.5f})")
    raise ImageError("the catalogue gives no position: its ra or dec is empty, or such as -99")


def _refuse(why: str, _: int) -> Frame:
    raise ImageError(why)
