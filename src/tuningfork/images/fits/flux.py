"""What flux a pixel value is: from what the user states, the header, and what is assumed, in that order.

Everything is brought to nanomaggies, flux in units of that of an AB magnitude of 22.5 (Finkbeiner et al. 2004, AJ 128,
2577): a nanomaggy is 3.631 microjansky.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
from astropy import units
from astropy.io.fits import Header

from tuningfork.errors import ImageError
from tuningfork.images.fits.bands import band_of
from tuningfork.images.fits.cards import text_of
from tuningfork.images.fits.plane import Plane
from tuningfork.images.survey import Survey

NANOMAGGY = 3.631e-6  # Jy
NANOMAGGY_POINT = 22.5  # the AB magnitude of 1
VIEWER_PIXEL = 0.262  # arcsec: the pixel of the images that the stretch was made for
# AB less Vega magnitudes: Hewett et al. 2006, MNRAS 367, 454, table 7.
VEGA_TO_AB = {"u": 0.927, "g": -0.103, "r": 0.146, "i": 0.366, "z": 0.533, "y": 0.634, "J": 0.938, "H": 1.379, "K": 1.9}
VEGA_SURVEYS = ("2MASS", "VISTA", "VIRCAM", "UKIRT", "WFCAM")
POGSON = 2.5 / math.log(10)
# Of a survey's sky, and of a galaxy, in nanomaggies a pixel: what lies outside is in another unit.
NOISE, PEAK = (1e-5, 0.3), (1e-3, 1e5)
# Zero points of values as they are stored (MEGAPIPE, ESO Phase 3, DES, Euclid, Astro-WISE, ZTF).
POINTS = ("MAGZERO", "MAGZEROP", "MAGZPT", "ZEROPNT", "PHOTZP", "MAGZP", "ZP", "FPA.ZP")
# Those of a count a second (GALFIT and CASU; Pan-STARRS), so that counts are divided by EXPTIME.
POINTS_PER_SECOND = ("MAGZPT", "FPA.ZP")
_COUNTS = re.compile(
    r"(adus?|dn|counts?|electrons?|e-?|photo-?electrons?|photons?|cps|cts?|data numbers?)([\s/*_].*)?", re.IGNORECASE
)
_RATE = re.compile(
    r"cps|(/|per)[\s_]*s(ec(onds?)?)?\b|\bs\s*\*?\*?\^?\(?-1|\bsec(ond)?\s*\*?\*?\^?\(?-1", re.IGNORECASE
)
_SPELLINGS = (  # as surveys write units, for astropy
    (r"nano-?magg(y|ies?)|\bnmgy|\bnmaggy", f"{NANOMAGGY:g} Jy"),
    (r"\bmagg(y|ies?)|\bmgy", "3631 Jy"),
    (r"micro-?janskys?|\bmicroJy", "uJy"),
    (r"nano-?janskys?|\bnanoJy", "nJy"),
    (r"milli-?janskys?", "mJy"),
    (r"\bjanskys?", "Jy"),
    (r"\bergs\b", "erg"),
    (r"\bang(strom)?s?\b", "Angstrom"),
    (r"\bsq\.?\s*arcsec|\barcsec\^?2\b|\bas2\b|square arcsec", "arcsec**2"),
    (r"[/*]?\s*(per )?\bpix(el)?s?(\*\*2|\^?2)?(?!\w)", ""),
    (r"\s+per\s+", "/"),
)

_CAPITALS = (  # where the letters' case is not astropy's; MJY is a megajansky
    (r"\bM(JY|jy)\b", "MJy"),
    (r"\b(UJY|Ujy|ujy)\b", "uJy"),
    (r"\b(NJY|Njy|njy)\b", "nJy"),
    (r"\b(JY|jy)\b", "Jy"),
    (r"\bSR\b", "sr"),
)


@dataclass(frozen=True)
class Flux:
    """How values become flux: the inverse of an asinh first, then less `pedestal`, times `factor`.

    `factor` gives nanomaggies a pixel, or, where `per_area`, a square arcsecond. `known` is whether the unit was found
    out. `notes` says what was assumed.
    """

    factor: float = 1.0
    pedestal: float = 0.0
    asinh: tuple[float, float] | None = None
    per_area: bool = False
    known: bool = True
    notes: tuple[str, ...] = ()


def flux_of(header: Header, stated: Survey, assumed: Survey, index: int = 0, band: str = "") -> Flux:
    """How the values of plane number `index`, of a band, become flux.

    Raises
    ------
    ImageError
        If the header says that the values are counts, and nothing says what a count is; or names a unit of no flux.
    """
    asinh, pedestal = _stored(header)
    found = (
        _given(stated, header, index, band)
        or _of_unit(header)
        or _of_keys(header, band)
        or _assumed(assumed, header, index, band)
    )
    unit = text_of(header, "BUNIT")
    if found is None and _COUNTS.fullmatch(unit):
        raise ImageError(
            f"its values are counts (BUNIT {unit!r}) and it states no zero point; give --zero-point, the AB magnitude "
            "of a value of 1, or --survey"
        )
    if (
        found is None
        and unit
        and unit.lower() not in ("none", "unknown", "relative", "normalized", "flux", "uncalibrated")
    ):
        raise ImageError(
            f"its unit, BUNIT {unit!r}, is no flux that is known; give --zero-point, the AB magnitude of a value of 1"
        )
    found = found or Flux(known=False, notes=("flux unit unknown, taken as nanomaggies",))
    return Flux(found.factor, pedestal, asinh, found.per_area, found.known, found.notes)


def calibrate(plane: Plane, flux: Flux, pixel_scale: float | None) -> np.ndarray:
    """The flux of a plane, (H, W) float32: nanomaggies a pixel of 0.262 arcsec where the pixel scale is known.

    Where the unit is not known, values are left as they are: they may be of any pixel.
    """
    factor = flux.factor
    if flux.per_area:
        factor *= VIEWER_PIXEL**2
    elif pixel_scale is not None and flux.known:
        factor *= (VIEWER_PIXEL / pixel_scale) ** 2
    values = plane.values
    if flux.asinh:
        softening, offset = flux.asinh
        values = offset + softening * 2 * np.sinh(values.astype(np.float64) / POGSON)
    if flux.pedestal:
        values = values - flux.pedestal
    if factor != 1:
        values = values * np.float64(factor)
    return np.asarray(values, dtype=np.float32)


def _stored(header: Header) -> tuple[tuple[float, float] | None, float]:
    """The inverse hyperbolic sine of Pan-STARRS stacks (Waters et al. 2020, ApJS 251, 4), and SDSS's SOFTBIAS."""
    softening = _number(header, "BSOFTEN")
    asinh = (softening, _number(header, "BOFFSET") or 0.0) if softening else None
    return asinh, _number(header, "SOFTBIAS") or 0.0


