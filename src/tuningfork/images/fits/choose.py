"""Which units of a FITS file are the galaxy's image, and which say what is wrong with its pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from astropy.io import fits

from tuningfork.errors import ImageError
from tuningfork.images.fits.bands import band_of, parse_bands
from tuningfork.images.fits.cards import text_of
from tuningfork.images.fits.opening import Unit
from tuningfork.images.geometry import SMALLEST

AnyUnit = TypeVar("AnyUnit", bound=Unit)
PLANE_KEYS = ("BANDS", "FILTERS", "BAND", "FILTER")  # that may name the bands of all planes
MOST_PLANES = 16  # of a cube; more are a spectrum
IMAGE = ("SCI", "SCIENCE", "IMAGE", "IMG", "COADD", "FLUX", "DATA")
FLAGS = ("DQ", "MASK", "MSK", "BPM", "BADPIX", "FLAG", "FLAGS", "WHT", "WGT", "WEIGHT", "IVAR", "INVVAR", "IVM")
# fmt: off
OTHERS = (
    "ERR", "ERROR", "VAR", "VARIANCE", "SIGMA", "RMS", "NOISE", "UNCERT", "STDDEV", "PSF", "PSFSIZE", "KERNEL",
    "FWHM", "SEG", "SEGM", "SEGMAP", "SEGMENTATION", "MODEL", "RESIDUAL", "RESIDUALS", "RES", "CHI", "CHI2",
    "MEDIAN", "EXP", "EXPTIME", "EXPMAP", "NEXP", "CTX", "CON", "BKG", "BACKGROUND", "SKY", "COVERAGE", "COV",
    "AREA", "DEPTH", "GALDEPTH", "WAVELENGTH", "MAXVAL", "D2IMARR", "WCSCORR", "WCSDVARR", "ASDF",
    "CONF", "CONFMAP", "NSAMPLES", "STD", "BACK",
)
# fmt: on


@dataclass(frozen=True)
class Choice:
    """The units that hold the galaxy, one or one a band, the units of flags, and what to say of the choice."""

    images: tuple[Unit, ...]
    flags: tuple[Unit, ...]
    notes: tuple[str, ...] = ()


def choose(units: Sequence[Unit], asked: str = "", n_bands: int = 0) -> Choice:
    """The galaxy's units: the one that was `asked` for by name or number; or the band units; or the one of an image.

    Units without names are those of the bands where the user states as many, `n_bands`.

    Units of weights, errors, masks, PSFs, models and residuals are never taken unless asked for.

    Raises
    ------
    ImageError
        If there is no image, or not the unit asked for.
    """
    filled = [unit for unit in units if unit.shape and min(unit.shape[-2:]) > 0 and len(unit.shape) >= 2]
    flags = tuple(unit for unit in filled if means(unit, FLAGS))
    if asked:
        return _one(asked_unit(units, asked), flags, filled, units)
    named = [unit for unit in filled if not means(unit, (*FLAGS, *OTHERS)) and not _is_fit(unit)]
    large = [unit for unit in named if min(_sides(unit.shape)) >= SMALLEST]
    candidates = [unit for unit in large if not _is_label(unit, filled) and not _is_empty(unit, large)]
    if not candidates:
        raise ImageError(_nothing(units, named))
    bands = _band_units(candidates) or _as_many(candidates, n_bands)
    if bands:
        return Choice(bands, flags)
    best = next((unit for unit in candidates if means(unit, IMAGE)), candidates[0])
    labels = tuple(unit for unit in filled if _is_label(unit, filled) and _looks_like_a_mask(unit))
    return _one(best, flags or labels, filled, units)


def _one(best: Unit, flags: Sequence[Unit], filled: Sequence[Unit], units: Sequence[Unit]) -> Choice:
    """A unit, which is said where others might have been meant."""
    notes = (f"unit {best.label} of {len(units)}",) if len(filled) > 1 else ()
    return Choice((best,), tuple(flags), notes)


def asked_unit(units: Sequence[AnyUnit], asked: str) -> AnyUnit:
    """The unit of a name or number.

    Raises
    ------
    ImageError
        If there is none, or it holds no image.
    """
    for unit in units:
        if unit.name.casefold() == asked.casefold() or str(unit.number) == asked:
            if len(unit.shape) < 2:
                raise ImageError(f"unit {unit.label} holds no image")
            return unit
    there = ", ".join(unit.label for unit in units[:12])
    raise ImageError(f"it has no unit {asked!r}; it has {there}")


def _nothing(units: Sequence[Unit], named: Sequence[Unit]) -> str:
    if named:
        shapes = ", ".join(" x ".join(map(str, reversed(unit.shape))) for unit in named[:3])
        return f"a FITS file without an image that can be looked at: {shapes} pixels, or one value everywhere"
    there = ", ".join(unit.label for unit in units[:12])
    return f"a FITS file without an image (units {there}); name one with --hdu if it is one"


def means(unit: Unit, words: Sequence[str]) -> bool:
    """Whether the name or the type of a unit is one of the words, alone or as a part set off (``MASK_G``)."""
    names = (unit.name, text_of(unit.header, "EXTTYPE"), text_of(unit.header, "HDUCLAS2"))
    return any(part in words for name in names for part in re.split(r"[^A-Za-z0-9]+", name.upper()) if part)


def belongs(flags: Unit, image: Unit) -> bool:
    """Whether a unit of flags is an image's: of its size, and of its band or of no band."""
    band = band_of(image.name)
    of = band_of(flags.name.upper().replace("MASK", "").replace("INVVAR", "").replace("IVAR", "").strip(" _-"))
    return flags.shape[-2:] == image.shape[-2:] and (not of or not band or of == band)


