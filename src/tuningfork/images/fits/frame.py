"""A FITS file, or one a band, to a frame of flux in colours that the stretch knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.fits.bands import BLUE_GREEN_RED, BRIGHTNESS, band_of, colours, known_bands, parse_bands
from tuningfork.images.fits.cards import text_of
from tuningfork.images.fits.choose import MOST_PLANES, PLANE_KEYS, band_name, belongs, choose, is_picture, plane_names
from tuningfork.images.fits.flux import Flux, calibrate, check_unknown, flux_of
from tuningfork.images.fits.masks import combined, fill, flagged, without_data
from tuningfork.images.fits.opening import Unit, joined, units_of
from tuningfork.images.fits.picture import picture
from tuningfork.images.fits.plane import Plane
from tuningfork.images.fits.sky import Sky, sky_of
from tuningfork.images.fits.stretching import ONE_BAND_SCALE
from tuningfork.images.frame import BandFiles, Frame
from tuningfork.images.reading import Reading

PEDESTAL = 0.02  # nanomaggies, and SIGMAS of the noise: the least level of a sky that is taken off
SIGMAS = 5
MAD = 1.4826  # times the median absolute deviation: the standard deviation of normal noise


def read_frame(data: bytes | BandFiles, reading: Reading) -> Frame:
    """The image of a FITS file, or of one file a band.

    Raises
    ------
    ImageError
        If a file is cut short or damaged, holds no image, or something must be known of it that neither it nor
        `reading` says.
    """
    if isinstance(data, BandFiles):
        return _read_files(data, reading)
    units = units_of(data)
    choice = choose(units, reading.stated.hdu or _present(reading.assumed.hdu, units), len(reading.stated.bands))
    first = choice.images[0]
    if is_picture(first.shape) or (len(choice.images) == 1 and first.values.dtype == np.uint8):
        frame = picture(first)
        return replace(frame, notes=(*choice.notes, *frame.notes))
    planes = [plane for unit in choice.images for plane in _planes(unit, choice.flags, units[0])]
    if len(choice.images) == 1 and len(planes) > 1:
        planes = _named(planes, first, units[0], stated=bool(reading.stated.bands))
    frame = calibrated(planes, reading)
    return replace(frame, notes=(*choice.notes, *frame.notes))


def calibrated(planes: Sequence[Plane], reading: Reading) -> Frame:
    """Planes of one galaxy, on one grid of pixels, as a frame.

    Parameters
    ----------
    planes
        One a band. The bands that `reading` states are theirs, in this order.
    reading
        What is known beside the headers.

    Raises
    ------
    ImageError
        If the planes are of different sizes, their bands are unknown, they are of a unit that nothing explains, or
        one holds no data.
    """
    skies = [sky_of(plane.header, *plane.values.shape) for plane in planes if plane.header is not planes[0].header]
    first = sky_of(planes[0].header, *planes[0].values.shape) if skies else None
    if first and any(sky is not None and first.unlike(sky) for sky in skies):
        raise ImageError("its bands lie on unlike grids (scale, rotation or position); bring them to one grid first")
    return calibration_of(planes, reading).frame(planes)


@dataclass(frozen=True)
class Calibration:
    """What headers say of planes, found out once for all cutouts of them.

    Parameters
    ----------
    bands
        Of each plane, empty where it is not known.
    shown
        Which planes are shown: as blue, green and red, or one.
    fluxes
        How the values of each shown plane become flux.
    pixel_scale, sky
        As of `Frame`; of cutouts, `sky` is the middle of what they are cut out of.
    notes
        What was assumed.
    """

    bands: tuple[str, ...]
    shown: tuple[int, ...]
    fluxes: tuple[Flux, ...]
    pixel_scale: float | None
    sky: tuple[float, float] | None
    notes: tuple[str, ...]

    def frame(self, planes: Sequence[Plane]) -> Frame:
        """The frame of planes with the headers, or of cutouts of them; raises as `calibrated`."""
        if len({plane.values.shape for plane in planes}) > 1:
            shapes = ", ".join(f"{p.band} {p.values.shape[1]} x {p.values.shape[0]}" for p in planes)
            raise ImageError(f"its bands are of different sizes ({shapes} pixels); bring them to one grid first")
        bad = np.zeros(planes[0].values.shape, bool)
        shown, notes = [], self.notes
        slots = BLUE_GREEN_RED if len(self.shown) == 3 else ("",)
        for slot, index, flux in zip(slots, self.shown, self.fluxes, strict=True):
            band = self.bands[index]
            missing = _missing(planes[index])
            name = _name(band, index)
            filled = fill(planes[index].values, missing, name)
            values, said = _flux(replace(planes[index], values=filled), flux, self.pixel_scale, name)
            brightness = BRIGHTNESS[slot] if slot else ONE_BAND_SCALE
            shown.append(values * np.float32(BRIGHTNESS[band] / brightness if band else 1))
            bad |= missing
            notes += (*planes[index].notes, *said)
        levels = list(takewhile(bool, map(_sky_level, shown)))
        if len(levels) == len(shown):
            shown = [values - np.float32(level) for values, level in zip(shown, levels, strict=True)]
            notes += ("the level of the sky was taken off",)
        if bad.any():
            notes += (f"{int(bad.sum())} bad pixels (NaN, masked or without data) filled from their neighbours",)
        return Frame(
            np.stack(shown, axis=2)[::-1],
            flux=True,
            filled=bad[::-1] if bad.any() else None,
            pixel_scale=self.pixel_scale,
            sky=self.sky,
            notes=tuple(dict.fromkeys(notes)),
            bands=tuple(self.bands[index] for index in self.shown) if all(plane.band for plane in planes) else (),
        )


def calibration_of(planes: Sequence[Plane], reading: Reading) -> Calibration:
    """What the headers of planes and `reading` say; raises as `calibrated`."""
    bands, notes = _bands(planes, reading)
    shown = colours(bands, reading.assumed.bands) if len(planes) >= 3 else (0,)
    sky = sky_of(planes[0].header, *planes[0].values.shape)
    scale = reading.stated.pixel_scale or (sky.pixel_scale if sky else None) or reading.assumed.pixel_scale
    notes += _of_sky(sky, reading, scale)
    fluxes = tuple(flux_of(planes[i].header, reading.stated, reading.assumed, i, bands[i]) for i in shown)
    return Calibration(bands, shown, fluxes, scale, (sky.ra, sky.dec) if sky else None, notes)


def _flux(plane: Plane, flux: Flux, scale: float | None, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The flux of a plane whose bad pixels are filled, and what was assumed."""
    values, notes = calibrate(plane, flux, scale), flux.notes
    if not flux.known:
        check_unknown(_noise(values), float(np.abs(values).max()))
    elif scale is None and not flux.per_area:
        notes += ("pixel scale unknown, taken as 0.262 arcsec",)
    if values.min() == values.max():
        raise ImageError(f"{name} is the same everywhere")
    return values, notes


