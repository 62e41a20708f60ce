"""Which pixels of cutouts are bad, by the units of flags, masks and weights of a tile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tuningfork.images.fits import combined, flagged
from tuningfork.sources.tiles.shared import Box, SharedRows
from tuningfork.sources.tiles.stored import stored
from tuningfork.sources.tiles.tile import Tile
from tuningfork.sources.tiles.units import TileUnit


@dataclass(frozen=True)
class Flags:
    """A unit of flags, and the rows of each of its planes."""

    unit: TileUnit
    planes: tuple[SharedRows, ...]


def flags_of(
    tile: Tile, units: Sequence[Sequence[TileUnit]], boxes: Sequence[Sequence[Box]]
) -> list[tuple[Flags, ...]]:
    """The flags of each layer of a tile; those that several layers have in common are read once.

    Parameters
    ----------
    units
        Of each layer, the image's first.
    boxes
        What is to be cut out of each layer.

    Raises
    ------
    ImageError
        If they can't be read.
    """
    wanted: dict[tuple[str, int], tuple[TileUnit, list[Box]]] = {}
    for layer, (_, *flags), each in zip(tile.layers, units, boxes, strict=True):
        for unit in flags:
            wanted.setdefault((layer.path, unit.number), (unit, []))[1].extend(each)
    made = {key: _made(key[0], *wanted[key]) for key in wanted}
    return [tuple(made[layer.path, number] for number in layer.flags) for layer in tile.layers]


def _made(path: str, unit: TileUnit, boxes: list[Box]) -> Flags:
    size = unit.shape[-2:]
    planes = range(math.prod(unit.shape[:-2]))
    return Flags(unit, tuple(SharedRows(stored(path, unit, n, whole=True), size, boxes) for n in planes))


def bad_pixels(
    flags: Sequence[Flags], box: Box, values: Iterator[np.ndarray]
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Where pixels of a cutout are bad, bool, None where nothing says so; and what to say of the flags.

    What lies beyond the tile is not judged.

    Parameters
    ----------
    values
        What was cut out of each plane of each of the flags; more may follow.
    """
    if not flags:
        return None, ()
    inside = flags[0].planes[0].inside(box)
    marked, notes = combined(
        (
            each.unit.label,
            flagged(np.stack([next(values)[inside] for _ in each.planes]), each.unit.said, each.unit.name),
        )
        for each in flags
    )
    if marked is None:
        return None, notes
    bad = np.zeros((box.height, box.width), bool)
    bad[inside] = marked
    return bad, notes