def _is_fit(unit: Unit) -> bool:
    """Whether this is the model or the residual of GALFIT."""
    return text_of(unit.header, "OBJECT").lower() in ("model", "residual map")


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an image (H, W), (C, H, W) or, of a picture, (H, W, 3 or 4)."""
    return shape[:2] if is_picture(shape) else shape[-2:]  # type: ignore[return-value]


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether pixels are stored as pictures have them: (H, W, 3), or with transparency (H, W, 4)."""
    return len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= SMALLEST


def _is_label(unit: Unit, filled: Sequence[Unit]) -> bool:
    """Whether this is a map of whole numbers beside an image of measurements: a mask or a segmentation."""
    if len(unit.shape) != 2 or int(unit.header.get("BITPIX", 8)) < 0 or unit.compressed:
        return False
    others = [other for other in filled if other.shape == unit.shape and int(other.header.get("BITPIX", 8)) < 0]
    return bool(others) and len(np.unique(unit.values[::4, ::4])) <= 64


def _looks_like_a_mask(unit: Unit) -> bool:
    """Whether a map of whole numbers marks little of the image, and not its middle: a segmentation marks the galaxy."""
    values = unit.values
    height, width = values.shape
    return bool((values != 0).mean() < 0.5 and values[height // 2, width // 2] == 0 and len(np.unique(values)) <= 2)


def _is_empty(unit: Unit, others: Sequence[Unit]) -> bool:
    """Whether every pixel is alike where other units might hold the image."""
    if len(others) == 1:
        return False
    values = unit.values
    return bool(np.all(values == values.flat[0]) or not np.isfinite(values).any())


def band_name(name: str, header: fits.Header) -> str:
    """What a unit of that name and header says its band is, in the survey's words; empty where it says none."""
    for text in (
        name,
        *(text_of(header, key) for key in ("FILTER", "BAND", "FILTER1", "FILTER2", "FILTNAM1", "FPA.FILTERID")),
    ):
        if text.strip() and band_of(text):
            return text.strip()
    return ""


def plane_names(header: fits.Header, n: int) -> tuple[str, ...]:
    """The bands of the n planes of a cube by BANDS, FILTERS, or BAND0, FILTER1 ...; empty where none names so many."""
    for key in PLANE_KEYS:
        names = parse_bands(text_of(header, key))
        if len(names) == n:
            return names
    for key, start in ((key, start) for key in ("BAND", "FILTER") for start in (0, 1)):
        names = tuple(text_of(header, f"{key}{start + index}") for index in range(n))
        if all(names):
            return names
    return ()


def _as_many(candidates: Sequence[Unit], n_bands: int) -> tuple[Unit, ...]:
    """The units of a file with as many images of one size as there are bands."""
    one_size = len({unit.shape for unit in candidates}) == 1 and len(candidates[0].shape) == 2
    return tuple(candidates) if n_bands > 1 and len(candidates) == n_bands and one_size else ()


def _band_units(candidates: Sequence[Unit]) -> tuple[Unit, ...]:
    """The units of a file with one unit a band: at least two bands, of images of one size."""
    named = [unit for unit in candidates if len(unit.shape) == 2 and band_name(unit.name, unit.header)]
    bands = {band_of(band_name(unit.name, unit.header)) for unit in named}
    if len(bands) < 2 or len({unit.shape for unit in named}) > 1 or len(bands) < len(named):
        return ()
    return tuple(named)