def _present(name: str, units: Sequence[Unit]) -> str:
    """The name of a unit that a survey's files usually have, where this file has it; a number is one file's alone."""
    return name if any(unit.name.casefold() == name.casefold() for unit in units if name) else ""


def _read_files(data: BandFiles, reading: Reading) -> Frame:
    planes, notes = [], []
    for band, content in data.files:
        units = units_of(content)
        choice = choose(units, reading.stated.hdu or _present(reading.assumed.hdu, units))
        found = _planes(choice.images[0], choice.flags, units[0])
        if len(choice.images) > 1 or len(found) > 1:
            raise ImageError(f"the file of band {band} holds more than one plane; name one with --hdu")
        planes.append(found[0])
        notes += [f"{band}: {note}" for note in choice.notes]
    frame = calibrated(planes, replace(reading, stated=replace(reading.stated, bands=tuple(b for b, _ in data.files))))
    return replace(frame, notes=(*notes, *frame.notes))


def _planes(unit: Unit, flags: Sequence[Unit], primary: Unit) -> list[Plane]:
    """The planes of an image, each with its bad pixels."""
    shape = unit.shape
    if len(shape) > 3:
        raise ImageError(f"a FITS image of {len(shape)} axes; 2 (one band) or 3 (bands, height, width) are read")
    if len(shape) == 3 and shape[0] > MOST_PLANES:
        raise ImageError(f"a cube of {shape[0]} planes, which are no bands; name an image of it, or make one")
    header = joined(primary.header, unit.header)
    values = unit.values if len(shape) == 3 else unit.values[None]
    if values.dtype.kind != "f" or values.dtype.itemsize < 4:
        values = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    masks = [
        (flag.label, flagged(flag.values, joined(primary.header, flag.header), flag.name))
        for flag in flags
        if belongs(flag, unit)
    ]
    band = band_name(unit.name, header) if len(values) == 1 else ""
    bad, notes = combined(masks)
    return [Plane(plane, header, band, bad, unit.exact, notes) for plane in values]


def _missing(plane: Plane) -> np.ndarray:
    missing = without_data(plane.values, exact=plane.exact)
    return missing if plane.bad is None else missing | plane.bad


