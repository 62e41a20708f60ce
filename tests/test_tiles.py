"""Galaxies cut out of tiles: the right pixels of the right tile, each part of it read once, whatever is wrong said."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.errors import CatalogError, ImageError
from tuningfork.images import Decoded, Field, Geometry, Reading, Survey, decode_stream
from tuningfork.images.frame import Frame
from tuningfork.packs import open_pack
from tuningfork.sources import ImageOptions, Source, open_source
from tuningfork.sources.tiles.shared import Box, SharedRows, cut_all
from tuningfork.sources.tiles.stored import Compressed, stored
from tuningfork.sources.tiles.units import read_units

SIDE, SCALE, FIELD = 300, 0.262, 16.0  # pixels and arcsec
BANDS = ("g", "r", "i")
GEOMETRY = Geometry(1.0, 32)


def sky(ra: float = 10.0, dec: float = 0.0, scale: float = SCALE, turn: float = 0.0, kind: str = "RA") -> WCS:
    """The WCS of a tile of SIDE pixels."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"] if kind == "GLON" else ["RA---TAN", "DEC--TAN"]
    cos, sin = np.cos(turn), np.sin(turn)
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [(SIDE + 1) / 2] * 2
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * scale / 3600
    return wcs


def scene(places: list[tuple[float, float]], seed: int = 0) -> np.ndarray:
    """A tile (H, W) with a galaxy at each (x, y), each of another size and shape."""
    y, x = np.mgrid[:SIDE, :SIDE]
    light = np.random.default_rng(seed).normal(0, 0.004, (SIDE, SIDE))
    for index, (x0, y0) in enumerate(places):
        light += 0.5 * np.exp(-np.hypot(x - x0, (y - y0) / (0.4 + 0.1 * index)) / (3 + index))
    return light.astype(np.float32)


def header(wcs: WCS) -> fits.Header:
    """A tile's header."""
    cards = wcs.to_header(relax=True)
    cards["BUNIT"] = "nanomaggy"
    return cards


def write(path: Path, pixels: np.ndarray, wcs: WCS, **options: object) -> None:
    """A tile in one band, RICE-compressed row by row by default."""
    if path.name.endswith(".fz"):
        options = {"compression_type": "RICE_1", "quantize_method": 2, "dither_seed": 7} | options
        fits.CompImageHDU(pixels, header=header(wcs), **options).writeto(path)
    else:
        fits.PrimaryHDU(pixels, header=header(wcs)).writeto(path)


def tile(folder: Path, name: str, wcs: WCS, places: list[tuple[float, float]], bands: tuple[str, ...] = BANDS) -> None:
    """A tile in several bands."""
    for index, band in enumerate(bands):
        write(folder / f"{name}-{band}.fits.fz", scene(places, index) * (0.5 + 0.3 * index), wcs)


def catalog(path: Path, rows: list[tuple[str, float, float]], **columns: object) -> Path:
    """A table of positions."""
    table = pd.DataFrame(rows, columns=["id_str", "ra", "dec"])
    table.assign(**columns).to_csv(path, index=False)
    return path