def _given(survey: Survey, header: Header, index: int, band: str) -> Flux | None:
    """From a zero point or a unit that the user or a preset states."""
    if survey.zero_point:
        seconds, notes = _exposure(header) if survey.per_second else (1.0, ())
        return Flux(_factor(_point(survey, index, band)) / seconds, notes=notes)
    if survey.unit:
        unit = _parsed(survey.unit)
        if unit is None:
            raise ImageError(f"the unit {survey.unit!r} is not known; write it as astropy does, such as nJy")
        return Flux(unit[0], per_area=unit[1])
    return None


def _point(survey: Survey, index: int, band: str) -> float:
    """The zero point of a plane: of its band where the survey names bands, else of its number."""
    points, bands = survey.zero_point, [band_of(name) for name in survey.bands]
    if len(points) == 1:
        return points[0]
    place = bands.index(band) if band in bands else index
    if (bands and band not in bands) or place >= len(points):
        raise ImageError(
            f"no zero point is given for {f'band {band}' if band else f'plane {index}'}; give --zero-point"
        )
    return points[place]


def _assumed(survey: Survey, header: Header, index: int, band: str) -> Flux | None:
    """As `_given`, and said."""
    found = _given(survey, header, index, band)
    if found is None:
        return None
    what = f"zero point {_point(survey, index, band):g}" if survey.zero_point else f"unit {survey.unit}"
    return replace(found, notes=(f"{what} assumed", *found.notes))


def _of_unit(header: Header) -> Flux | None:
    """From a BUNIT that is a flux density."""
    text = text_of(header, "BUNIT")
    parsed = _parsed(text, _number(header, "PHOTPLAM")) if text else None
    return Flux(parsed[0], per_area=parsed[1]) if parsed else None


