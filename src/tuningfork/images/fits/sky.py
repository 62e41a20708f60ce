"""Where a FITS image is on the sky, and how large its pixels are there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.io.fits import Header

from tuningfork.images.fits.cards import text_of

GRIDS_ALIKE = 0.01  # how far scales may differ, and axes, for bands of one image
CELESTIAL = ("RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT")


@dataclass(frozen=True)
class Sky:
    """`pixel_scale` in arcseconds; `ra` and `dec` of the middle in degrees; whether pixels are `square`.

    `axes` is what a step along each axis is on the sky, in pixels: (2, 2), a rotation where pixels are square.
    """

    pixel_scale: float
    ra: float
    dec: float
    square: bool
    axes: tuple[tuple[float, ...], ...]

    def unlike(self, other: Sky) -> bool:
        """Whether the pixels of an image of the same size lie elsewhere on the sky: half a pixel at its rim, say."""
        apart = np.hypot((self.ra - other.ra) * np.cos(np.radians(self.dec)), self.dec - other.dec) * 3600
        return bool(
            abs(self.pixel_scale / other.pixel_scale - 1) > GRIDS_ALIKE
            or np.abs(np.subtract(self.axes, other.axes)).max() > GRIDS_ALIKE
            or apart > self.pixel_scale
        )


def sky_of(header: Header, height: int, width: int) -> Sky | None:
    """What the header's WCS says; None where it has none on the sky, or one that can't be used."""
    reference = (header.get("CRVAL1"), header.get("CRVAL2"))
    if not text_of(header, "CTYPE1").upper().startswith(CELESTIAL) or any(isinstance(v, str) for v in reference):
        return None
    # Half a second that files without a WCS need not wait for.
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy mends what surveys write, and says so
            wcs = WCS(header, naxis=2).celestial
            scales = proj_plane_pixel_scales(wcs) * 3600
            matrix = wcs.pixel_scale_matrix * 3600
            longitude, latitude = wcs.wcs_pix2world((width - 1) / 2, (height - 1) / 2, 0)
            place = SkyCoord(float(longitude), float(latitude), unit="deg", frame=wcs_to_celestial_frame(wcs)).icrs
    except Exception:  # whatever a WCS that is wrong ends in loses the scale, not the galaxy
        return None
    scale = float(np.sqrt(np.prod(scales)))
    if not (1e-4 < scale < 3600 and np.isfinite([place.ra.deg, place.dec.deg]).all()):
        return None
    axes = matrix / scale
    square = bool(abs(scales[0] / scales[1] - 1) < 0.02)
    return Sky(scale, float(place.ra.deg), float(place.dec.deg), square, tuple(map(tuple, axes.tolist())))
