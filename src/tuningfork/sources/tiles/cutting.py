"""Galaxies cut out of one tile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.fits import Calibration, Plane, calibration_of
from tuningfork.images.frame import Frame
from tuningfork.images.reading import Reading
from tuningfork.sources.tiles.flags import bad_pixels, flags_of
from tuningfork.sources.tiles.shared import Box, SharedRows, cut_all
from tuningfork.sources.tiles.stored import stored
from tuningfork.sources.tiles.tile import Tile, grids_of

NOTHING = np.empty((0, 0), np.float32)
LARGEST = 7500  # pixels a side of a cutout


class Cutting:
    """A tile, and the galaxies that are to be cut out of it: its rows are read once, however many need them.

    Parameters
    ----------
    positions
        Of the galaxies, (N, 2) in degrees.
    rows
        What the catalogue says of each.
    reading
        How the tile is to be read; its field is an angle.

    Raises
    ------
    ImageError
        If the tile can't be read.
    """

    def __init__(self, tile: Tile, positions: np.ndarray, rows: Sequence[Mapping[str, Any]], reading: Reading) -> None:
        self.positions, self.reading = positions, reading
        self.notes, held = tile.notes, tile.units()
        units = [image for image, *_ in held]
        headers = {id(unit): unit.said for unit in units}
        self.planes = [
            Plane(NOTHING, headers[id(unit)], layer.band, exact=unit.exact)
            for layer, unit in zip(tile.layers, units, strict=True)
        ]
        self.calibrations: dict[Reading, Calibration] = {}
        grids = grids_of(units)
        self.scale = reading.stated.pixel_scale or grids[0].pixel_scale
        self.how = [_said(reading, row) for row in rows]
        centres = [grid.pixels(positions) for grid in dict.fromkeys(grids)]
        layers = [list(dict.fromkeys(grids)).index(grid) for grid in grids]
        sizes = [self._size(how, centre) for how, centre in zip(self.how, centres[0], strict=True)]
        boxes = [[_box(centre, size) for centre, size in zip(each, sizes, strict=True)] for each in centres]
        self.boxes = [boxes[layer] for layer in layers]
        known = [[box for box in each if box is not None] for each in self.boxes]
        self.layers = [
            SharedRows(stored(layer.path, unit, layer.plane), unit.shape[-2:], each)
            for layer, unit, each in zip(tile.layers, units, known, strict=True)
        ]
        self.flags = flags_of(tile, held, known)

    def frame(self, index: int) -> Frame:
        """The frame of a galaxy, by its number among those of the tile.

        Raises
        ------
        ImageError
            If its row of the catalogue, the place or the pixels are not such that it can be cut out.
        """
        how, boxes = self.how[index], [box for each in self.boxes if (box := each[index]) is not None]
        if isinstance(how, ImageError):
            raise how
        if not boxes:
            raise ImageError(f"a field of {how.field.number:g} arcsec is more than {LARGEST} pixels of its tile")
        frame = self._calibrated(self._cut(boxes), how)
        notes = (*self._beyond(boxes[0]), *self.notes, *frame.notes)
        return replace(frame, notes=notes, sky=(float(self.positions[index, 0]), float(self.positions[index, 1])))

    def _size(self, how: Reading | ImageError, centre: np.ndarray) -> tuple[int, int] | None:
        """Width and height of a box: no less than the field, and such that its middle is the galaxy's to 1/4 pixel."""
        if isinstance(how, ImageError):
            return None
        side = how.field.number / self.scale
        least = math.ceil(side - 1e-6)
        if least > LARGEST:
            return None
        width, height = (min((least, least + 1), key=lambda n: abs(_offset(c, n))) for c in centre)
        return width, height

    def _cut(self, boxes: Sequence[Box]) -> list[Plane]:
        """The planes of a galaxy by its box in each layer."""
        layers = list(zip(self.planes, self.layers, self.flags, boxes, strict=True))
        images = [(rows, box) for _, rows, _, box in layers]
        marks = [(rows, box) for *_, flags, box in layers for each in flags for rows in each.planes]
        cutouts = iter(cut_all([*images, *marks]))
        values = [next(cutouts) for _ in images]
        judged = [bad_pixels(flags, box, cutouts) for *_, flags, box in layers]
        return [
            replace(plane, values=pixels, bad=bad, notes=notes)
            for plane, pixels, (bad, notes) in zip(self.planes, values, judged, strict=True)
        ]

    def _beyond(self, box: Box) -> tuple[str, ...]:
        """What to say where part of a box lies beyond the tile."""
        along, across = self.layers[0].inside(box)
        share = 1 - (along.stop - along.start) * (across.stop - across.start) / (box.width * box.height)
        return (f"{share:.0%} of the field lies beyond the tile",) if share > 0 else ()

    def _calibrated(self, planes: Sequence[Plane], how: Reading) -> Frame:
        key = replace(how, field=self.reading.field)
        if key not in self.calibrations:  # two threads may find out the same
            self.calibrations[key] = calibration_of(planes, key)
        return self.calibrations[key].frame(planes)


def _said(reading: Reading, row: Mapping[str, Any]) -> Reading | ImageError:
    try:
        return reading.for_row(row)
    except ImageError as error:
        return error


def _offset(centre: float, length: int) -> float:
    """How far from `centre` the middle of the nearest run of `length` pixels is."""
    start = round(centre - (length - 1) / 2)
    return start + (length - 1) / 2 - centre


def _box(centre: np.ndarray, size: tuple[int, int] | None) -> Box | None:
    if size is None:
        return None
    left, bottom = (round(float(c) - (n - 1) / 2) for c, n in zip(centre, size, strict=True))
    return Box(left, bottom, *size)
