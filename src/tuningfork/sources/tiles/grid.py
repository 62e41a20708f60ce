"""Where the pixels of a tile are on the sky."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tuningfork.errors import ImageError, first_line

if TYPE_CHECKING:
    from astropy.io.fits import Header

ALIKE = 1e-3  # by how much of themselves the pixel scales of two bands may differ
TURNED = 5e-3  # by how much of a pixel a step of one pixel may
MARGIN = 1.02  # a footprint is searched a little beyond its rim
RIM = 17  # points along each side


@dataclass(frozen=True, eq=False)
class Grid:
    """The pixels (H, W) of an image, by its WCS with whatever distortions that has."""

    wcs: Any
    height: int
    width: int

    @staticmethod
    def of(header: Header, height: int, width: int) -> Grid:
        """By a header.

        Raises
        ------
        ImageError
            If its WCS is not of the sky, or can't be used.
        """
        from astropy.wcs import WCS

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # astropy mends what surveys write, and says so
                wcs = WCS(header, naxis=2).celestial
                grid = Grid(wcs, height, width)
                usable = wcs.naxis == 2 and bool(np.isfinite(grid.centre).all()) and grid.pixel_scale > 0
        except Exception as error:  # whatever a WCS that is wrong ends in
            raise ImageError(f"its WCS can't be used ({first_line(error)})") from error
        if not usable:
            raise ImageError("it has no WCS of the sky; solve its astrometry first")
        return grid

    @cached_property
    def steps(self) -> np.ndarray:
        """What a step along x and y is on the sky, (2, 2) in arcseconds."""
        return np.asarray(self.wcs.pixel_scale_matrix, dtype=float) * 3600

    @property
    def pixel_scale(self) -> float:
        """Arcseconds a pixel."""
        return float(np.sqrt(np.prod(np.hypot(*self.steps))))

    @cached_property
    def centre(self) -> np.ndarray:
        """The direction of its middle, a unit vector (3,)."""
        vector: np.ndarray = self._directions(np.array([(self.width - 1) / 2]), np.array([(self.height - 1) / 2]))[0]
        return vector

    def reach(self) -> float:
        """How far from the middle the farthest pixel is, as the length of a chord of the unit sphere."""
        along = np.linspace(-0.5, 0.5, RIM)
        x, y = self.width * along + (self.width - 1) / 2, self.height * along + (self.height - 1) / 2
        ends = np.full(RIM, 1.0)
        rim = self._directions(
            np.concatenate([x, x, -0.5 * ends, (self.width - 0.5) * ends]),
            np.concatenate([-0.5 * ends, (self.height - 0.5) * ends, y, y]),
        )
        farthest = float(np.linalg.norm(rim - self.centre, axis=1).max())
        return min(2.0, MARGIN * farthest) if np.isfinite(farthest) else 2.0

    def pixels(self, positions: np.ndarray) -> np.ndarray:
        """Positions (N, 2) in degrees, ICRS, as pixels (N, 2): x and y from 0, NaN where there is none."""
        from astropy.coordinates import SkyCoord
        from astropy.wcs.utils import wcs_to_celestial_frame

        places = SkyCoord(*positions.T, unit="deg", frame="icrs").transform_to(wcs_to_celestial_frame(self.wcs))
        longitude, latitude = places.spherical.lon.deg, places.spherical.lat.deg
        pixels = np.stack(self.wcs.all_world2pix(longitude, latitude, 0, quiet=True), axis=1)
        if self.wcs.has_distortion:  # it is undone in steps, which may lead astray beyond the rim
            back = directions(np.stack(self.wcs.all_pix2world(*pixels.T, 0), axis=1))
            apart = np.linalg.norm(back - directions(np.stack([longitude, latitude], axis=1)), axis=1)
            pixels[~(np.degrees(apart) * 3600 < 0.1 * self.pixel_scale)] = np.nan
        return pixels

    def depth(self, pixels: np.ndarray) -> np.ndarray:
        """How far inside the rim pixels (N, 2) are, (N,) in arcseconds; at most 0 for those outside."""
        x, y = pixels.T
        inside = np.minimum.reduce([x + 0.5, self.width - 0.5 - x, y + 0.5, self.height - 0.5 - y])
        arcsec: np.ndarray = np.nan_to_num(inside, nan=-1.0) * self.pixel_scale
        return arcsec

    def unlike(self, other: Grid) -> str:
        """Why cutouts of two grids would not lie on each other; empty where they do."""
        if abs(self.pixel_scale / other.pixel_scale - 1) > ALIKE:
            return f"pixels of {self.pixel_scale:.4g} and {other.pixel_scale:.4g} arcsec"
        if np.abs(self.steps - other.steps).max() > TURNED * self.pixel_scale:
            return "pixel grids turned against each other"
        return ""

    def _directions(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Unit vectors (N, 3), ICRS, of pixels."""
        from astropy.coordinates import SkyCoord
        from astropy.wcs.utils import wcs_to_celestial_frame

        longitude, latitude = self.wcs.all_pix2world(x, y, 0)
        places = SkyCoord(longitude, latitude, unit="deg", frame=wcs_to_celestial_frame(self.wcs)).icrs
        return directions(np.stack([places.ra.deg, places.dec.deg], axis=1))


def directions(positions: np.ndarray) -> np.ndarray:
    """Positions (N, 2) in degrees as unit vectors (N, 3)."""
    longitude, latitude = np.radians(positions).T
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )
