"""Bands: what surveys call them, and which of them become blue, green and red."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations

from tuningfork.errors import ImageError
from tuningfork.images.fits.stretching import SCALES

# Effective wavelengths in micrometres. u to z: Fukugita et al. 1996, AJ 111, 1748; y: Tonry et al. 2012, ApJ 750, 99;
# J, H, K: Cohen et al. 2003, AJ 126, 1090.
WAVELENGTHS = {
    "u": 0.356,
    "g": 0.483,
    "r": 0.626,
    "i": 0.767,
    "z": 0.910,
    "y": 0.962,
    "J": 1.235,
    "H": 1.662,
    "K": 2.159,
}
# What a band's flux is multiplied by, so that a typical galaxy is as bright in it as in g, r and z with the scales of
# the stretch. i: the sky viewer's. Others: from the colours (AB) of a galaxy at redshift 0.05, u-g 1.4, z-y 0.1,
# z-J 0.35, z-H 0.6, z-K 0.4 (Blanton & Roweis 2007, AJ 133, 734).
BRIGHTNESS = {**SCALES, "i": 3.0, "u": 21.0, "y": 2.0, "J": 1.6, "H": 1.3, "K": 1.5}
BLUE_GREEN_RED = tuple(SCALES)
# Filters of space telescopes, by the nearest band.
SPACE = {
    "u": ("F336W", "F390W"),
    "g": ("F435W", "F438W", "F475W"),
    "r": ("F555W", "F606W", "F625W"),
    "i": ("F775W", "F814W", "VIS"),
    "z": ("F850LP", "F090W", "F087"),
    "y": ("F098M", "F105W", "F106"),
    "J": ("F110W", "F115W", "F125W", "F129"),
    "H": ("F140W", "F150W", "F160W", "F158"),
    "K": ("F200W", "F213"),
}
_SPACE = {name: band for band, names in SPACE.items() for name in names}
_PREFIX = (
    "sdss|hsc|decam|des|delve|ps1?|panstarrs|lsst|rubin|legacy|ls|kids|vst|omegacam|cfht|megacam|megaprime|sci|image|img"
    "|flux|band|filter|nisp|nir|euclid|vista|vircam|viking|ukidss|wfcam|2mass|suprimecam|subaru"
)
_NAME = re.compile(
    rf"(?:(?:{_PREFIX})[\s._-]*)*(?P<band>u|g|r|i|z|y|j|h|ks?)(?:['p2]|prime)?(?:[\s._,-].*)?", re.IGNORECASE
)


def band_of(name: str) -> str | None:
    """The band a survey's name means (``HSC-G``: g, ``F814W``: i); None where it means none."""
    text = name.strip()
    space = re.match(r"(F\d{3}(?:LP|W|M)?|VIS)(?![A-Za-z0-9])", text.upper())
    if space:
        return _SPACE.get(space[1])
    match = _NAME.fullmatch(text)
    if not match:
        return None
    letter = match["band"].lower()[0]
    return letter.upper() if letter in "jhk" else letter


def parse_bands(text: str) -> tuple[str, ...]:
    """Names as a header's BANDS or an option writes them: ``grz``, ``g,r,z``, ``F606W F814W``."""
    names = [name for name in re.split(r"[\s,;/]+", text.strip()) if name]
    if len(names) == 1 and band_of(names[0]) is None and all(band_of(letter) for letter in names[0]):
        names = list(names[0])
    return tuple(names)


def known_bands(names: Sequence[str]) -> tuple[str, ...]:
    """The band of each name.

    Raises
    ------
    ImageError
        If one is not known, or two mean the same band.
    """
    bands = []
    for name in names:
        band = band_of(name)
        if band is None:
            raise ImageError(
                f"the band {name!r} is not known; name the planes in their order with --bands, "
                f"from {', '.join(WAVELENGTHS)}"
            )
        bands.append(band)
    for band in bands:
        if bands.count(band) > 1:
            twice = [name for name, one in zip(names, bands, strict=True) if one == band]
            raise ImageError(f"{' and '.join(twice)} both mean the band {band}; choose planes with --hdu or --bands")
    return tuple(bands)


def colours(bands: Sequence[str], preferred: Sequence[str] = ()) -> tuple[int, int, int]:
    """Which of three or more bands become blue, green and red: their positions.

    From blue to red by wavelength. Of more than three, the `preferred` (those a model was trained on) where all are
    there, else the three nearest to g, r and z.
    """
    order = sorted(range(len(bands)), key=lambda index: WAVELENGTHS[bands[index]])
    wanted = preferred if len(preferred) == 3 and set(preferred) <= set(bands) else BLUE_GREEN_RED
    aims = sorted(math.log(WAVELENGTHS[band]) for band in wanted)

    def distance(triple: tuple[int, ...]) -> float:
        return sum(abs(math.log(WAVELENGTHS[bands[index]]) - aim) for index, aim in zip(triple, aims, strict=True))

    blue, green, red = min(combinations(order, 3), key=distance)
    return blue, green, red
