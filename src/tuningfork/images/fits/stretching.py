"""From flux to what an eye sees.

The stretch is that of the Legacy Surveys sky viewer (`sdss_rgb` and `dr2_rgb` of github.com/legacysurvey/imagine),
after Lupton et al. 2004, PASP 116, 133 (arXiv:astro-ph/0312483): with I the mean of the scaled bands, each band is
multiplied by asinh(Q I) / (sqrt(Q) I), so that colour survives where brightness is compressed. Flux is in nanomaggies a
pixel of 0.262 arcsec.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCALES = {"g": 6.0, "r": 3.4, "z": 2.2}  # they become blue, green, red
GRZ_SCALES = np.array(list(SCALES.values()), dtype=np.float32)
ONE_BAND_SCALE = SCALES["r"]
OFFSET = 0.03
SOFTENING = 20.0  # Q


def stretch(flux: np.ndarray) -> np.ndarray:
    """Flux (H, W, C) to brightness 0 to 255. Three planes are taken as g, r, z and come out as red, green, blue.

    Of more planes or fewer each is stretched alone, as r.
    """
    planes = np.moveaxis(flux, 2, 0)  # each by itself: NumPy is slow along short axes
    if len(planes) == 3:
        scaled = [_scaled(plane, scale) for plane, scale in zip(planes, SCALES.values(), strict=True)]
        blue, green, red = (np.maximum(plane, 0) for plane in scaled)
        brightness = (blue + green + red) / np.float32(3)
        shown = _compressed(scaled[::-1], brightness)
    else:
        scaled = [_scaled(plane, ONE_BAND_SCALE) for plane in planes]
        shown = [out for plane in scaled for out in _compressed([plane], np.maximum(plane, 0))]
    return np.stack(shown, axis=2)


def _scaled(plane: np.ndarray, scale: float) -> np.ndarray:
    return plane * np.float32(scale) + np.float32(OFFSET)


def _compressed(planes: Sequence[np.ndarray], brightness: np.ndarray) -> list[np.ndarray]:
    """Planes times asinh(Q I) / (sqrt(Q) I), I being the brightness: 0 to 255."""
    compressed, least = np.arcsinh(SOFTENING * brightness) / np.sqrt(SOFTENING), np.maximum(brightness, 1e-6)
    return [255 * np.clip(plane * compressed / least, 0, 1) for plane in planes]
