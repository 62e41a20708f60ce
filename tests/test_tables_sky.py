"""Positions on the sky, however a catalogue names and writes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.catalogs import find_position_columns, positions
from tuningfork.errors import CatalogError

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
        (10, -999, "dec is -999, outside -90 to 90"),
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
