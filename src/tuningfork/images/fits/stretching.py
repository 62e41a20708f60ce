"""From flux to what an eye sees.

The stretch is that of the Legacy Surveys sky viewer (`sdss_rgb` and `dr2_rgb` of github.com/legacysurvey/imagine),
after Lupton et al. 2004, PASP 116, 133 (arXiv:astro-ph/0312483): with I the mean of the scaled bands, each band is
multiplied by asinh(Q I) / (sqrt(Q) I), so that colour survives where brightness is compressed. Flux is in nanomaggies a
pixel of 0.262 arcsec.
"""

from __future__ import annotations

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
    bands = flux.shape[2]
    if bands == 3:
        scaled = flux * GRZ_SCALES + np.float32(OFFSET)
        brightness = np.maximum(scaled, 0).mean(axis=2, keepdims=True)
        scaled = scaled[:, :, ::-1]
    else:
        scaled = flux * np.float32(ONE_BAND_SCALE) + np.float32(OFFSET)
        brightness = np.maximum(scaled, 0)
    compressed = np.arcsinh(SOFTENING * brightness) / np.sqrt(SOFTENING)
    out: np.ndarray = 255 * np.clip(scaled * compressed / np.maximum(brightness, 1e-6), 0, 1)
    return out