def _named(planes: list[Plane], unit: Unit, primary: Unit, *, stated: bool) -> list[Plane]:
    """Planes of a cube with the bands that BANDS, BAND0, BAND1 ... or FILTERS say.

    What they say is refused where it can't be meant, unless the user has `stated` the bands.
    """
    for header in (unit.header, primary.header):
        if found := plane_names(header, len(planes)):
            return [replace(plane, band=name) for plane, name in zip(planes, found, strict=True)]
        for key in PLANE_KEYS:
            names = parse_bands(text_of(header, key))
            if not stated and (len(names) > 1 or (names and key in ("BANDS", "FILTERS"))):
                raise ImageError(
                    f"{key} names {len(names)} bands ({', '.join(names)}) for {len(planes)} planes; give --bands"
                )
    return planes


def _bands(planes: Sequence[Plane], reading: Reading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The band of each plane (empty for one plane of no name), and what to say of it."""
    names: Sequence[str] = reading.stated.bands
    if names and len(names) != len(planes):
        raise ImageError(f"{len(names)} bands are stated ({', '.join(names)}), the image has {len(planes)} planes")
    known = [band_of(plane.band) for plane in planes]
    notes: tuple[str, ...] = ()
    if names and all(known) and [band_of(name) for name in names] != known:
        notes += (f"bands {', '.join(names)} as given; the header says {', '.join(p.band for p in planes)}",)
    if len(planes) == 1:
        band = known_bands(names)[0] if names else known[0]
        return (band or "",), notes if band else ("band unknown, taken as r",)
    names = names or [plane.band for plane in planes]
    if not all(names):
        usual = reading.assumed.bands or BLUE_GREEN_RED
        if len(planes) != len(usual):
            raise ImageError(f"{len(planes)} planes of unknown bands; name them with --bands, such as g,r,i,z")
        names, notes = (
            usual,
            (
                *notes,
                f"bands unknown, taken as {', '.join(usual)}",
            ),
        )
    bands = known_bands(names)
    if len(bands) == 2:
        raise ImageError(f"two bands, {' and '.join(names)}; one or three are needed: name one with --hdu, or add one")
    shown = tuple(bands[index] for index in colours(bands, reading.assumed.bands))
    if shown != BLUE_GREEN_RED:
        stand = [f"{name} for {slot}" for name, slot in zip(shown, BLUE_GREEN_RED, strict=True) if name != slot]
        notes += (f"bands {', '.join(shown)}: {', '.join(stand)}",)
    return bands, notes


def _name(band: str, index: int) -> str:
    return f"band {band}" if band else f"plane {index}"


def _of_sky(sky: Sky | None, reading: Reading, scale: float | None) -> tuple[str, ...]:
    if sky is None:
        return ()
    notes: tuple[str, ...] = () if sky.square else ("its pixels are not square",)
    stated = reading.stated.pixel_scale
    if stated and abs(stated / sky.pixel_scale - 1) > 0.02:
        notes += (f"pixel scale {scale:g} arcsec as given; its header says {sky.pixel_scale:.4g}",)
    return notes


def _border(plane: np.ndarray) -> np.ndarray:
    """The pixels of the outer tenth, where most of what is seen is sky."""
    rim = max(2, min(plane.shape) // 10)
    return np.concatenate([plane[:rim].ravel(), plane[-rim:].ravel(), plane[:, :rim].ravel(), plane[:, -rim:].ravel()])


def _noise(plane: np.ndarray) -> float:
    """The scatter of the sky, from the differences of neighbours in the border, which gradients don't add to."""
    rim = max(2, min(plane.shape) // 10)
    differences = np.concatenate([np.diff(plane[:rim], axis=1).ravel(), np.diff(plane[-rim:], axis=1).ravel()])
    return float(MAD * np.median(np.abs(differences - np.median(differences))) / np.sqrt(2))


def _sky_level(plane: np.ndarray) -> float:
    """The level that all of a plane lies on, or lies below 0 with; 0 where there is none.

    Faint light at the border is a galaxy's: it falls outwards. A level is one where even the darkest pixels are far
    above the noise, and not much below the border.
    """
    border = _border(plane)
    if 2 * max(np.count_nonzero(border > PEDESTAL), np.count_nonzero(border < -PEDESTAL)) < len(border):
        return 0.0  # the median is not that far from 0; counting is ten times as quick as finding it
    level = float(np.median(border))
    least = max(PEDESTAL, SIGMAS * _noise(plane))
    high = level > least and np.percentile(plane, 1) > max(least, 0.5 * level)
    return level if high or level < -least else 0.0