def _parsed(text: str, pivot: float | None = None) -> tuple[float, bool] | None:
    """A unit as nanomaggies a pixel, or a square arcsecond (True); None where it is no flux density.

    `pivot` is the wavelength in Angstrom that brings a flux by wavelength to one by frequency.
    """
    for pattern, spelling in _SPELLINGS:
        text = re.sub(pattern, spelling, text, flags=re.IGNORECASE)
    for pattern, spelling in _CAPITALS:
        text = re.sub(pattern, spelling, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of slashes that could be read in two ways
            unit = units.Unit(text.strip())
    except (ValueError, TypeError):
        return None
    by_wavelength = units.spectral_density(pivot * units.Angstrom) if pivot else []
    for area, per_area in ((units.dimensionless_unscaled, False), (units.arcsec**-2, True)):
        try:
            # The area is taken out first: an equivalency knows flux densities alone.
            return float((unit / area).to(units.Jy, equivalencies=by_wavelength)) / NANOMAGGY, per_area
        except units.UnitConversionError:
            continue
    return None


def _of_keys(header: Header, band: str) -> Flux | None:
    """From the flux of a count a second, a flux of magnitude 0, or a zero point."""
    return _hst(header) or _magnitude_0(header) or _zero_point(header, band)


def _hst(header: Header) -> Flux | None:
    """PHOTFNU (Jy), or PHOTFLAM (erg/s/cm2/Angstrom) and PHOTPLAM (Angstrom), of a count a second.

    HST Data Handbook, section 3.4; the AB zero point of PHOTFLAM and PHOTPLAM.
    """
    jansky, flam, pivot = (_number(header, key) for key in ("PHOTFNU", "PHOTFLAM", "PHOTPLAM"))
    if flam and pivot:
        point = -2.5 * math.log10(flam) - 5 * math.log10(pivot) - 2.408
        seconds, notes = _counting_time(header)
        return Flux(_factor(point) / seconds, notes=notes)
    if not jansky:
        return None
    seconds, notes = _counting_time(header)
    return Flux(jansky / NANOMAGGY / seconds, notes=notes)


def _magnitude_0(header: Header) -> Flux | None:
    """FLUXMAG0, the value of magnitude 0 (HSC, LSST), or FLUX20, that of magnitude 20 (SDSS)."""
    for key, magnitude in (("FLUXMAG0", 0.0), ("FLUX20", 20.0)):
        value = _number(header, key)
        if value and value > 0:
            return Flux(_factor(magnitude + 2.5 * math.log10(value)))
    return None


def _zero_point(header: Header, band: str) -> Flux | None:
    for key in POINTS:
        point = _number(header, key)
        if point is not None:
            seconds, notes = _counting_time(header) if key in POINTS_PER_SECOND else (1.0, ())
            offset, said = _to_ab(header, band)
            return Flux(_factor(point + offset) / seconds, notes=(*notes, *said))
    return None


def _to_ab(header: Header, band: str) -> tuple[float, tuple[str, ...]]:
    """What brings a zero point to AB magnitudes where it is one of Vega magnitudes."""
    system = (text_of(header, "PHOTSYS") or text_of(header, "MAGSYS")).upper()
    origin = " ".join(text_of(header, key) for key in ("TELESCOP", "INSTRUME", "ORIGIN")).upper()
    if not ("VEGA" in system or (not system and any(name in origin for name in VEGA_SURVEYS))):
        return 0.0, ()
    if band not in VEGA_TO_AB:
        return 0.0, ("zero point in Vega magnitudes, taken as AB",)
    return VEGA_TO_AB[band], ("zero point in Vega magnitudes, brought to AB",)


def _counting_time(header: Header) -> tuple[float, tuple[str, ...]]:
    """Seconds that the values were counted for, 1 where they are per second already; and what was assumed."""
    return (1.0, ()) if _RATE.search(text_of(header, "BUNIT")) else _exposure(header)


def _exposure(header: Header) -> tuple[float, tuple[str, ...]]:
    for key in ("EXPTIME", "TEXPTIME", "EXPOSURE"):
        seconds = _number(header, key)
        if seconds and seconds > 0:
            return seconds, ()
    return 1.0, ("exposure time unknown, taken as 1 s",)


def _factor(point: float) -> float:
    """The nanomaggies of a value of 1."""
    return float(10 ** (0.4 * (NANOMAGGY_POINT - point)))


def _number(header: Header, key: str) -> float | None:
    """A card's number; None where it is absent or none."""
    try:
        value = float(header[key])
    except (KeyError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def check_unknown(noise: float, peak: float) -> None:
    """Refuse values that can't be nanomaggies, where the unit was not known.

    Parameters
    ----------
    noise, peak
        The scatter of the sky, 0 where there is none, and the largest value.

    Raises
    ------
    ImageError
        If their noise, or without any their peak, is not that of a survey.
    """
    (low, high), seen = (NOISE, noise) if noise > 0 else (PEAK, peak)
    if not low <= seen <= high:
        raise ImageError(
            f"its flux unit is not stated, and values {'that scatter by' if noise > 0 else 'up to'} {seen:.2g} are no "
            "nanomaggies; give --zero-point, the AB magnitude of a value of 1, or --survey"
        )
