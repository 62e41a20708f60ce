"""Pixels that hold no measurement: found, filled from their neighbours, counted."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from astropy.io.fits import Header
from scipy import ndimage

from tuningfork.errors import ImageError
from tuningfork.images.fits.cards import text_of

LARGEST = 1e30  # values beyond it are marks of "nothing", not flux
MARKS = (-99.0, -999.0, -9999.0, -32768.0)  # values that some files hold where there is no measurement
AREA = 9  # connected zeros, at least, that are no measurement
BLOCK = 7  # a side of a square of zeros in it, at least, where values are rounded
SCATTERED = 0.02  # share of zeros elsewhere, above which all are honest
USELESS = 0.5  # share of an image; a mask that marks more is of something else, such as the sky around a galaxy
# Bits of mask planes that mean a pixel is not to be used; others mark what was detected or mended.
LSST_BITS = ("BAD", "NO_DATA", "UNMASKEDNAN")
LSST_DEFAULT = 1 << 0 | 1 << 8  # BAD and NO_DATA, where a mask of theirs does not name its planes
JWST_BIT = 1  # DO_NOT_USE


def without_data(values: np.ndarray, *, exact: bool) -> np.ndarray:
    """Where a plane (H, W) holds no measurement: not finite, a mark, or part of an area of exact zeros.

    Sky noise is never exactly 0 over an area, so a survey that writes it has not looked there. In integers or after
    lossy compression small areas of zeros are honest; where zeros are scattered all over the image, all are.
    """
    low = float(values.min())  # NaN where one is
    if low >= -LARGEST and values.max() <= LARGEST:
        bad = np.zeros(values.shape, bool)
    else:
        bad = ~np.isfinite(values) | (np.abs(values) > LARGEST)
        low = float(np.min(values, where=~bad, initial=np.inf))
    # A mark is one where it is far from every other value.
    if low in MARKS:
        marked = values == low
        rest = values[~bad & ~marked]
        if len(rest) and rest.min() > low / 2:
            bad |= marked
    if np.count_nonzero(values) < values.size:
        bad |= _areas(values == 0, exact=exact)
    return bad


def _areas(zeros: np.ndarray, *, exact: bool) -> np.ndarray:
    """The connected parts of a mask that are large enough; none where much of the rest is zero, too."""
    labels, count = ndimage.label(zeros, np.ones((3, 3), bool))
    if exact:
        large = np.bincount(labels.ravel(), minlength=count + 1) >= AREA
    else:
        large = np.zeros(count + 1, bool)
        large[np.unique(labels[ndimage.binary_opening(zeros, np.ones((BLOCK, BLOCK), bool))])] = True
    large[0] = False
    areas: np.ndarray = large[labels]
    scattered = (zeros & ~areas).sum() > SCATTERED * (~areas).sum()
    return np.zeros_like(zeros) if scattered else areas


def flagged(values: np.ndarray, header: Header, name: str) -> np.ndarray:
    """Where a unit of flags, a mask, or weights says that pixels are bad: bool, as `values`; `name` is the unit's."""
    if re.search(r"WHT|WGT|WEIGHT|IVAR|INVVAR|IVM", name, re.IGNORECASE):
        return ~(values > 0)
    if values.dtype.kind == "f":
        bad: np.ndarray = np.nan_to_num(values) != 0
        return bad
    lsst = {key[3:]: int(header[key]) for key in header if key.startswith("MP_") and isinstance(header[key], int)}
    bits = sum(1 << lsst[bit] for bit in LSST_BITS if bit in lsst)
    if not lsst and text_of(header, "TELESCOP").upper() in ("JWST", "ROMAN"):
        bits = JWST_BIT
    if not lsst and text_of(header, "EXTTYPE").upper() == "MASK":
        bits = LSST_DEFAULT
    if lsst or bits:
        values = values.astype(np.int64) & bits
    marked: np.ndarray = values != 0
    return marked


def combined(masks: Iterable[tuple[str, np.ndarray]]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Where any of some masks, each (H, W) or (N, H, W), is true: (H, W) bool; None where there is none to go by.

    Each comes with what its unit is called. One that marks too much of the image is left out, which is said.
    """
    bad: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    for label, mask in masks:
        flat = np.logical_or.reduce(mask.reshape(-1, *mask.shape[-2:]), axis=0)
        if flat.mean() <= USELESS:
            bad = flat if bad is None else bad | flat
        else:
            notes += (f"unit {label} marks {flat.mean():.0%} of the pixels and is not used",)
    return bad, notes


def fill(values: np.ndarray, bad: np.ndarray, what: str) -> np.ndarray:
    """Give bad pixels the value of the nearest good one; `what` names the plane in errors.

    Raises
    ------
    ImageError
        If no pixel is good.
    """
    if not bad.any():
        return values
    if bad.all():
        raise ImageError(f"{what} holds no data: all of its pixels are zero, NaN or masked")
    rows, columns = ndimage.distance_transform_edt(bad, return_distances=False, return_indices=True)
    filled: np.ndarray = values[rows, columns]
    return filled
