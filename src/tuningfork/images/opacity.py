"""Transparent pictures drawn on black, as the sky is: what lies hidden below transparent pixels is no galaxy."""

from __future__ import annotations

import numpy as np

ON_BLACK = "transparent pixels drawn on black"
OPAQUE = 255


def on_black(colours: np.ndarray, opacity: np.ndarray, *, weakened: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """Colours (H, W, C) by their opacity (H, W, 1), both from 0 to 255, and a note where any pixel is transparent.

    They are left as they are where they have been `weakened` by it already.
    """
    if opacity.min() >= OPAQUE:
        return np.ascontiguousarray(colours), ()
    if weakened:
        return np.ascontiguousarray(colours), (ON_BLACK,)
    drawn = colours * (opacity.astype(np.float32) / OPAQUE)
    return (np.rint(drawn).astype(np.uint8) if colours.dtype == np.uint8 else drawn), (ON_BLACK,)
