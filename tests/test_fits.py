"""FITS: the same galaxy in any unit, order, file or packing gives the same pixels, or says why not."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.errors import CatalogError, ImageError
from tuningfork.images import (
    BandFiles,
    Field,
    Geometry,
    Reading,
    Seen,
    Survey,
    bundled_surveys,
    load_survey,
    parse_survey,
    read_image,
)
from tuningfork.images.fits import stretch
from tuningfork.images.fits.bands import BRIGHTNESS, WAVELENGTHS, band_of, colours, parse_bands
from tuningfork.images.notes import count_notes, widest
from tuningfork.packs import make_pack

SHARED = Path(__file__).parents[2] / "shared" / "data"
N = 96
LOOK = Geometry(0.8, 48)


def galaxy(n: int = N) -> np.ndarray:
    """A spiral in g, r, z, nanomaggies a pixel of 0.262 arcsec: (3, n, n) float32."""
    y, x = np.mgrid[:n, :n] - n / 2 + 0.5
    r, angle = np.hypot(x, y / 0.7), np.arctan2(y / 0.7, x)
    disc = np.exp(-r / (n / 12)) * (1 + 0.6 * np.cos(2 * angle - r / (n / 40))) + 3 * np.exp(-r / (n / 60))
    noise = np.random.default_rng(1).normal(0, 0.004, (3, n, n))
    return (np.array([0.08, 0.16, 0.28])[:, None, None] * disc + noise).astype(np.float32)


FLUX = galaxy()


def tan(scale: float, n: int = N) -> dict[str, Any]:
    """A WCS of so many arcseconds a pixel."""
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": (n + 1) / 2,
        "CRPIX2": (n + 1) / 2, "CD1_1": -scale / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale / 3600,
    }  # fmt: skip


def unit(array: np.ndarray | None, kind: Callable[..., Any] = fits.PrimaryHDU, name: str = "", **cards: Any) -> Any:
    made = kind(array)
    if name:
        made.name = name
    made.header.update(cards)
    return made


def file(*units: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(list(units)).writeto(buffer)
    return buffer.getvalue()


def cube(array: np.ndarray = FLUX, **cards: Any) -> bytes:
    return file(unit(array, **{"BANDS": "grz", "BUNIT": "nanomaggy", **tan(0.262)} | cards))


def see(data: bytes | BandFiles, geometry: Geometry = LOOK, **stated: Any) -> Seen:
    return read_image(data, geometry, Reading(Survey(**stated)))


REFERENCE = see(cube()).pixels


def same(seen: Seen, atol: int = 1) -> bool:
    return bool(np.abs(seen.pixels.astype(int) - REFERENCE).max() <= atol)


def test_what_is_known_is_read_without_a_note() -> None:
    seen = see(cube())
    assert seen.notes == ()
    assert seen.pixel_scale == pytest.approx(0.262)
    assert seen.field_arcsec == pytest.approx(0.262 * N * 0.8)
    assert seen.sky == pytest.approx((150.0, 2.0), abs=1e-5)


# --- units and zero points

ARCSEC2 = 0.262**2
SR = ARCSEC2 / 206264.806247**2
UNITS: dict[str, tuple[float, dict[str, Any]]] = {
    "nJy": (3631, {"BUNIT": "nJy"}),
    "uJy": (3.631, {"BUNIT": "uJy"}),
    "microjansky": (3.631, {"BUNIT": "microJansky"}),
    "mJy": (3.631e-3, {"BUNIT": "mJy"}),
    "Jy/pixel": (3.631e-6, {"BUNIT": "Jy/pixel"}),
    "maggies": (1e-9, {"BUNIT": "maggies"}),
    "nanomaggies/pixel": (1, {"BUNIT": "nanomaggies/pixel"}),
    "nmgy per arcsec2": (1 / ARCSEC2, {"BUNIT": "nmgy/arcsec2"}),
    "nanomaggy/arcsec**2": (1 / ARCSEC2, {"BUNIT": "nanomaggy/arcsec**2"}),
    "uJy / arcsec^2": (3.631 / ARCSEC2, {"BUNIT": "uJy / arcsec^2"}),
    "MJy/sr": (3.631e-12 / SR, {"BUNIT": "MJy/sr"}),
    "erg/s/cm2/Hz": (3.631e-29, {"BUNIT": "erg/s/cm2/Hz"}),
    "MAGZERO": (1000, {"BUNIT": "ADU", "MAGZERO": 30.0}),
    "MAGZERO no unit": (1000, {"BUNIT": "", "MAGZERO": 30.0}),
    "MAGZERO ignores EXPTIME": (1000, {"BUNIT": "ADU", "MAGZERO": 30.0, "EXPTIME": 900.0}),
    "ZEROPNT": (10, {"BUNIT": "counts", "ZEROPNT": 25.0}),
    "PHOTZP": (1000, {"BUNIT": "DN", "PHOTZP": 30.0}),
    "MAGZPT counts": (10 * 54.0, {"BUNIT": "counts", "MAGZPT": 25.0, "EXPTIME": 54.0}),
    "MAGZPT rate": (10, {"BUNIT": "electrons/s", "MAGZPT": 25.0, "EXPTIME": 54.0}),
    "FLUXMAG0": (63.0957344, {"BUNIT": "", "FLUXMAG0": 63095734448.0194}),
    "PHOTFNU": (3.631e-6 / 1e-7, {"BUNIT": "COUNTS/S", "PHOTFNU": 1e-7}),
    "PHOTFLAM": (
        10 ** (0.4 * (-2.5 * np.log10(7.9e-20) - 5 * np.log10(5921.1) - 2.408 - 22.5)),
        {"BUNIT": "ELECTRONS/S", "PHOTFLAM": 7.9e-20, "PHOTPLAM": 5921.1},
    ),
    "PHOTFLAM counts": (
        500 * 10 ** (0.4 * (-2.5 * np.log10(7.9e-20) - 5 * np.log10(5921.1) - 2.408 - 22.5)),
        {"BUNIT": "ELECTRONS", "PHOTFLAM": 7.9e-20, "PHOTPLAM": 5921.1, "EXPTIME": 500.0},
    ),
}


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_gives_the_same_galaxy(name: str) -> None:
    factor, cards = UNITS[name]
    seen = see(cube((FLUX * factor).astype(np.float32), **cards))
    assert same(seen)
    assert seen.notes == ()


def test_flux_by_wavelength_needs_the_pivot() -> None:
    pivot = 6000.0  # 1 Jy is 2.99792458e-5 / pivot**2 erg/s/cm2/Angstrom
    per_angstrom = 3.631e-6 * 2.99792458e-5 / pivot**2
    flux = (FLUX.astype(np.float64) * per_angstrom).astype(np.float32)
    assert same(see(cube(flux, BUNIT="erg/s/cm2/Angstrom", PHOTPLAM=pivot)))
    with pytest.raises(ImageError, match="is no flux that is known"):
        see(cube(flux, BUNIT="erg/s/cm2/Angstrom"))


def test_flux_is_that_of_a_piece_of_sky_not_of_a_pixel() -> None:
    """Twice as large pixels hold four times the flux."""
    seen = see(cube(FLUX * 4, **tan(0.524)))
    assert same(seen)
    assert seen.pixel_scale == pytest.approx(0.524)
    stated = see(file(unit(FLUX * 4, BANDS="grz", BUNIT="nanomaggy")), pixel_scale=0.524)
    np.testing.assert_array_equal(stated.pixels, seen.pixels)


def test_softbias_and_pan_starrs_asinh_are_undone() -> None:
    biased = np.rint(FLUX * 1000 + 1000).astype(np.int16)
    assert same(see(cube(biased, BUNIT="DN", MAGZERO=30.0, SOFTBIAS=1000)), atol=6)  # rounded to whole counts
    counts = FLUX.astype(np.float64) * 10 * 100
    stored = (1.0857362 * np.arcsinh(counts / 200)).astype(np.float32)
    cards = {"BUNIT": "", "BSOFTEN": 100.0, "BOFFSET": 0.0, "EXPTIME": 100.0, "HIERARCH FPA.ZP": 25.0}
    assert same(see(cube(stored, **cards)))


def test_what_the_header_does_not_state_can_be_given() -> None:
    counts = file(unit(FLUX * 1000, BUNIT="ADU"))
    with pytest.raises(ImageError, match=r"counts .* no zero point; give --zero-point"):
        see(counts)
    assert same(see(counts, zero_point=(30.0,), bands=("g", "r", "z"), pixel_scale=0.262))
    each = (FLUX * np.array([1000, 100, 10])[:, None, None]).astype(np.float32)
    assert same(see(file(unit(each)), zero_point=(30.0, 27.5, 25.0), pixel_scale=0.262))
    assert same(see(file(unit(FLUX * 3631)), unit="nJy", pixel_scale=0.262))
    assert same(see(cube(FLUX * 1000, BUNIT="nJy"), zero_point=(30.0,)))  # the user knows better


def test_a_unit_that_is_not_known_is_said_or_refused() -> None:
    bare = see(file(unit(FLUX)))
    assert same(bare)
    assert bare.notes == ("bands unknown, taken as g, r, z", "flux unit unknown, taken as nanomaggies")
    for factor in (1e-9, 200.0):
        with pytest.raises(ImageError, match="are no nanomaggies; give --zero-point"):
            see(file(unit((FLUX * factor).astype(np.float32))))
    with pytest.raises(ImageError, match="'Kelvin', is no flux"):
        see(cube(BUNIT="Kelvin"))
    assert "pixel scale unknown, taken as 0.262 arcsec" in see(file(unit(FLUX, BUNIT="nanomaggy"))).notes


def test_a_sky_level_is_taken_off_and_said() -> None:
    seen = see(cube(FLUX + 5))
    assert "the level of the sky was taken off" in seen.notes
    assert same(seen, atol=6)


def test_the_surveys_that_ship_can_be_read() -> None:
    assert {"legacy", "sdss", "hsc", "kids", "panstarrs", "des", "hst", "jwst", "euclid", "rubin"} <= set(
        bundled_surveys()
    )
    for name in bundled_surveys():
        survey = load_survey(name)
        assert Survey.from_dict(survey.as_dict()) == survey
        assert survey != Survey()
    kids = Reading(assumed=load_survey("kids"))
    flux = (FLUX * 1e-9 * (0.2 / 0.262) ** 2).astype(np.float32)
    seen = read_image(file(unit(flux, BANDS="grz")), LOOK, kids)
    assert same(seen)
    assert seen.notes == ("zero point 0 assumed",)
    with pytest.raises(CatalogError, match="no survey named 'kidz'"):
        load_survey("kidz")


# --- bands


@given(order=st.permutations(range(3)), swap=st.booleans(), flip=st.booleans(), kind=st.sampled_from(["f4", "f8"]))
@settings(max_examples=12, deadline=None)
def test_order_of_bands_byte_order_and_orientation_change_no_answer(
    order: list[int], swap: bool, flip: bool, kind: str
) -> None:
    planes = FLUX[order].astype(kind)
    planes = planes.astype(planes.dtype.newbyteorder()) if swap else planes
    planes = planes[:, :, ::-1] if flip else planes
    seen = see(cube(planes, BANDS="".join("grz"[index] for index in order)))
    expected = REFERENCE[:, ::-1] if flip else REFERENCE
    assert np.abs(seen.pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("bands", ["griz", "zirg", "ugriz", "zyrgJ"])
def test_of_more_planes_g_r_and_z_are_taken(bands: str) -> None:
    planes = {"g": FLUX[0], "r": FLUX[1], "z": FLUX[2]}
    assert same(see(cube(np.stack([planes.get(band, np.ones_like(FLUX[0])) for band in bands]), BANDS=bands)))


def test_the_bands_of_a_model_are_taken_where_they_are_there() -> None:
    planes = np.stack([FLUX[0], FLUX[1], FLUX[2] * 2.2 / 3.0, FLUX[2] * 50])
    reading = Reading(assumed=Survey(bands=("g", "r", "i")))
    seen = read_image(cube(planes, BANDS="griz"), LOOK, reading)
    assert same(seen)
    assert seen.notes == ("bands g, r, i: i for z",)


def test_a_pack_keeps_the_bands_that_its_files_name_and_others_are_asked_for_them(tmp_path: Path) -> None:
    def packed(name: str, *bands: str) -> Reading:
        (tmp_path / name).mkdir()
        for index, each in enumerate(bands):
            named = {"BANDS": each} if each else {}
            data = file(unit(FLUX + np.float32(index), BUNIT="nanomaggy", **tan(0.262), **named))
            (tmp_path / name / f"{index}.fits").write_bytes(data)
        pack = make_pack(tmp_path / name, tmp_path / f"{name}-pack", geometry=LOOK)
        return Reading.from_dict(pack.manifest["images"])

    trained = packed("gri", "gri", "irg")
    assert trained.assumed.bands == ("g", "r", "i")
    assert packed("mixed", "gri", "grz").assumed.bands == packed("unnamed", "").assumed.bands == ()
    griz = cube(np.stack([*FLUX, FLUX[2] * 9]), BANDS="griz")
    seen = read_image(griz, LOOK, Reading().like(trained))
    np.testing.assert_array_equal(seen.pixels, read_image(cube(FLUX, BANDS="gri"), LOOK).pixels)


def test_bands_near_ours_stand_in_and_are_said() -> None:
    brightness = np.array([BRIGHTNESS[slot] / BRIGHTNESS[band] for slot, band in zip("grz", "riy", strict=True)])
    seen = see(cube((FLUX * brightness[:, None, None]).astype(np.float32), BANDS="riy"))
    assert same(seen)
    assert seen.notes == ("bands r, i, y: r for g, i for r, y for z",)


def test_bands_are_found_wherever_headers_name_them() -> None:
    plain = {"BUNIT": "nanomaggy", **tan(0.262)}
    assert same(see(file(unit(FLUX[::-1], BAND0="z", BAND1="r", BAND2="g", **plain))))
    assert same(see(file(unit(FLUX, FILTER1="HSC-G", FILTER2="HSC-R", FILTER3="HSC-Z", **plain))))
    by_name = [unit(FLUX[index], fits.ImageHDU, name, **plain) for index, name in ((2, "Z"), (0, "G"), (1, "R"))]
    assert same(see(file(unit(None), *by_name)))
    nameless = [unit(plane, fits.ImageHDU, **plain) for plane in FLUX]
    assert same(see(file(unit(None), *nameless), bands=("g", "r", "z")))
    in_primary = see(file(unit(None, FILTER="z"), unit(FLUX[2], fits.ImageHDU, "IMAGE", **plain)))
    directly = see(file(unit(FLUX[2], FILTER="z", **plain)))
    np.testing.assert_array_equal(in_primary.pixels, directly.pixels)
    by_filter = [unit(FLUX[index], fits.ImageHDU, FILTER=name, **plain) for index, name in enumerate(("g", "r", "z"))]
    assert same(see(file(unit(None), *by_filter)))


@pytest.mark.parametrize(
    ("data", "stated", "says"),
    [
        (cube(FLUX, BANDS="gr"), {}, "BANDS names 2 bands"),
        (file(unit(FLUX[[0, 1, 2, 2]])), {}, "4 planes of unknown bands; name them with --bands"),
        (cube(FLUX), {"bands": ("g", "r")}, "2 bands are stated .* the image has 3"),
        (cube(FLUX), {"bands": ("g", "r", "foo")}, "the band 'foo' is not known"),
        (cube(FLUX), {"bands": ("g", "r", "SDSS r")}, "r and SDSS r both mean the band r"),
        (cube(FLUX[:2], BANDS="gr"), {}, "two bands, g and r"),
        (file(unit(np.ones((40, 16, 16), np.float32))), {}, "a cube of 40 planes"),
    ],
)
def test_what_can_not_be_told_is_refused_with_the_remedy(data: bytes, stated: dict[str, Any], says: str) -> None:
    with pytest.raises(ImageError, match=says):
        see(data, **stated)


def test_one_band_is_grey_and_as_bright_as_a_galaxy_is_in_it() -> None:
    seen = see(file(unit(FLUX[1], FILTER="r", BUNIT="nanomaggy", **tan(0.262))))
    assert (seen.pixels == seen.pixels[:, :, :1]).all()
    assert seen.notes == ("greyscale, spread over 3 channels",)
    in_z = (FLUX[1] * 3.4 / 2.2).astype(np.float32)
    near = see(file(unit(in_z, FILTER="z DECam", BUNIT="nanomaggy", **tan(0.262))))
    assert np.abs(near.pixels.astype(int) - seen.pixels).max() <= 1
    alone = see(file(unit(FLUX[1], BUNIT="nanomaggy")), Geometry(0.8, 48, 1))
    np.testing.assert_array_equal(alone.pixels[:, :, 0], seen.pixels[:, :, 0])


def test_names_of_bands() -> None:
    known = {"g": "g", "HSC-G": "g", "SDSS r": "r", "i.MP9703": "i", "z DECam SDSS c0004 9260.0 1520.0": "z", "Ks": "K",
             "NISP-Y": "y", "F814W": "i", "F160W": "H", "VIS": "i", "SCI_G": "g", "HSC-I2": "i"}  # fmt: skip
    assert {name: band_of(name) for name in known} == known
    for name in ("", "SCI", "IMAGE", "MASK", "HDRTAB", "B", "F999W", "rms", "PRIMARY", "psf"):
        assert band_of(name) is None, name
    assert parse_bands("grz") == ("g", "r", "z")
    assert parse_bands("F606W, F814W F160W") == ("F606W", "F814W", "F160W")
    with pytest.raises(CatalogError, match="2 magnitudes for 3 bands"):
        parse_survey(bands="g,r,z", zero_point="25,26")


@given(st.lists(st.sampled_from(sorted(WAVELENGTHS)), min_size=3, max_size=9, unique=True))
def test_colours_run_from_blue_to_red(bands: list[str]) -> None:
    chosen = [bands[index] for index in colours(bands)]
    assert sorted(chosen, key=WAVELENGTHS.__getitem__) == chosen
    assert len(set(chosen)) == 3
    if {"g", "r", "z"} <= set(bands):
        assert chosen == ["g", "r", "z"]


def test_one_file_a_band() -> None:
    def one(index: int, **cards: Any) -> bytes:
        return file(unit(FLUX[index], BUNIT="nanomaggy", **tan(0.262) | cards))

    files = BandFiles((("z", one(2)), ("g", one(0)), ("r", one(1))))
    assert same(see(files))
    assert see(files).notes == ()
    with pytest.raises(ImageError, match="different sizes"):
        see(BandFiles((("g", one(0)), ("r", one(1)), ("z", file(unit(FLUX[2, :50]))))))
    with pytest.raises(ImageError, match="band z holds more than one plane"):
        see(BandFiles((("g", one(0)), ("r", one(1)), ("z", cube()))))


def test_bands_on_unlike_grids_are_not_put_together() -> None:
    def one(index: int, **cards: Any) -> bytes:
        return file(unit(FLUX[index], BUNIT="nanomaggy", **tan(0.262) | cards))

    shifted, half, turned = {"CRPIX1": 20.0}, tan(0.131), {"CD1_1": 0.262 / 3600, "CD2_2": -0.262 / 3600}
    for other in (shifted, half, turned):
        with pytest.raises(ImageError, match="unlike grids"):
            see(BandFiles((("g", one(0)), ("r", one(1, **other)), ("z", one(2)))))
    near = {"CRPIX1": (N + 1) / 2 + 0.2}
    assert same(see(BandFiles((("g", one(0)), ("r", one(1, **near)), ("z", one(2))))))


def test_a_band_that_is_not_known_is_said_and_one_that_contradicts_the_header_too() -> None:
    plain = {"BUNIT": "nanomaggy", **tan(0.262)}
    assert see(file(unit(FLUX[1], **plain))).notes[0] == "band unknown, taken as r"
    assert see(file(unit(FLUX[1], FILTER="Halpha", **plain))).notes[0] == "band unknown, taken as r"
    with pytest.raises(ImageError, match="the band 'foo' is not known"):
        see(file(unit(FLUX[1], **plain)), bands=("foo",))
    with pytest.raises(ImageError, match=r"BANDS names 1 bands .BVR."):
        see(cube(FLUX, BANDS="BVR"))
    seen = see(cube(FLUX[::-1], BANDS="grz"), bands=("z", "r", "g"))
    assert same(seen)
    assert seen.notes == ("bands z, r, g as given; the header says g, r, z",)
    files = BandFiles((("g", file(unit(FLUX[0], FILTER="g", **plain))), ("r", file(unit(FLUX[1], FILTER="r", **plain))),
                       ("z", file(unit(FLUX[2], FILTER="i", **plain)))))  # fmt: skip
    assert see(files).notes == ("bands g, r, z as given; the header says g, r, i",)


def test_zero_points_are_those_of_bands_not_of_places() -> None:
    survey = Survey(bands=("g", "r", "z"), zero_point=(22.5, 25.0, 27.5))
    each = (FLUX * np.array([1, 10, 100])[:, None, None]).astype(np.float32)
    reading = Reading(assumed=survey)
    for order in ("grz", "zgr"):
        planes = np.ascontiguousarray(each[["grz".index(band) for band in order]])
        assert same(read_image(cube(planes, BANDS=order, BUNIT=""), LOOK, reading))
    with pytest.raises(ImageError, match="no zero point is given for band y"):
        read_image(cube(each, BANDS="gry", BUNIT=""), LOOK, reading)


def test_vega_zero_points_are_brought_to_ab() -> None:
    point, plain = 20.9, {"BUNIT": "DN", **tan(1.0)}
    vega = see(file(unit(FLUX[1] * 100, FILTER="j", MAGZP=point, ORIGIN="2MASS", **plain)))
    known = see(file(unit(FLUX[1] * 100, FILTER="j", MAGZP=point + 0.938, **plain)))
    assert "zero point in Vega magnitudes, brought to AB" in vega.notes
    np.testing.assert_array_equal(vega.pixels, known.pixels)


def test_an_exposure_that_is_not_stated_is_said() -> None:
    assert see(cube(FLUX * 10, BUNIT="counts", MAGZPT=25.0)).notes == ("exposure time unknown, taken as 1 s",)


@pytest.mark.parametrize("spelling", ["MJY/SR", "Mjy/sr", "MJy / sr"])
def test_units_in_other_letters(spelling: str) -> None:
    assert same(see(cube((FLUX * 3.631e-12 / SR).astype(np.float32), BUNIT=spelling)))


@pytest.mark.parametrize("level", [0.05, 1.0, -0.1])
def test_a_level_of_the_sky_in_all_bands_is_taken_off(level: float) -> None:
    seen = see(cube(FLUX + np.float32(level)))
    assert "the level of the sky was taken off" in seen.notes
    assert same(seen, atol=8)
    part = FLUX.copy()
    part[2] += np.float32(level)
    assert "the level of the sky was taken off" not in see(cube(part)).notes


# --- the right unit of a file, its flags and its bad pixels

OFF = np.random.default_rng(2).normal(0, 0.3, (3, N, N)).astype(np.float32)
COMPANIONS = ["ERR", "WHT", "WGT", "DQ", "INVVAR", "MASK", "PSF", "MODEL", "RESIDUAL", "VARIANCE", "SEG", "SKY", "EXP"]
SOUND = {"BANDS": "grz", "BUNIT": "nanomaggy", **tan(0.262)}


@pytest.mark.parametrize("name", COMPANIONS)
def test_companions_are_never_the_galaxy(name: str) -> None:
    clean = np.zeros((N, N), np.int16) if name in ("DQ", "MASK", "SEG") else np.abs(OFF[0]) + 0.1
    science = unit(FLUX, fits.ImageHDU, "SCI", **SOUND)
    seen = see(file(unit(None), unit(clean, fits.ImageHDU, name), science))
    assert same(seen)
    assert seen.notes == ("unit 2 (SCI) of 3",)
    seen = see(file(unit(None), unit(clean, fits.ImageHDU, f"{name}_1"), unit(FLUX, fits.ImageHDU, **SOUND)))
    assert same(seen)


def test_units_without_names_are_told_by_what_they_hold() -> None:
    segmentation = np.zeros((N, N), np.int32)
    segmentation[30:60, 30:60] = 1
    seen = see(file(unit(FLUX[1], BUNIT="nanomaggy"), unit(segmentation, fits.ImageHDU)))
    assert seen.notes[0] == "unit 0 of 2"
    assert "bad" not in str(seen.notes)  # the galaxy's own segmentation is no mask
    galfit = [
        unit(np.zeros((N, N), np.float32)),
        unit(FLUX[1], fits.ImageHDU, BUNIT="nanomaggy"),
        unit(OFF[0], fits.ImageHDU, OBJECT="model"),
        unit(OFF[1], fits.ImageHDU, OBJECT="residual map"),
    ]
    assert see(file(*galfit)).notes[0] == "unit 1 of 4"
    tiny = [unit(np.ones((1, 1), np.float32)), unit(FLUX, fits.ImageHDU, **SOUND)]
    assert same(see(file(*tiny)))
    with pytest.raises(ImageError, match="a FITS file without an image"):
        see(file(tiny[0]))


def test_a_unit_can_be_asked_for() -> None:
    data = file(unit(None), unit(OFF, fits.ImageHDU, "OTHER", **SOUND), unit(FLUX, fits.ImageHDU, "NEW", **SOUND))
    for asked in ("NEW", "new", "2"):
        assert same(see(data, hdu=asked))
    assert not same(see(data))
    with pytest.raises(ImageError, match=r"no unit 'SCI'; it has 0, 1 \(OTHER\), 2 \(NEW\)"):
        see(data, hdu="SCI")
    with pytest.raises(ImageError, match="holds no image"):
        see(data, hdu="0")


@pytest.mark.parametrize(
    ("name", "flags", "cards"),
    [
        ("MASK", np.int16(1), {}),
        ("DQ", np.int32(4096), {}),
        ("MASK", np.int32(8), {"MP_BAD": 3, "HIERARCH MP_DETECTED": 5}),
        ("DQ", np.uint32(1), {"TELESCOP": "JWST"}),
    ],
)
def test_flagged_pixels_are_filled_and_counted(name: str, flags: Any, cards: dict[str, Any]) -> None:
    broken = FLUX.copy()
    broken[:, 20:24, 70:80] = 50.0
    mask = np.zeros((N, N), flags.dtype)
    mask[20:24, 70:80] = flags
    if "MP_BAD" in cards:
        mask[40:60, 40:60] |= 32  # detected: the galaxy itself
    if cards.get("TELESCOP") == "JWST":
        mask[40:60, 40:60] |= 4  # jumps: of use all the same
    data = file(unit(None), unit(broken, fits.ImageHDU, "SCI", **SOUND), unit(mask, fits.ImageHDU, name, **cards))
    seen = see(data)
    assert "40 bad pixels (NaN, masked or without data) filled from their neighbours" in seen.notes
    assert np.median(np.abs(seen.pixels.astype(int) - REFERENCE)) <= 1
    assert np.abs(seen.pixels.astype(int) - REFERENCE).max() < 40


def test_weights_of_zero_are_bad_and_a_mask_of_the_sky_is_not_used() -> None:
    broken = FLUX.copy()
    broken[:, :6] = 9.0
    weight = np.ones((N, N), np.float32)
    weight[:6] = 0
    seen = see(file(unit(None), unit(broken, fits.ImageHDU, "SCI", **SOUND), unit(weight, fits.ImageHDU, "INVVAR")))
    assert "576 bad pixels" in seen.notes[1]
    assert same(seen, atol=12)
    sky = np.ones((N, N), np.uint8)
    sky[20:70, 20:70] = 0
    seen = see(file(unit(None), unit(FLUX, fits.ImageHDU, "SCI", **SOUND), unit(sky, fits.ImageHDU, "MASK")))
    assert same(seen)
    assert "unit 2 (MASK) marks 73% of the pixels and is not used" in seen.notes


@pytest.mark.parametrize("mark", [np.nan, np.inf, -np.inf, 1e38, -999.0, 0.0])
def test_marks_of_no_measurement_are_filled_and_counted(mark: float) -> None:
    broken = FLUX.copy()
    broken[0, 70:78, 4:12] = mark
    broken[2, 70:78, 4:12] = mark
    seen = see(cube(broken))
    assert seen.notes == ("64 bad pixels (NaN, masked or without data) filled from their neighbours",)
    assert np.median(np.abs(seen.pixels.astype(int) - REFERENCE)) == 0


def test_a_band_or_a_middle_without_data_is_refused() -> None:
    for index in range(3):
        empty = FLUX.copy()
        empty[index] = 0
        with pytest.raises(ImageError, match=f"band {'grz'[index]} holds no data"):
            see(cube(empty))
    hollow = FLUX.copy()
    hollow[:, 36:60, 36:60] = 0
    with pytest.raises(ImageError, match="of the middle holds no data"):
        see(cube(hollow))
    half = FLUX.copy()
    half[1, :48] = 0
    with pytest.raises(ImageError, match="of the square that is looked at holds no data"):
        see(cube(half))
    beyond = FLUX.copy()
    beyond[:, :8] = 0  # outside the square
    assert same(see(cube(beyond)), atol=2)


def test_honest_zeros_are_not_accused() -> None:
    low = np.random.default_rng(0).poisson(0.3, (3, N, N)).astype(np.int16)
    counts = low + np.random.default_rng(1).poisson(np.maximum(FLUX, 0) * 100).astype(np.int16)
    seen = see(cube(counts, BUNIT="ADU", MAGZERO=27.5))
    assert not any("bad pixels" in note for note in seen.notes)
    packed = unit(FLUX, fits.CompImageHDU, **SOUND)
    assert "bad" not in str(see(file(unit(None), packed)).notes)


# --- packing, axes, pictures


def compress(data: bytes) -> bytes:
    """As compress writes a .Z: codes of nine bits that stand for themselves."""
    bits = 0
    for place, byte in enumerate(data):
        bits |= byte << (9 * place)
    return b"\x1f\x9d" + bytes([9]) + bits.to_bytes((9 * len(data) + 7) // 8, "little")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, compress], ids=["gz", "bz2", "Z"])
def test_packed_files(pack: Callable[[bytes], bytes]) -> None:
    small = np.ascontiguousarray(FLUX[:, 32:64, 32:64])
    plain, packed = cube(small), pack(cube(small))
    np.testing.assert_array_equal(see(packed).pixels, see(plain).pixels)
    with pytest.raises(ImageError, match=r"truncated|damaged|FITS"):
        see(packed[: len(packed) // 2])


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
def test_images_compressed_by_tiles(kind: str) -> None:
    planes = [
        fits.CompImageHDU(
            plane, fits.Header({"EXTNAME": band, "BUNIT": "nanomaggy", **tan(0.262)}), compression_type=kind
        )
        for band, plane in zip("grz", FLUX, strict=True)
    ]
    assert same(see(file(unit(None), *planes)), atol=4)


@pytest.mark.parametrize(
    "key",
    [
        "BANDS",
        "FILTERS",
        "FILTER",
        "BAND",
        "BAND0",
        "BUNIT",
        "OBJECT",
        "EXTNAME",
        "EXTTYPE",
        "HDUCLAS2",
        "TELESCOP",
        "PHOTSYS",
        "MAGSYS",
        "MAGZERO",
        "EXPTIME",
        "PHOTFLAM",
        "CTYPE1",
        "CRVAL1",
        "CD1_1",
        "MP_BAD",
    ],
)
def test_a_card_without_a_value_says_nothing(key: str) -> None:
    without = file(unit(FLUX))
    card = f"{key:<8}=".ljust(80).encode()
    end = without.index(b"END".ljust(80))
    assert without[end + 80 : end + 160].isspace()  # room for it before the pixels
    data = without[:end] + card + without[end : end + 80] + without[end + 160 :]
    with fits.open(io.BytesIO(data)) as units:
        assert units[0].header[key] is None
    seen, as_seen = (read_image(each, LOOK, Reading()) for each in (data, without))
    assert seen.notes == as_seen.notes
    np.testing.assert_array_equal(seen.pixels, as_seen.pixels)


def test_axes_of_length_one_are_no_axes() -> None:
    assert same(see(cube(FLUX[None])))
    assert same(see(cube(FLUX[:, None])))
    assert see(file(unit(FLUX[1][None, None], BUNIT="nanomaggy"))).pixels.shape == (48, 48, 3)
    with pytest.raises(ImageError, match="of 4 axes"):
        see(file(unit(np.ones((2, 3, 16, 16), np.float32))))


def test_colour_pictures_stored_as_fits_are_pictures() -> None:
    picture = np.clip(stretch(FLUX.transpose(1, 2, 0)), 0, 255).round().astype(np.uint8)
    expected = read_image(picture[::-1].copy(), LOOK, Reading()).pixels
    for array in (picture, picture.transpose(2, 0, 1), picture / np.float32(255), picture.astype(np.uint16) * 257):
        seen = see(file(unit(np.ascontiguousarray(array))))
        assert np.abs(seen.pixels.astype(int) - expected).max() <= 1
        assert seen.notes[0].startswith("taken as a picture in red, green and blue")
    opaque = np.concatenate([picture, np.full((N, N, 1), 255, np.uint8)], axis=2)
    assert np.abs(see(file(unit(opaque))).pixels.astype(int) - expected).max() <= 1
    with pytest.raises(ImageError, match="whose white is not known"):
        see(file(unit(picture * np.float32(1000))))


def test_hundreds_of_units_take_no_longer_than_their_bytes() -> None:
    units = [unit(OFF[0, :8, :8], fits.ImageHDU, f"ERR_{index}") for index in range(300)]
    seen = see(file(unit(FLUX, **SOUND), *units))
    assert same(seen)
    assert seen.notes == ("unit 0 of 301",)


# --- scale


@pytest.mark.parametrize(
    "wrong", [{"CTYPE1": "RA---XXX"}, {"CD1_1": 0.0, "CD2_2": 0.0}, {"CRVAL1": "here"}, {"CUNIT1": "m"}]
)
def test_a_wcs_that_fails_loses_the_scale_not_the_galaxy(wrong: dict[str, Any]) -> None:
    seen = see(cube(FLUX, **wrong))
    assert seen.pixel_scale is None
    assert same(seen)


def test_a_field_on_the_sky() -> None:
    whole = see(cube(), Geometry(1.0, 48))
    half = read_image(cube(), Geometry(1.0, 48), Reading(field=Field.parse(f"{0.262 * N / 2}arcsec")))
    assert half.field_arcsec == pytest.approx(0.262 * N / 2)
    middle = np.ascontiguousarray(FLUX[:, 24:72, 24:72])
    np.testing.assert_allclose(half.pixels.astype(int), see(cube(middle), Geometry(1.0, 48)).pixels.astype(int), atol=1)
    assert not np.array_equal(whole.pixels, half.pixels)
    row = Reading(field=Field.parse("8.5*petro_r")).for_row({"petro_r": 0.262 * N / 17})
    np.testing.assert_array_equal(read_image(cube(), Geometry(1.0, 48), row).pixels, half.pixels)
    with pytest.raises(ImageError, match="less than the field of 60 arcsec"):
        read_image(cube(), LOOK, Reading(field=Field.parse("1arcmin")))
    with pytest.raises(ImageError, match="pixel scale is not known"):
        read_image(file(unit(FLUX, BUNIT="nanomaggy")), LOOK, Reading(field=Field.parse("5arcsec")))
    for text in ("2", "0", "-3arcsec", "wide", "nan", "8.5*"):
        with pytest.raises(CatalogError, match="field"):
            Field.parse(text)


def test_a_row_of_a_catalogue_states_what_its_file_does_not() -> None:
    reading = Reading().for_row({"bands": "grz", "zero_point": 30.0, "pixel_scale": 0.262, "hdu": 0.0})
    assert same(read_image(file(unit(FLUX * 1000)), LOOK, reading))
    assert Reading().for_row({"zero_point": np.nan, "hdu": None, "bands": ""}) == Reading()
    with pytest.raises(ImageError, match="zero_point is 'bright'"):
        Reading().for_row({"zero_point": "bright"})


def test_a_galaxy_off_the_middle_is_said() -> None:
    moved = np.roll(FLUX, 24, axis=2)
    assert see(cube(moved)).notes == ("the brightest light is far from the middle: is the galaxy centred?",)


def test_squares_that_show_nothing_are_refused() -> None:
    with pytest.raises(ImageError, match="band g is the same everywhere"):
        see(cube(np.full((3, N, N), 0.1, np.float32)))
    one_value = FLUX.copy()
    one_value[2] = 0.2
    with pytest.raises(ImageError, match="band z is the same everywhere"):
        see(cube(one_value))
    with pytest.raises(ImageError, match="of the square that is looked at is white"):
        see(cube(np.where(FLUX[2] > 0.005, np.float32(1e4), FLUX)))
    grey = np.full((N, N, 3), 60, np.uint8)
    grey[:4] = 200  # outside the square
    with pytest.raises(ImageError, match="shows nothing"):
        read_image(grey, LOOK, Reading())


# --- real files


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files of surveys are not here")
def test_real_files_are_galaxies_or_say_what_is_missing() -> None:
    folder = SHARED / "survey-files"
    maggies = {"zero_point": (0.0,), "pixel_scale": 0.2}
    for name, stated, says in [
        ("kids_G266662fitim.fits", {}, "are no nanomaggies"),
        ("kids_G266662fitim.fits", maggies, None),
        ("kids_G266662mskim.fits", maggies, "holds no data"),
        ("abell_spiral.fits.gz", {}, "'electron / s'.*no zero point"),
        ("abell_spiral.fits.gz", {"zero_point": (26.27,)}, None),
        ("hyrax_hsc.fits", {}, None),
        ("statmorph_slice.fits", {}, "are no nanomaggies"),
        ("sparc_1237668272437199076.fits", {}, "are no nanomaggies"),
        ("sparc_1237671124296532233_galfit_out.fits", {"zero_point": (28.2,)}, None),
    ]:
        data = (folder / name).read_bytes()
        if says:
            with pytest.raises(ImageError, match=says):
                see(data, **stated)
        else:
            pixels = see(data, Geometry(1.0, 64), **stated).pixels
            assert pixels[28:36, 28:36].mean() > np.median(pixels) + 40, name
    for name in ("example_a", "example_b", "example_c"):
        pixels = see((SHARED / "decals-fits" / f"{name}.fits").read_bytes(), Geometry(1.0, 106)).pixels
        assert 20 < np.median(pixels) < 60  # a dark sky that is not clipped
        assert pixels[48:58, 48:58].mean() > 2 * np.median(pixels)
    with pytest.raises(ImageError, match="holds no data"):
        see((SHARED / "decals-fits" / "bad_pixels.fits").read_bytes())


# --- the stretch


def test_fits_becomes_red_green_blue_of_z_r_g_with_the_top_row_first() -> None:
    flux = np.random.default_rng(0).normal(0, 1e-4, (3, 20, 20)).astype(np.float32)
    flux[2, 19, :] = 1.0  # z, in the last row of the file: at the top of a picture
    flux[0, :, 0] = 1.0  # g, in the first column
    pixels = see(cube(flux), Geometry(1.0, 20)).pixels
    assert pixels[0, 10, 0] > 200
    assert pixels[0, 10, 2] < 50
    assert pixels[10, 0, 2] > 200
    assert pixels[10, 0, 0] < 50


def test_the_stretch_is_the_papers_equation() -> None:
    flux = np.random.default_rng(0).uniform(0.001, 0.5, (4, 4, 3))
    g, r, z = (flux[:, :, index] * scale + 0.03 for index, scale in enumerate((6.0, 3.4, 2.2)))
    mean = (g + r + z) / 3
    factor = np.arcsinh(20 * mean) / np.sqrt(20) / mean
    expected = 255 * np.clip(np.stack([z * factor, r * factor, g * factor], axis=2), 0, 1)
    np.testing.assert_allclose(stretch(flux), expected, rtol=1e-5)


# --- what a pack and a model keep of it


def test_a_model_reads_images_as_those_it_was_trained_on(tmp_path: Path) -> None:
    """Zero point, bands and angle of the pack hold for images that state none; another angle is said."""
    from tuningfork.inference import predict
    from tuningfork.models import GalaxyModel, load_model, save_model
    from tuningfork.models.heads import HeadSpec
    from tuningfork.models.model import ModelSpec
    from tuningfork.models.view import View
    from tuningfork.packs import make_pack
    from tuningfork.schemas import load_schema
    from tuningfork.sources import ImageOptions

    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(4):
        (folder / f"g{index}.fits").write_bytes(file(unit(FLUX * (1000 + 100 * index), BANDS="grz", **tan(0.262))))
    options = ImageOptions(reading=Reading(stated=Survey(zero_point=(30.0,)), field=Field.parse("20arcsec")))
    pack = make_pack(folder, tmp_path / "pack", geometry=Geometry(1.0, 32), options=options)
    assert pack.reading.assumed.zero_point == (30.0,)
    assert pack.reading.usual == pytest.approx((20, 20))
    spec = ModelSpec(
        "plain", {"width": 4}, pack.geometry, View(1.0, 32), (0.0,) * 3, (1.0,) * 3,
        (HeadSpec(schema="five-classes", kind="classes"),), (load_schema("five-classes"),), pack.reading,
    )  # fmt: skip
    record = {"data": {"sha256": pack.manifest["sha256"]}}
    (tmp_path / "model").mkdir()
    save_model(GalaxyModel(spec), tmp_path / "model", record)
    assert load_model(tmp_path / "model").spec.reading == pack.reading

    alike = pd.read_parquet(predict(folder, tmp_path / "a.parquet", model=tmp_path / "model", engine="torch"))
    of_pack = pd.read_parquet(predict(pack.path, tmp_path / "b.parquet", model=tmp_path / "model", engine="torch"))
    answers = [column for column in alike if column.startswith("five_class_")]
    np.testing.assert_allclose(alike[answers], of_pack[answers], atol=1e-6)
    assert (alike["note"] == "zero point 30 assumed").all()
    assert alike["field_arcsec"].to_numpy() == pytest.approx(20, abs=1e-4)
    assert alike["ra"].to_numpy() == pytest.approx(150, abs=1e-4)
    wide = ImageOptions(reading=Reading(field=Field.parse("10arcsec")))
    with pytest.raises(CatalogError, match=r"has no column .petro., which --field 5.petro needs"):
        lost = ImageOptions(reading=Reading(field=Field.parse("5*petro")))
        predict(folder, tmp_path / "d.parquet", model=tmp_path / "model", engine="torch", options=lost)
    other = pd.read_parquet(
        predict(folder, tmp_path / "c.parquet", model=tmp_path / "model", engine="torch", options=wide)
    )
    assert other["note"].str.contains("0.5 times as much of the sky, in angle, as the model was trained on").all()


def test_notes_that_differ_in_numbers_alone_are_counted_together() -> None:
    counts: dict[str, int] = {}
    for note in ("3 bad pixels filled; greyscale", "12 bad pixels filled", "3 bad pixels filled", "greyscale"):
        count_notes(counts, note)
    assert counts == {"… bad pixels filled": 3, "greyscale": 2}
    assert widest([None, 3.0, 2.0], (2.5, 4.0)) == (2.0, 4.0)
    assert widest([None]) is None
