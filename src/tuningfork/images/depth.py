"""Numbers of more than 8 bits as those of a picture: which of them is white."""

from __future__ import annotations

import numpy as np

from tuningfork.errors import ImageError

DEPTHS = (8, 10, 12, 16)  # of cameras and of files; those between are taken for the next
LEVELS = 16  # distinct brightnesses; a picture has as many at the least


def scaled(values: np.ndarray, stated: int | None = None) -> tuple[np.ndarray, str]:
    """Bring whole numbers from 0 on to 0 to 255.

    Parameters
    ----------
    values
        Unsigned integers of any shape, in a container of 16 bits or less.
    stated
        How many of the bits are significant, where the file says so.

    Returns
    -------
    tuple
        float32, and a note. Where no depth is stated, or numbers exceed it because they were spread over all 16 bits,
        the depth is the least common one that holds the brightest pixel: a picture whose white is 65535 and which
        stays below 4095 would be all but black.
    """
    brightest = int(values.max())
    known = stated is not None and brightest < 2**stated
    bits = stated if stated and known else next(bits for bits in DEPTHS if brightest < 2**bits)
    white = 2**bits - 1
    note = f"{bits} bits, scaled to 8" if bits > 8 or known else "8 bits"
    if not known and bits < 16:
        note = f"no pixel is above {brightest}: taken as {note}"
    elif brightest < white / 4:
        note += f"; its brightest pixel is {255 * brightest / white:.0f} of 255"
    return values.astype(np.float32) * np.float32(255 / white), note


def scaled_floats(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Bring floating-point numbers to 0 to 255 where they are those of a picture of 8 bits.

    Raises
    ------
    ImageError
        If they are anything but 256 even steps from 0 to 1 or from 0 to 255: then nothing tells which of them is white.
    """
    for white in (1, 255):
        steps = values * np.float32(255 / white)
        whole = np.rint(steps)
        if steps.min() >= 0 and steps.max() <= 255 and np.abs(steps - whole).max() < 0.01 and _is_rich(whole):
            return whole.astype(np.float32), f"floating-point numbers in steps of 8 bits: taken as 0 to {white}"
    raise ImageError(
        "its pixels are floating-point numbers without a stated scale; save a picture with 8 bits a channel, "
        "or linear flux as FITS"
    )


def _is_rich(steps: np.ndarray) -> bool:
    return len(np.unique(steps)) >= LEVELS
