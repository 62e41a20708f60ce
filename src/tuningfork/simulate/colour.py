"""The light of stars in three bands, and the picture made of it."""

from __future__ import annotations

import numpy as np

from tuningfork.simulate.profiles import Array

BANDS = ("g", "r", "i")
OLD, YOUNG, NEWBORN = 1.0, 0.0, -0.25

# The blue, green and red light of a nanomaggy of g, r and i: old stars look tan, young ones blue, as in SDSS pictures.
_BALANCE = np.array([1.62, 1.15, 0.92], dtype=np.float32)
_SLOPE = 1.0  # of the asinh stretch at zero flux, per nanomaggy in a pixel of the SDSS camera
_SOFTENING = 7.5  # Q of Lupton et al.: how soon bright pixels turn from linear to logarithmic
_SKY_LEVEL = 3.5 / 255


def band_fluxes(redness: float) -> Array:
    """Flux in g, r, i for 1 in r, (3,) float32.

    `redness` runs from 0, young stars (g - r = 0.2, r - i = 0.05), to 1, old ones (g - r = 0.8, r - i = 0.4), either
    side of the two peaks of Strateva et al. 2001 (AJ 122, 1861). Values outside go on along the line.
    """
    g_r, r_i = 0.2 + 0.6 * redness, 0.05 + 0.35 * redness
    return np.array([10 ** (-0.4 * g_r), 1.0, 10 ** (0.4 * r_i)], dtype=np.float32)


def picture(flux: Array, pixel_area: float) -> Array:
    """An RGB image, (H, W, 3) uint8, top row first, from g, r, i planes (3, H, W) in nanomaggies, bottom row first.

    Red, green and blue are i, r and g, all scaled by the same function of their mean I, asinh(Q a I) / (Q I), so a
    pixel's colour does not depend on its brightness; pixels that overflow are dimmed as a whole (Lupton et al. 2004,
    PASP 116, 133, eq. 2).

    Parameters
    ----------
    flux
        Sky-subtracted, linear.
    pixel_area
        Of a pixel, in pixels of the SDSS camera (0.396 arcsec squared): the stretch is one of surface brightness.
    """
    light = flux * (_BALANCE / np.float32(pixel_area))[:, None, None]
    mean = np.maximum(light.mean(axis=0), np.float32(1e-6))
    stretched = np.arcsinh(np.float32(_SOFTENING * _SLOPE) * mean) / (np.float32(_SOFTENING) * mean)
    rgb = light[::-1] * stretched + np.float32(_SKY_LEVEL)
    rgb /= np.maximum(rgb.max(axis=0), 1)
    levels = np.clip(rgb * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)[::-1])