def at(wcs: WCS, places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Pixels as positions (ICRS)."""
    world = wcs.pixel_to_world(*np.array(places, dtype=float).T).icrs
    return list(zip(world.ra.deg.tolist(), world.dec.deg.tolist(), strict=True))


def options(pattern: object, field: str = f"{FIELD}arcsec", bands: tuple[str, ...] = BANDS) -> ImageOptions:
    """As the command makes them."""
    return ImageOptions(tiles=str(pattern), reading=Reading(Survey(bands=bands), field=Field.parse(field)))


def read(source: Source, asked: ImageOptions, start: int = 0) -> dict[str, Decoded]:
    """What becomes of each galaxy, by its id."""
    rows = asked.reading.rows(source.table, start)
    found = decode_stream(source.items(start), GEOMETRY, 2, asked.reading, rows)
    return {image.id_str: image for image in found}


def cut(table: Path, asked: ImageOptions) -> dict[str, Decoded]:
    """The same, of a catalogue."""
    return read(open_source(table, asked), asked)


def off_centre(pixels: np.ndarray) -> float:
    """How far from the middle the brightest pixels of (S, S, C) are, in pixels."""
    light = pixels.sum(axis=2, dtype=float)
    y, x = np.nonzero(light >= 0.9 * light.max())
    return float(np.hypot(*(np.mean(values) - (len(light) - 1) / 2 for values in (y, x))))


PLACES = [(60.0, 61.0), (200.25, 80.0), (120.5, 220.5), (230.0, 240.0)]


def test_cutouts_show_what_stamps_of_the_same_pixels_show(tmp_path: Path) -> None:
    wcs = sky()
    tile(tmp_path, "a", wcs, PLACES)
    rows = [(f"g{n}", *place) for n, place in enumerate(at(wcs, PLACES))]
    asked = options(tmp_path / "*-{band}.fits.fz")
    found = cut(catalog(tmp_path / "c.csv", rows), asked)
    for n, (x, y) in enumerate(PLACES[:1]):
        half = 31  # 61.07 pixels are looked at: 63 or 64 are cut out, so that the galaxy is in the middle
        planes = [fits.getdata(tmp_path / f"a-{band}.fits.fz") for band in BANDS]
        x0, y0 = round(x) - half, round(y) - half
        stamp = np.stack([plane[y0 : y0 + 2 * half + 1, x0 : x0 + 2 * half + 1] for plane in planes])
        cards = wcs[y0 : y0 + 2 * half + 1, x0 : x0 + 2 * half + 1].to_header()
        cards["BUNIT"], cards["BANDS"] = "nanomaggy", "gri"
        fits.PrimaryHDU(stamp, header=cards).writeto(tmp_path / "stamp.fits")
        plain = Reading(field=Field.parse(f"{FIELD}arcsec"))
        (expected,) = decode_stream(open_source(tmp_path / "stamp.fits").items(), GEOMETRY, 1, plain)
        np.testing.assert_array_equal(found[f"g{n}"].pixels, expected.pixels)
        assert found[f"g{n}"].field_arcsec == pytest.approx(FIELD)
    for n, image in enumerate(found.values()):
        assert image.error is None, image.error
        assert off_centre(image.pixels) <= 0.7, n
    assert found["g1"].sky == pytest.approx(rows[1][1:])
    assert found["g0"].file_loc == f"{tmp_path}/a-{{g,r,i}}.fits.fz"


def flagged_units(survey: str, pixels: np.ndarray) -> list[tuple[str, np.ndarray, dict[str, int]]]:
    """The units of a tile or a stamp, where pixels of 5000 are marked as bad: names, values, cards."""
    bad = pixels > 1000
    if survey == "DES":
        return [
            ("SCI", pixels, {}),
            ("MSK", bad.astype(np.int16) * 4, {}),
            ("WGT", np.where(bad, 0, 1).astype(np.float32), {}),
        ]
    detected = (pixels > 0.05) * (1 << 5)  # no defect; and a bit that floats of 32 bits lose beside that of bad ones
    planes = {"MP_BAD": 0, "HIERARCH MP_DETECTED": 5, "HIERARCH MP_NO_DATA": 8}
    mask = (detected | np.where(bad, (1 << 30) | 1, 0)).astype(np.int32)
    return [("IMAGE", pixels, {}), ("MASK", mask, planes), ("VARIANCE", np.full_like(pixels, 1e-4), {})]


def write_flagged(path: Path, survey: str, pixels: np.ndarray, wcs: WCS) -> None:
    """Those units in a file, compressed if it is called .fz."""
    made = []
    for name, values, cards in flagged_units(survey, pixels):
        about = header(wcs)
        about.update(cards)
        unit = fits.CompImageHDU if path.name.endswith(".fz") else fits.ImageHDU
        lossless = {"compression_type": "GZIP_2", "quantize_level": 0} if path.name.endswith(".fz") else {}
        made.append(unit(values, header=about, name=name, **lossless))
    fits.HDUList([fits.PrimaryHDU(), *made]).writeto(path)


@pytest.mark.parametrize("survey", ["DES", "HSC"])
@pytest.mark.parametrize("name", ["tile.fits", "tile.fits.fz"])
def test_marked_pixels_of_a_tile_are_filled_as_those_of_a_stamp(tmp_path: Path, survey: str, name: str) -> None:
    wcs, pixels = sky(), scene(PLACES)
    pixels[70:80, 75:85] = 5000
    write_flagged(tmp_path / name, survey, pixels, wcs)
    part = slice(30, 93), slice(29, 92)  # rows and columns: what is cut out around the first place
    write_flagged(tmp_path / "stamp.fits", survey, pixels[part], wcs[part])
    rows = [(f"g{n}", *place) for n, place in enumerate(at(wcs, [*PLACES, (23.0, 61.0)]))]
    found = cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / name, bands=()))
    plain = Reading(field=Field.parse(f"{FIELD}arcsec"))
    (stamp,) = decode_stream(open_source(tmp_path / "stamp.fits").items(), GEOMETRY, 1, plain)
    assert found["g0"].error is None and stamp.error is None
    np.testing.assert_array_equal(found["g0"].pixels, stamp.pixels)
    assert found["g0"].note == stamp.note
    assert "100 bad pixels" in stamp.note
    assert f"unit 1 ({'SCI' if survey == 'DES' else 'IMAGE'}) of 4" in stamp.note
    assert "bad pixels" not in found["g1"].note
    assert "beyond the tile" in found["g4"].note and found["g4"].error is None


def test_flags_are_of_their_band_and_those_of_all_bands_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wcs, made = sky(), []
    for n, band in enumerate(BANDS):
        pixels, mask = scene(PLACES, n), np.zeros((SIDE, SIDE), np.uint8)
        pixels[70, 75 + n] = 5000
        pixels[72, 75] = 5000
        mask[70, 75 + n] = 1
        made += [fits.CompImageHDU(pixels, header=header(wcs), name=band), fits.CompImageHDU(mask, name=f"MASK_{band}")]
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[72, 75] = 1
    fits.HDUList([fits.PrimaryHDU(), *made, fits.CompImageHDU(mask, name="DQ")]).writeto(tmp_path / "a.fits.fz")
    read_rows, before = [], Compressed.rows

    def counted(self: Compressed, start: int, stop: int) -> np.ndarray:
        read_rows.append((self.image.name, start))
        return before(self, start, stop)

    monkeypatch.setattr(Compressed, "rows", counted)
    rows = [(f"g{n}", *place) for n, place in enumerate(at(wcs, PLACES))]
    found = cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / "a.fits.fz", bands=()))
    assert [image.error for image in found.values()] == [None] * len(PLACES)
    assert "4 bad pixels" in found["g0"].note
    assert len(read_rows) == len(set(read_rows))
    assert {name for name, _ in read_rows} == {*"GRI", "MASK_G", "MASK_R", "MASK_I", "DQ"}


def test_where_one_image_is_damaged_the_rows_of_the_others_are_let_go() -> None:
    class Image:
        step = 4

        def __init__(self, damaged: bool) -> None:
            self.damaged = damaged

        def rows(self, start: int, stop: int) -> np.ndarray:
            if self.damaged:
                raise ImageError("damaged")
            return np.ones((stop - start, 9), np.float32)

    box, other = Box(0, 0, 9, 9), Box(1, 5, 3, 3)
    images = [SharedRows(Image(n == 1), (9, 9), [box, other]) for n in range(3)]
    for each in (box, other):
        with pytest.raises(ImageError, match="damaged"):
            cut_all([(image, each) for image in images])
    for image in images:
        assert not image.left.any() and all(rows is None for rows in image.held)


def in_many_ways(folder: Path, pixels: np.ndarray) -> dict[str, Path]:
    """One image in the ways that surveys store it."""
    whole = np.rint(pixels * 1000).astype(np.int16)
    units: dict[str, list[object]] = {
        "plain.fits": [fits.PrimaryHDU(pixels)],
        "double.fits": [fits.PrimaryHDU(), fits.ImageHDU(pixels.astype(np.float64))],
        "packed.fits.gz": [fits.PrimaryHDU(pixels)],
        "packed.fits.bz2": [fits.PrimaryHDU(pixels)],
        "whole.fits": [fits.PrimaryHDU(whole)],
        "rows.fits.fz": [fits.PrimaryHDU(), fits.CompImageHDU(pixels)],
        "blocks.fits.fz": [fits.PrimaryHDU(), fits.CompImageHDU(pixels, tile_shape=(50, 70))],
        "lossless.fits.fz": [fits.CompImageHDU(pixels, compression_type="GZIP_2", quantize_level=0)],
        "gzip.fits.fz": [fits.CompImageHDU(whole, compression_type="GZIP_1")],
        "hcompress.fits.fz": [fits.CompImageHDU(pixels, compression_type="HCOMPRESS_1", tile_shape=(20, 300))],
        "cube.fits.fz": [fits.CompImageHDU(np.stack([pixels, pixels + 1]), tile_shape=(1, 1, 300))],
        "cube.fits": [fits.PrimaryHDU(np.stack([pixels, pixels + 1])[:, None])],
    }
    for name, parts in units.items():
        fits.HDUList(parts if isinstance(parts[0], fits.PrimaryHDU) else [fits.PrimaryHDU(), *parts]).writeto(
            folder / name
        )
    return {name: folder / name for name in units}


def test_however_a_tile_is_stored_its_pixels_are_astropys(tmp_path: Path) -> None:
    pixels = scene(PLACES)
    pixels[10:14, 20:30] = np.nan
    for name, path in in_many_ways(tmp_path, np.nan_to_num(pixels)).items():
        unit = next(unit for unit in read_units(path) if unit.shape)
        expected = np.squeeze(fits.getdata(path, unit.number)).astype(np.float32)
        for plane in range(expected.shape[0] if expected.ndim == 3 else 1):
            image = stored(str(path), unit, plane)
            boxes = [Box(-5, -7, 31, 40), Box(250, 280, 80, 40), Box(100, 31, 33, 66), Box(100, 400, 9, 9)]
            rows = SharedRows(image, (SIDE, SIDE), boxes)
            padded = np.pad(
                expected[plane] if expected.ndim == 3 else expected, 200, constant_values=np.nan
            )  # beyond the tile
            for box in boxes:
                y, x = box.bottom + 200, box.left + 200
                np.testing.assert_array_equal(rows.cut(box), padded[y : y + box.height, x : x + box.width], name)
            assert not any(held is not None for held in rows.held), name


def test_whole_numbers_are_scaled_and_blank_ones_are_missing(tmp_path: Path) -> None:
    whole = np.arange(SIDE * SIDE, dtype=np.int32).reshape(SIDE, SIDE) % 1000
    for unit in (fits.ImageHDU(whole), fits.CompImageHDU(whole)):
        path = tmp_path / f"{type(unit).__name__}.fits"
        unit.header["BSCALE"], unit.header["BZERO"], unit.header["BLANK"] = 0.5, 3.0, 7
        fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path, output_verify="ignore")
        with fits.open(path, mode="update", do_not_scale_image_data=True, disable_image_compression=True) as units:
            units[1].header["BSCALE"], units[1].header["BZERO"], units[1].header["BLANK"] = 0.5, 3.0, 7
            units[1].header["ZBLANK"] = 7
        found = stored(str(path), read_units(path)[1], 0).rows(0, 32)
        expected = whole[:32] * np.float32(0.5) + np.float32(3)
        expected[whole[:32] == 7] = np.nan
        np.testing.assert_array_equal(found, expected)


def test_each_part_of_a_tile_is_decompressed_once_whatever_the_order_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = options(tmp_path / "*-{band}.fits.fz")
    rng, rows = np.random.default_rng(3), []
    for name, ra in (("a", 10.0), ("b", 10.5)):
        wcs = sky(ra)
        tile(tmp_path, name, wcs, PLACES)
        rows += [(f"{name}{n}", *place) for n, place in enumerate(at(wcs, rng.uniform(40, 260, (60, 2)).tolist()))]
    rng.shuffle(rows)
    table = catalog(tmp_path / "c.csv", rows)
    decompressed, lock, before = [], threading.Lock(), Compressed.rows

    def counted(self: Compressed, start: int, stop: int) -> np.ndarray:
        with lock:
            decompressed.append((id(self), start))
        return before(self, start, stop)

    monkeypatch.setattr(Compressed, "rows", counted)
    kept = []  # so that no two tiles have one id
    monkeypatch.setattr(
        Compressed,
        "__init__",
        lambda self, *a, made=Compressed.__init__, **k: (made(self, *a, **k), kept.append(self))[0],
    )
    found = cut(table, asked)
    assert all(image.error is None for image in found.values())
    assert len(decompressed) == len(set(decompressed)) <= 2 * 3 * -(-SIDE // 32)
    assert len(kept) == 2 * 3


def test_rows_come_in_the_order_of_tiles_and_say_where_they_stood(tmp_path: Path) -> None:
    rows = []
    for name, ra in (("a", 10.0), ("b", 10.5)):
        tile(tmp_path, name, sky(ra), PLACES)
        rows += [(f"{name}{n}", *place) for n, place in enumerate(at(sky(ra), PLACES))]
    rows = [*rows[::2], ("nowhere", 99.0, 1.0), *rows[1::2]]
    asked = options(tmp_path / "*-{band}.fits.fz")
    source = open_source(catalog(tmp_path / "c.csv", rows), asked)
    assert [row[0] for row in rows] == source.table.sort_index()["id_str"].tolist()
    assert source.table["id_str"].tolist() == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3", "nowhere"]
    whole, tail = read(source, asked), read(source, asked, 3)
    assert list(tail) == list(whole)[3:]
    for name, image in tail.items():
        np.testing.assert_array_equal(image.pixels, whole[name].pixels)


def test_parts_are_read_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    for name, ra in (("a", 10.0), ("b", 10.5)):
        tile(tmp_path, name, sky(ra), PLACES)
        rows += [(f"{name}{n}", *place) for n, place in enumerate(at(sky(ra), PLACES))]
    table = catalog(tmp_path / "c.csv", [*rows, ("nowhere", 99.0, 1.0)], size=2.0)
    monkeypatch.chdir(tmp_path)
    asked = options("*-{band}.fits.fz", "8*size")
    source = open_source(table, asked)
    whole = read(source, asked)
    parts = [pickle.dumps(source.part(start, min(start + 5, 9))) for start in (0, 5)]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found: dict[str, Decoded] = {}
    for part in map(pickle.loads, parts):
        assert len(part.tiles) <= 2
        found |= read(part, asked)
    assert list(found) == list(whole)
    for name, image in found.items():
        assert (image.error, image.note, image.file_loc) == (
            whole[name].error,
            whole[name].note,
            whole[name].file_loc,
        )
        np.testing.assert_array_equal(image.pixels, whole[name].pixels)


def test_a_galaxy_in_several_tiles_is_cut_out_of_the_one_in_which_it_is_most_central(tmp_path: Path) -> None:
    first, second = sky(10.0), sky(10.0 + 200 * SCALE / 3600)  # it overlaps the first by a third
    x, _ = first.wcs_world2pix(*at(second, [(230.0, 150.0)])[0], 0)
    tile(tmp_path, "a", first, [])
    tile(tmp_path, "b", second, [(230.0, 150.0)])
    tile(tmp_path, "c", sky(200.0), [])
    assert 0 < float(x) < 299
    found = cut(
        catalog(tmp_path / "c.csv", [("g", *at(second, [(230.0, 150.0)])[0])]),
        options(tmp_path / "*-{band}.fits.fz"),
    )["g"]
    assert Path(found.file_loc).name.startswith("b-")
    assert "most central of 2 tiles" in found.note


def test_what_is_said_of_a_galaxy_that_cannot_be_cut_out(tmp_path: Path) -> None:
    wcs = sky()
    tile(tmp_path, "a", wcs, PLACES)
    tile(tmp_path, "short", sky(11.0), PLACES)
    tile(tmp_path, "two", sky(12.0), PLACES, ("g", "r"))
    tile(tmp_path, "blind", sky(13.0), PLACES)
    for band in BANDS:
        pixels = fits.getdata(tmp_path / f"blind-{band}.fits.fz")
        fits.CompImageHDU(pixels).writeto(tmp_path / f"blind-{band}.fits.fz", overwrite=True)
    cut_short = tmp_path / "short-r.fits.fz"
    cut_short.write_bytes(cut_short.read_bytes()[:-9000])
    (tmp_path / "broken-g.fits.fz").write_bytes(b"no tile")
    rows = [
        ("good", *at(wcs, PLACES)[0]),
        ("rim", *at(wcs, [(22.0, 150.0)])[0]),
        ("corner", *at(wcs, [(0.0, 0.0)])[0]),
        ("short", *at(sky(11.0), PLACES)[0]),
        ("two", *at(sky(12.0), PLACES)[0]),
        ("blind", *at(sky(13.0), PLACES)[0]),
        ("nowhere", 200.0, -40.0),
        ("missing", np.nan, 1.0),
    ]
    source = open_source(catalog(tmp_path / "c.csv", rows), asked := options(tmp_path / "*-{band}.fits.fz"))
    found = read(source, asked)
    assert found["good"].error is None
    assert "% of the field lies beyond the tile" in found["rim"].note
    assert found["corner"].pixels is None
    assert "short-r.fits.fz is cut short; get it again" in found["short"].error
    assert "no file of band i" in found["two"].error
    assert found["blind"].error == "no tile covers it (ra 13.00000, dec -0.00000)"[:20] + found["blind"].error[20:]
    assert "no tile covers it (ra 200.00000, dec -40.00000)" in found["nowhere"].error
    assert "no position" in found["missing"].error
    left = " ".join(source.introduction.left_out)
    assert "blind" in left and "no WCS" in left and "broken-g" in left


@pytest.mark.parametrize(
    ("wcs", "named"),
    [
        (sky(0.0, 20.0), "across 0 h"),
        (sky(77.0, 90.0), "at the pole"),
        (sky(121.17, -21.57, kind="GLON"), "Galactic"),
        (sky(10.0, 70.0, turn=0.7), "turned"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tiles_anywhere_on_the_sky(tmp_path: Path, wcs: WCS, named: str) -> None:
    tile(tmp_path, "a", wcs, PLACES)
    rows = [(f"g{n}", *place) for n, place in enumerate(at(wcs, PLACES))]
    for image in cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / "*-{band}.fits.fz")).values():
        assert image.error is None, (named, image.error)
        assert off_centre(image.pixels) <= 0.7


def test_distortions_and_axes_of_length_one(tmp_path: Path) -> None:
    wcs = sky()
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    a, b = np.zeros((3, 3)), np.zeros((3, 3))
    a[2, 0], b[0, 2] = 3e-4, -3e-4  # 7 pixels at the rim
    from astropy.wcs import Sip

    wcs.sip = Sip(a, b, None, None, wcs.wcs.crpix)
    cards = header(wcs)
    cards["CTYPE3"], cards["CRPIX3"], cards["CRVAL3"], cards["CDELT3"] = "FREQ", 1, 1e14, 1e10
    for band in BANDS:
        fits.PrimaryHDU(scene(PLACES)[None], header=cards).writeto(tmp_path / f"a_{band}.fits")
    rows = [(f"g{n}", *place) for n, place in enumerate(at(wcs, PLACES))]
    for image in cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / "a_{band}.fits")).values():
        assert image.error is None, image.error
        assert off_centre(image.pixels) <= 0.7


@pytest.mark.parametrize("second", [sky(scale=0.2), sky(turn=0.3)], ids=["scale", "turned"])
def test_bands_on_unlike_grids_are_refused(tmp_path: Path, second: WCS) -> None:
    for band, wcs in zip(BANDS, (sky(), second, sky()), strict=True):
        write(tmp_path / f"a-{band}.fits.fz", scene(PLACES), wcs)
    rows = [("g", *at(sky(), PLACES)[0])]
    found = cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / "a-{band}.fits.fz"))["g"]
    assert "bring them to one grid first" in found.error


def test_bands_that_are_shifted_are_cut_out_each_at_its_own_pixels(tmp_path: Path) -> None:
    for band, shift in zip(BANDS, (0, 12, -7), strict=True):
        wcs = sky()
        wcs.wcs.crpix = wcs.wcs.crpix + shift
        write(tmp_path / f"a-{band}.fits.fz", scene([(x + shift, y + shift) for x, y in PLACES]), wcs)
    rows = [("g", *at(sky(), PLACES)[2])]
    found = cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / "a-{band}.fits.fz"))["g"]
    assert found.error is None, found.error
    for channel in range(3):
        assert off_centre(found.pixels[..., channel : channel + 1]) <= 0.7


@pytest.mark.parametrize(
    "named",
    [
        {"BANDS": "gri"},
        {"FILTERS": "g,r,i"},
        {"BAND0": "g", "BAND1": "r", "BAND2": "i"},
        {"FILTER1": "g", "FILTER2": "r", "FILTER3": "i"},
    ],
)
def test_without_a_place_for_the_band_a_file_is_a_tile(tmp_path: Path, named: dict[str, str]) -> None:
    planes = np.stack([scene(PLACES, n) for n in range(3)])
    cube = fits.PrimaryHDU(planes, header=header(sky()))
    cube.header.update(named)
    cube.writeto(tmp_path / "cube.fits")
    units = [fits.ImageHDU(p, header=header(sky(20.0)), name=b) for p, b in zip(planes, BANDS, strict=True)]
    fits.HDUList([fits.PrimaryHDU(), *units, fits.ImageHDU(planes[0], name="MASK")]).writeto(tmp_path / "units.fits")
    rows = [("cube", *at(sky(), PLACES)[0]), ("units", *at(sky(20.0), PLACES)[0])]
    found = cut(catalog(tmp_path / "c.csv", rows), options(tmp_path / "*.fits", bands=()))
    assert [image.error for image in found.values()] == [None, None]
    np.testing.assert_array_equal(found["cube"].pixels, found["units"].pixels)


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        (options("{folder}/a-{band}.fits.fz", "0.5"), "--field such as 30arcsec"),
        (options("{folder}/a-{band}.fits.fz", bands=()), "--bands g,r,i"),
        (options("{folder}/no-{band}.fits.fz"), "no (tile|file) matches"),
        (options("{folder}/no.fits"), "no (tile|file) matches"),
    ],
)
def test_what_is_missing_is_asked_for(tmp_path: Path, asked: ImageOptions, remedy: str) -> None:
    tile(tmp_path, "a", sky(), PLACES)
    asked = replace(asked, tiles=asked.tiles.replace("{folder}", str(tmp_path)))
    with pytest.raises(CatalogError, match=remedy):
        open_source(catalog(tmp_path / "c.csv", [("g", 10.0, 0.0)]), asked)
    (tmp_path / "d.csv").write_text("id_str,size\ng,3\n")
    with pytest.raises(CatalogError, match="ra and dec"):
        open_source(tmp_path / "d.csv", options(tmp_path / "a-{band}.fits.fz"))


def test_the_source_is_another_when_a_tile_or_a_position_is(tmp_path: Path) -> None:
    tile(tmp_path, "a", sky(), PLACES)
    asked, rows = options(tmp_path / "a-{band}.fits.fz"), [("g", *at(sky(), PLACES)[0])]
    first = open_source(catalog(tmp_path / "c.csv", rows), asked).describe()
    assert open_source(tmp_path / "c.csv", asked).describe() == first
    moved = open_source(catalog(tmp_path / "d.csv", [("g", *at(sky(), PLACES)[1])]), asked).describe()
    write(tmp_path / "new.fits.fz", scene(PLACES, 9), sky())
    (tmp_path / "new.fits.fz").replace(tmp_path / "a-r.fits.fz")
    changed = open_source(tmp_path / "c.csv", asked).describe()
    assert len({repr(first), repr(moved), repr(changed)}) == 3


def test_a_position_between_pixels_is_in_the_middle_to_a_quarter_of_a_pixel(tmp_path: Path) -> None:
    from tuningfork.sources.tiles.cutting import _box, _offset

    for centre in np.linspace(100, 101, 41):
        length = min((57, 58), key=lambda n: abs(_offset(centre, n)))
        box = _box(np.array([centre, centre]), (length, length))
        assert abs(box.left + (box.width - 1) / 2 - centre) <= 0.25 + 1e-9


def test_catalog_rows_of_every_frame(tmp_path: Path) -> None:
    """FK5 and ICRS tiles differ by less than a pixel; positions are ICRS."""
    wcs = sky()
    wcs.wcs.radesys, wcs.wcs.equinox = "FK4", 1950.0
    tile(tmp_path, "a", wcs, PLACES)
    place = SkyCoord(*wcs.wcs_pix2world(*PLACES[0], 0), unit="deg", frame="fk4", equinox="B1950").icrs
    found = cut(
        catalog(tmp_path / "c.csv", [("g", place.ra.deg, place.dec.deg)]), options(tmp_path / "a-{band}.fits.fz")
    )["g"]
    assert found.error is None, found.error
    assert off_centre(found.pixels) <= 0.7


@pytest.fixture
def shared_file(tmp_path: Path) -> Path:
    """A catalogue of three galaxies in one file, one in another, one outside and one without a position."""
    for name, wcs in (("one", sky()), ("two", sky(20.0))):
        cube = fits.PrimaryHDU(np.stack([scene(PLACES, n) for n in range(3)]), header=header(wcs))
        cube.header["BANDS"] = "grz"
        cube.writeto(tmp_path / f"{name}.fits")
    rows = [(f"g{n}", *place) for n, place in enumerate(at(sky(), PLACES[:3]))]
    rows = [("other", *at(sky(20.0), PLACES)[3]), *rows, ("outside", 40.0, 0.0), ("missing", np.nan, 0.0)]
    files = ["two.fits", *["one.fits"] * 5]
    return catalog(tmp_path / "c.csv", rows, file_loc=files)


def test_galaxies_that_name_one_file_are_cut_out_of_it(shared_file: Path) -> None:
    asked = replace(options("", bands=()), tiles=None)
    source = open_source(shared_file, asked)
    found = read(source, asked)
    for name in ("g0", "g1", "g2", "other"):
        assert found[name].error is None, found[name].error
        assert off_centre(found[name].pixels) <= 0.7
    assert not np.array_equal(found["g0"].pixels, found["g1"].pixels)
    assert "outside one.fits" in found["outside"].error
    assert "no position" in found["missing"].error
    assert "share a file" in " ".join(source.introduction.notes)
    assert source.table.sort_index()["file_loc"].tolist() == ["two.fits", *["one.fits"] * 5]


def test_galaxies_that_name_one_file_need_a_field(shared_file: Path) -> None:
    with pytest.raises(CatalogError, match=r"galaxies at different positions are in one file, one\.fits.*--field 30"):
        open_source(shared_file, ImageOptions())


def test_one_row_without_a_position_is_an_error_of_its_own(shared_file: Path) -> None:
    table = pd.read_csv(shared_file)
    table.loc[table["id_str"] == "g1", "dec"] = -99
    table.to_csv(shared_file, index=False)
    found = cut(shared_file, replace(options("", bands=()), tiles=None))
    assert "no position" in found["g1"].error
    assert found["g0"].error is found["g2"].error is None


def test_galaxies_that_name_one_file_need_positions_or_units(shared_file: Path) -> None:
    table = pd.read_csv(shared_file).drop(columns=["ra", "dec"])
    table.to_csv(shared_file, index=False)
    with pytest.raises(CatalogError, match=r"5 galaxies name one file, one\.fits, .* ra and dec .*--field") as caught:
        open_source(shared_file)
    assert "\n" not in str(caught.value)
    table.assign(hdu=range(6)).to_csv(shared_file, index=False)
    assert open_source(shared_file).n == 6
    files = [f"{name}[{n}]" for n, name in enumerate(table["file_loc"])]
    table.assign(file_loc=files).to_csv(shared_file, index=False)
    assert open_source(shared_file).n == 6


@pytest.mark.parametrize(("shift", "said"), [(0.2, False), (3.0, True), (400.0, True)])
def test_an_image_of_another_place_than_the_catalogues_is_said(shift: float, said: bool, tmp_path: Path) -> None:
    cube = fits.PrimaryHDU(np.stack([scene([(149.5, 149.5)], n) for n in range(3)]), header=header(sky()))
    cube.header["BANDS"] = "grz"
    cube.writeto(tmp_path / "a.fits")
    height, width = cube.data.shape[-2:]
    ((ra, dec),) = at(sky(), [((width - 1) / 2, (height - 1) / 2)])
    table = catalog(tmp_path / "c.csv", [("a", ra, dec + shift / 3600)], file_loc=["a.fits"])
    note = cut(table, replace(options("", bands=()), tiles=None))["a"].note or ""
    assert (f"the catalogue's position is {shift:.3g} arcsec from the middle of the image" in note) == said


def test_a_galaxy_that_stands_in_a_catalogue_twice_is_no_tile(shared_file: Path) -> None:
    table = pd.read_csv(shared_file).iloc[[0, 0]].assign(id_str=["a", "b"])
    table.to_csv(shared_file, index=False)
    assert len(list(open_source(shared_file).items())) == 2


def test_a_shared_file_without_a_wcs_is_an_error_of_each_row(shared_file: Path) -> None:
    planes = fits.getdata(shared_file.parent / "one.fits")
    fits.PrimaryHDU(planes).writeto(shared_file.parent / "one.fits", overwrite=True)
    asked = replace(options("", bands=()), tiles=None)
    found = cut(shared_file, asked)
    assert all("no WCS" in found[name].error for name in ("g0", "g1", "g2"))
    assert found["other"].error is None


@given(st.permutations(range(37)), st.integers(1, 12), st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_rows_are_put_back_in_the_order_asked(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], shard: int, bucket: int
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    import tuningfork.inference.order as order

    folder, shards = tmp_path_factory.mktemp("order"), []
    for start in range(0, 37, shard):
        part = places[start : start + shard]
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.repeat(part, 2)), 2)
        table = pa.table({"place": pa.array(part), "text": [f"t{n}" for n in part], "vector": vectors})
        pq.write_table(table, path := folder / f"{start:04d}.parquet")
        shards.append(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "ROWS", bucket)
        done = order.in_order(shards, np.array(places), folder / "asked")
    table = pa.concat_tables([pq.read_table(path) for path in done])
    assert table["place"].to_pylist() == list(range(37))
    assert table["text"].to_pylist() == [f"t{n}" for n in range(37)]
    assert table["vector"].to_pylist() == [[n, n] for n in range(37)]


@pytest.mark.parametrize(("asked", "threads"), [([], 1), (["--workers", "2"], 2)])
def test_tiles_are_decoded_in_one_thread_unless_more_are_asked_for(
    asked: list[str], threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from tuningfork.cli.app import build
    from tuningfork.sources.tiles.cutting import Cutting

    tile(tmp_path, "a", sky(10.0), PLACES)
    catalog(tmp_path / "c.csv", [(f"a{n}", *place) for n, place in enumerate(at(sky(10.0), PLACES))])
    monkeypatch.chdir(tmp_path)
    seen, together, frame = set(), threading.Barrier(threads), Cutting.frame

    def watched(self: Cutting, index: int) -> Frame:
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait(timeout=20)  # broken unless as many threads come
        return frame(self, index)

    monkeypatch.setattr(Cutting, "frame", watched)
    more = ["--tiles", "*-{band}.fits.fz", "--bands", "g,r,i", "--field", f"{FIELD}arcsec", "--size", "32", *asked]
    done = CliRunner().invoke(build(), ["pack", "c.csv", "pack", *more])
    assert done.exit_code == 0, done.output
    assert len(seen) == threads


def test_predict_embed_and_pack_give_rows_in_the_order_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    for name, ra in (("a", 10.0), ("b", 10.5)):
        tile(tmp_path, name, sky(ra), PLACES)
        rows += [(f"{name}{n}", *place) for n, place in enumerate(at(sky(ra), PLACES))]
    rows = [*rows[::2], ("nowhere", 99.0, 1.0), *rows[1::2]]
    catalog(tmp_path / "c.csv", rows, z=np.arange(9.0))
    monkeypatch.chdir(tmp_path)
    asked = ["--tiles", "*-{band}.fits.fz", "--bands", "g,r,i", "--field", f"{FIELD}arcsec"]
    from typer.testing import CliRunner

    from tuningfork.cli.app import build

    for verb, out, more in (
        ("predict", "out.parquet", ["--engine", "torch"]),
        ("embed", "features.parquet", ["--engine", "torch", "--maps", "none"]),
        ("pack", "pack", ["--size", "32"]),
    ):
        done = CliRunner().invoke(build(), [verb, "c.csv", out, *asked, *more])
        assert done.exit_code == 0, done.output
    for out in ("out.parquet", "features.parquet"):
        table = pd.read_parquet(out)
        assert table["id_str"].tolist() == [row[0] for row in rows]
        assert table["z"].tolist() == list(range(9))
        assert table["error"].notna().tolist() == [row[0] == "nowhere" for row in rows]
    pack = open_pack("pack")
    assert pack.catalog["id_str"].tolist() == [row[0] for row in rows if row[0] != "nowhere"]
    source = open_source("c.csv", options("*-{band}.fits.fz"))
    found = read(source, options("*-{band}.fits.fz"))
    for pixels, name in zip(pack.pixels, pack.catalog["id_str"], strict=True):
        np.testing.assert_array_equal(pixels, found[name].pixels)
