"""Positions on the sky, however a catalogue names and writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.catalogs import ABOUT, find_position_columns, positions, read_table
from tuningfork.errors import CatalogError
from tuningfork.images import Field, Reading

NAMES = (
    *(("ra", "dec"), ("RA", "DEC"), ("RAJ2000", "DEJ2000"), ("_RAJ2000", "_DEJ2000"), ("ra_deg", "dec_deg")),
    *(("RA_ICRS", "DE_ICRS"), ("ALPHA_J2000", "DELTA_J2000"), ("Right Ascension", "Declination"), ("s_ra", "s_dec")),
)


@pytest.mark.parametrize("names", NAMES)
def test_positions_are_found_by_the_names_that_catalogues_give_them(names: tuple[str, str]) -> None:
    table = pd.DataFrame({"x": [1.0], names[1]: [-5.0], names[0]: [187.5]})
    assert find_position_columns(table) == names
    np.testing.assert_array_equal(positions(table, "t"), [[187.5, -5.0]])


def test_the_exact_names_come_first_and_what_is_no_pair_is_none() -> None:
    assert find_position_columns(pd.DataFrame(columns=["RA", "DEC", "dec", "ra"])) == ("ra", "dec")
    assert find_position_columns(pd.DataFrame(columns=["ra", "raJ2000", "deJ2000"])) == ("raJ2000", "deJ2000")
    assert find_position_columns(pd.DataFrame(columns=["ra", "declared"])) is None
    with pytest.raises(CatalogError, match=r"t\.csv has no position"):
        positions(pd.DataFrame({"ra": [1.0]}), "t.csv")


ANGLES = st.tuples(st.floats(0, 359.9), st.floats(-89.9, 89.9))


@given(st.lists(ANGLES, min_size=1, max_size=5), st.sampled_from([":", " ", "hmsdms"]))
@settings(max_examples=40, deadline=None)
def test_sexagesimal_positions_are_those_that_astropy_reads(angles: list[tuple[float, float]], style: str) -> None:
    sky = SkyCoord(*np.transpose(angles), unit="deg")
    words = {"style": "hmsdms"} if style == "hmsdms" else {"sep": style, "style": "hmsdms"}
    pairs = [text.split() if style != " " else _halves(text) for text in sky.to_string(precision=4, **words)]
    table = pd.DataFrame(pairs, columns=["RA", "DE"])
    expected = np.stack([sky.ra.deg, sky.dec.deg], axis=1)
    np.testing.assert_allclose(positions(table, "t"), expected, atol=2e-6)


def _halves(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[:3]), " ".join(words[3:])]


def test_ways_to_write_a_position() -> None:
    texts = {
        "00:00:00.41": 0.41 / 240,
        "12h30m": 187.5,
        "12h30m36s": 187.65,
        "187.5": 187.5,
        "187d30m": 187.5,
        "-10.5": 349.5,
        "": np.nan,
    }
    table = pd.DataFrame({"ra": list(texts), "dec": "-00 30 00"})
    found = positions(table, "t")
    np.testing.assert_allclose(found[:, 0], list(texts.values()))
    np.testing.assert_allclose(found[:-1, 1], -0.5)
    assert np.isnan(found[-1]).all()
    hours = pd.DataFrame({"al2000": [12.5], "de2000": [1.0]})  # HyperLeda's are decimal hours
    np.testing.assert_array_equal(positions(hours, "t"), [[187.5, 1.0]])


@pytest.mark.parametrize(
    ("ra", "dec", "says"),
    [
        ("12:61:00", "0", "'12:61:00'; write degrees"),
        ("25:00:00", "0", "write degrees, or hours as"),
        ("12h", "0", "'12h'"),
        ("10", "12h30m", "'12h30m'; write degrees, or degrees as"),
        ("10", "north", "'north'"),
        (10, -95, "dec is -95, outside -90 to 90"),
        (370, 0, "ra is 370, outside -180 to 360"),
        (10, "91:00:00", "outside -90 to 90"),
    ],
)
def test_what_is_no_position_is_refused_by_row(ra: object, dec: object, says: str) -> None:
    table = pd.DataFrame({"id_str": ["a", "b"], "ra": [type(ra)(1), ra], "dec": [type(dec)(1), dec]})
    with pytest.raises(CatalogError, match=r"t\.csv, galaxy b: ") as caught:
        positions(table, "t.csv")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


MISSING = [-99, -999.0, -9999.0, -0.9999995e9, 999.99, 1e30, -np.inf, np.nan, "NaN", "null"]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("columns", [["ra"], ["dec"], ["ra", "dec"]])
def test_what_stands_for_a_missing_position_is_missing_in_its_row(missing: object, columns: list[str]) -> None:
    table = pd.DataFrame({"ra": [99.0, 20.0], "dec": [1.0, 2.0]}, dtype=object)
    for name in columns:
        table.loc[1, name] = missing
    for typed in (table, table.astype(str)):
        np.testing.assert_array_equal(positions(typed.infer_objects(), "t"), [[99, 1], [np.nan, np.nan]])


@pytest.mark.parametrize("name", ["t.fits", "t.vot", "t.ecsv"])
def test_the_field_heeds_the_unit_of_its_column(name: str, tmp_path: Path) -> None:
    reading = Reading(field=Field.parse("2*petro_r"))
    kinds = {"t.vot": "votable", "t.ecsv": "ascii.ecsv", "t.fits": "fits"}
    for unit, arcsec in (("arcsec", 3.0), ("arcmin", 180.0), ("deg", 10800.0), ("mas", 0.003), (None, 3.0)):
        table = Table({"id_str": ["a", "b"], "petro_r": [3.0, 3.0]})
        table["petro_r"].unit = unit
        table.write(tmp_path / name, format=kinds[name], overwrite=True)
        *_, row = reading.rows(read_table(tmp_path / name))
        assert reading.for_row(row).field.number == pytest.approx(2 * arcsec)
    table["petro_r"].unit = "mag"
    table.write(tmp_path / name, format=kinds[name], overwrite=True)
    with pytest.raises(CatalogError, match="column petro_r is in 'mag', which is no angle"):
        reading.rows(read_table(tmp_path / name))


def test_positions_in_radians_are_made_degrees(tmp_path: Path) -> None:
    table = Table({"id": ["a"], "coord_ra": [np.pi], "coord_dec": [0.5]})
    np.testing.assert_allclose(positions(table.to_pandas(), "t"), [[np.pi, 0.5]])
    table["coord_ra"].unit = table["coord_dec"].unit = "rad"
    table.write(tmp_path / "t.fits")
    found = read_table(tmp_path / "t.fits")
    np.testing.assert_allclose(positions(found, "t"), [[180, np.degrees(0.5)]])
    assert [found.attrs[ABOUT][name][1] for name in ("coord_ra", "coord_dec")] == ["deg", "deg"]
    for names in (("meanra", "meandec"), ("X_WORLD", "Y_WORLD"), ("ra_mean", "dec_mean")):
        assert find_position_columns(pd.DataFrame(columns=list(names))) == names


def test_positions_that_are_degrees_already_are_left_as_they_are(tmp_path: Path) -> None:
    for unit, values in (("deg", [0.5, 1.5]), (None, [0.5, 1.5]), ("rad", [0, 1]), ("mag", [0.5, 1.5])):
        table = Table({"id_str": ["1", "2"], "ra": values, "dec": values})
        table["ra"].unit = table["dec"].unit = unit
        table.write(tmp_path / "t.fits", overwrite=True)
        found = read_table(tmp_path / "t.fits")
        assert found["ra"].tolist() == found["dec"].tolist() == values
