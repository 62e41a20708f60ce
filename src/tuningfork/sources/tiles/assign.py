"""Which tile a galaxy is cut out of: the one in which it is most central."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuningfork.sources.tiles.find import Found
from tuningfork.sources.tiles.grid import directions
from tuningfork.sources.tiles.tile import depth


@dataclass(frozen=True)
class Assigned:
    """For each of N galaxies the number of its tile, -1 where none covers it; its row there; how many cover it."""

    tile: np.ndarray
    row: np.ndarray
    covering: np.ndarray


def assign(positions: np.ndarray, tiles: Sequence[Found]) -> Assigned:
    """Find the tile of positions (N, 2) in degrees; NaN are in none.

    A tile that can't be used is a galaxy's only where no other covers it.
    """
    from scipy.spatial import KDTree

    n = len(positions)
    assigned = Assigned(np.full(n, -1), np.zeros(n), np.zeros(n, np.int64))
    best = np.zeros(n)
    known = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if not len(known):
        return assigned
    tree = KDTree(directions(positions[known]))
    for sound in (True, False):
        free = assigned.tile < 0
        for number, found in enumerate(tiles):
            if bool(found.tile.problem) == sound or not found.grids:
                continue
            first = found.grids[0]
            near = known[tree.query_ball_point(first.centre, first.reach())]
            near = near[free[near]]
            if not len(near):
                continue
            inside = depth(found.grids, positions[near])
            assigned.covering[near[inside > 0]] += 1
            better = inside > best[near]
            chosen = near[better]
            best[chosen], assigned.tile[chosen] = inside[better], number
            assigned.row[chosen] = first.pixels(positions[chosen])[:, 1]
    return assigned
