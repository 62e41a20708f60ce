"""Tables in every format, labels joined by id, splits that no galaxy stands in twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.catalogs import (
    assign_splits,
    check_schemas,
    check_splits,
    id_text,
    join_labels,
    parse_fractions,
    read_table,
    sky_groups,
    write_table,
)
from tuningfork.errors import CatalogError, OutputError, SchemaError
from tuningfork.schemas import ClassSchema, GalaxyClass, load_schema

CHALLENGE, FIVE, EFIGI = load_schema("gz-challenge"), load_schema("five-classes"), load_schema("efigi")
ENDINGS = ("csv", "parquet", "fits", "vot", "xml")
FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}

# Text that every format can hold: in CSV, digits become numbers and words such as NA missing values.
texts = st.none() | st.text("bdgåé ,'\"", min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and text != ""
)
floats = st.just(np.nan) | st.floats(-1e6, 1e6, width=32)


@given(
    st.lists(st.tuples(texts, floats, st.integers(-(2**53), 2**53)), min_size=1, max_size=6), st.sampled_from(ENDINGS)
)
@settings(max_examples=60, deadline=None)
def test_a_table_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, float, int]], ending: str
) -> None:
    path = tmp_path_factory.mktemp("tables") / f"table.{ending}"
    table = pd.DataFrame(rows, columns=["note", "Class1.1", "whole"])
    table.insert(0, "id_str", [f"{index:04d}" for index in range(len(rows))])
    write_table(table, path)
    back = read_table(path)
    assert back.columns.tolist() == table.columns.tolist()
    assert back["id_str"].tolist() == table["id_str"].tolist()
    np.testing.assert_array_equal(back["Class1.1"], table["Class1.1"])
    assert back["whole"].tolist() == table["whole"].tolist()
    expected = [text or None for text in table["note"].fillna("")]
    assert [None if pd.isna(text) else str(text) for text in back["note"]] == expected


@pytest.mark.parametrize("ending", ENDINGS)
def test_missing_whole_numbers_and_truth_values_survive(tmp_path: Path, ending: str) -> None:
    table = pd.DataFrame({"id_str": ["a", "b"], "votes": pd.array([3, None], dtype="Int64"), "smooth": [True, False]})
    write_table(table, tmp_path / f"t.{ending}")
    back = read_table(tmp_path / f"t.{ending}")
    assert back["votes"].iloc[0] == 3
    assert pd.isna(back["votes"].iloc[1])
    assert back["smooth"].tolist() == [True, False]


def test_astropy_reads_what_is_written(tmp_path: Path) -> None:
    """An independent reader sees the same values, with the same types."""
    write_table(pd.DataFrame({"id_str": ["007"], "x": np.float32([0.1]), "n": [2**60]}), tmp_path / "t.fits")
    back = Table.read(tmp_path / "t.fits")
    assert back["x"].dtype == np.dtype(">f4")
    assert back["n"][0] == 2**60
    assert back["id_str"][0] == "007"


def test_ids_keep_their_zeros_and_long_numbers_their_digits(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("GalaxyID,code,x\n0012,007,1\n1237648720693755918,0,2\n")
    table = read_table(tmp_path / "t.csv", ids=["code"])
    assert table["GalaxyID"].tolist() == ["0012", "1237648720693755918"]
    assert table["code"].tolist() == ["007", "0"]
    assert table["x"].tolist() == [1, 2]


def test_id_text() -> None:
    assert id_text(pd.Series([7.0, np.nan])).fillna("").tolist() == ["7", ""]
    assert id_text(pd.Series([1237648720693755918])).tolist() == ["1237648720693755918"]
    assert id_text(pd.Series([" J1 ", None], dtype=object)).fillna("").tolist() == ["J1", ""]


def test_columns_can_be_chosen_and_pixels_are_left_out(tmp_path: Path) -> None:
    images = [{"bytes": b"x", "path": None}] * 2
    pd.DataFrame({"id_str": ["a", "b"], "x": [1, 2], "y": [3, 4], "image": images}).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns.tolist() == ["id_str", "x", "y"]
    assert read_table(tmp_path / "t.parquet", ["y", "id_str"]).columns.tolist() == ["y", "id_str"]
    with pytest.raises(CatalogError, match="no column 'z'; it has id_str, x, y"):
        read_table(tmp_path / "t.parquet", ["z"])


def test_vector_columns_of_fits_tables_are_passed_over(tmp_path: Path) -> None:
    Table({"id_str": ["a", "b"], "psf": np.ones((2, 5))}).write(tmp_path / "t.fits")
    assert read_table(tmp_path / "t.fits").columns.tolist() == ["id_str"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits", "vot"])
@pytest.mark.parametrize("content", [b"", b"this is no table, only a note\0\xff\n", b"<html></html>"])
def test_rubbish_is_refused_in_one_line(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=rf"t\.{ending}") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no such file: .*missing\.csv"):
        read_table(tmp_path / "missing.csv")
    (tmp_path / "t.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(CatalogError, match=r"t\.h5 is HDF5, no table that is read; save it as CSV"):
        read_table(tmp_path / "t.h5")
    with pytest.raises(CatalogError, match=r"ending '\.txt'"):
        write_table(pd.DataFrame({"x": [1]}), tmp_path / "t.txt")
    (tmp_path / "empty.csv").write_text("id_str,x\n")
    with pytest.raises(CatalogError, match=r"empty\.csv has no rows"):
        read_table(tmp_path / "empty.csv")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_unwritable_output_leaves_nothing(tmp_path: Path, ending: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_table(pd.DataFrame({"x": [1]}), tmp_path / "file" / f"t.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- labels


def images_of(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"id_str": list(ids), "file_loc": [f"{name}.jpg" for name in ids]}, dtype=object)


def test_labels_join_by_the_schemas_own_id_and_what_did_not_is_reported() -> None:
    labels = pd.DataFrame(
        {"GalaxyID": ["3", "1", "9"], "five_class": ["round", "spiral", "edge-on"], "file_loc": "elsewhere"}
    )
    joined, report = join_labels(images_of("1", "2", "3"), labels, "labels.csv", [CHALLENGE])
    assert joined["id_str"].tolist() == ["1", "2", "3"]
    assert joined["five_class"].fillna("-").tolist() == ["spiral", "-", "round"]
    assert joined["file_loc"].tolist() == ["1.jpg", "2.jpg", "3.jpg"]
    assert report.joined == 2
    assert (report.images_without_labels, report.first_images) == (1, ("2",))
    assert (report.labels_without_images, report.first_labels) == (1, ("9",))
    assert check_schemas(joined, [FIVE], "labels.csv")[1] == {"five-classes": 2}


def test_labels_win_over_columns_the_images_had() -> None:
    images = images_of("a", "b").assign(five_class=["round", "round"])
    joined, _ = join_labels(images, pd.DataFrame({"id_str": ["b"], "five_class": ["spiral"]}), "labels.csv")
    assert joined["five_class"].fillna("-").tolist() == ["-", "spiral"]


def test_numeric_ids_join_text(tmp_path: Path) -> None:
    for ids in ([100008, 100023], [100008.0, 100023.0]):
        joined, report = join_labels(images_of("100008", "100023"), pd.DataFrame({"id_str": ids, "x": [1, 2]}), "l")
        assert report.joined == 2
        assert joined["x"].tolist() == [1, 2]


def test_labels_that_join_nothing_show_ids_of_both_sides() -> None:
    labels = pd.DataFrame({"name": ["NGC 1", "NGC 2"], "five_class": "round"})
    with pytest.raises(CatalogError, match=r"labels\.csv: no id joins.*NGC 1, NGC 2.*images have 1, 2.*--id-column"):
        join_labels(images_of("1", "2"), labels, "labels.csv", id_column="name")


def test_wrong_ids_are_refused_by_name() -> None:
    images = images_of("a", "b")
    with pytest.raises(CatalogError, match=r"l: 2 ids occur twice or more \(a, b\)"):
        join_labels(images, pd.DataFrame({"id_str": list("aabbb")}), "l")
    for n, named in ((3, r"\(a, b, c\)"), (4, r"\(a, b, c, \.\.\.\)")):
        with pytest.raises(CatalogError, match=rf"l: {n} ids occur twice or more {named}"):
            join_labels(images, pd.DataFrame({"id_str": list("abcd")[:n] * 2}), "l")
    with pytest.raises(CatalogError, match="l: row 1 has no id"):
        join_labels(images, pd.DataFrame({"id_str": ["a", None]}), "l")
    with pytest.raises(CatalogError, match="l has no column 'pgc'; it has id_str"):
        join_labels(images, pd.DataFrame({"id_str": ["a"]}), "l", id_column="pgc")
    with pytest.raises(CatalogError, match=r"l has no id column .*--id-column"):
        join_labels(images, pd.DataFrame({"pgc": ["a"]}), "l")


def test_labels_of_another_schema_are_refused() -> None:
    table = images_of("a").assign(five_class=["banana"])
    with pytest.raises(SchemaError, match="galaxy a: 'banana' is not a class"):
        check_schemas(table, [FIVE], "labels.csv")
    with pytest.raises(SchemaError, match="none of the columns of schema 'gz-challenge'"):
        check_schemas(table, [CHALLENGE], "labels.csv")


# --- splits


def galaxies(n: int, seed: int = 0) -> pd.DataFrame:
    """Galaxies with a class each; some classes are rare, some galaxies have none."""
    rng = np.random.default_rng(seed)
    names = np.array([*FIVE.class_names, None], dtype=object)
    classes = rng.choice(names, n, p=[0.5, 0.25, 0.02, 0.03, 0.1, 0.1])
    return pd.DataFrame({"id_str": [f"g{i}" for i in range(n)], "five_class": classes})


@given(
    n=st.integers(1, 120),
    seed=st.integers(0, 2**32),
    cuts=st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted),
)
@settings(max_examples=60, deadline=None)
def test_every_stratum_has_its_share_to_within_one_galaxy(n: int, seed: int, cuts: list[int]) -> None:
    fractions = {"train": cuts[0] / 10, "val": (cuts[1] - cuts[0]) / 10, "test": (10 - cuts[1]) / 10}
    table = galaxies(n, seed % 100)
    splits = assign_splits(table, fractions, seed, FIVE)
    for _, members in splits.groupby(table["five_class"].fillna("-")):
        for split, fraction in fractions.items():
            assert abs((members == split).sum() - fraction * len(members)) < 1 + 1e-6
            assert fraction > 0 or split not in set(members)


@given(seed=st.integers(0, 2**32), order=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_does_not_matter(seed: int, order: int) -> None:
    table = galaxies(80)
    shuffled = table.sample(frac=1, random_state=order)
    first = dict(zip(table["id_str"], assign_splits(table, FRACTIONS, seed, FIVE), strict=True))
    again = dict(zip(shuffled["id_str"], assign_splits(shuffled, FRACTIONS, seed, FIVE), strict=True))
    assert first == again


def test_galaxies_added_later_move_few_others() -> None:
    table = galaxies(3000)
    before = assign_splits(table.head(2900), FRACTIONS, 1, FIVE)
    after = assign_splits(table, FRACTIONS, 1, FIVE).head(2900)
    assert (before != after).mean() < 0.02
    assert (before != assign_splits(table.head(2900), FRACTIONS, 2, FIVE)).mean() > 0.2


def test_many_small_strata_do_not_all_go_to_one_split() -> None:
    """Rounding alone would put every lone galaxy of a stratum into train."""
    names = [f"class-{i}" for i in range(400)]
    classes = tuple(GalaxyClass(name, name) for name in names)
    schema = ClassSchema("many", "many", (), label_column="kind", classes=classes)
    table = pd.DataFrame({"id_str": names, "kind": names})
    counts = assign_splits(table, FRACTIONS, 0, schema).value_counts()
    assert 20 < counts["test"] < 65
    assert 20 < counts["val"] < 65


def test_trees_are_stratified_by_their_first_question() -> None:
    rng = np.random.default_rng(3)
    featured = np.clip(rng.beta(0.5, 1.5, 2000), 0.001, 0.999)
    table = pd.DataFrame(
        {"id_str": np.arange(2000).astype(str), "Class1.1": 1 - featured, "Class1.2": featured, "Class1.3": 0.0}
    )
    table.loc[:99, ["Class1.1", "Class1.2", "Class1.3"]] = np.nan
    splits = assign_splits(table, {"train": 0.5, "test": 0.5}, 0, CHALLENGE)
    means = table["Class1.2"].groupby(splits).mean()
    assert abs(means["train"] - means["test"]) < 0.01  # by chance alone it would be off by about 0.012, often more
    assert splits[:100].value_counts().tolist() == [50, 50]


def test_quantities_are_stratified_by_their_range() -> None:
    table = pd.DataFrame(
        {"id_str": np.arange(700).astype(str), EFIGI.columns[0]: np.tile([-6.0, -2, 1, 4, 7, 10, np.nan], 100)}
    )
    splits = assign_splits(table, {"train": 0.5, "test": 0.5}, 0, EFIGI)
    late = table[EFIGI.columns[0]] > 8
    assert splits[late].value_counts().tolist() == [50, 50]


def sky(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 0.2, n) % 360, rng.uniform(-0.1, 0.1, n)
    return pd.DataFrame({"id_str": [f"g{i}" for i in range(n)], "ra": ra, "dec": dec})


@given(seed=st.integers(0, 10_000), radius=st.floats(1, 40))
@settings(max_examples=25, deadline=None)
def test_neighbours_on_the_sky_share_a_split(seed: int, radius: float) -> None:
    table = sky(60, seed)
    splits = assign_splits(table, FRACTIONS, seed, groups=sky_groups(table, radius, "t")).to_numpy()
    # Near the equator the sky is flat: an independent reference.
    apart = 3600 * np.hypot(*(table[name].to_numpy()[:, None] - table[name].to_numpy() for name in ("ra", "dec")))
    first, second = np.nonzero(apart < radius * 0.999)
    assert (splits[first] == splits[second]).all()


def test_positions_that_are_missing_or_linked_to_all() -> None:
    table = sky(40, 0)
    table.loc[:5, "ra"] = np.nan
    assert assign_splits(table, FRACTIONS, 0, groups=sky_groups(table, 5, "t")).isin(list(FRACTIONS)).all()
    with pytest.raises(CatalogError, match="40 of 40 galaxies are linked"):
        sky_groups(table.assign(ra=10.0, dec=10.0), 5, "t")
    with pytest.raises(CatalogError, match="ra and dec"):
        sky_groups(table.drop(columns="ra"), 5, "t")


def test_given_splits_are_checked() -> None:
    table = images_of("a", "b").assign(split=["train", "dev"])
    with pytest.raises(CatalogError, match=r"catalog, galaxy b: split 'dev' is not one of train, val, test"):
        check_splits(table, "catalog")
    check_splits(table.assign(split=["test", None]), "catalog")


@pytest.mark.parametrize("text", ["0.8/0.1", "0.8/0.1/0.2", "a/b/c", "1.5/-0.5/0", "nan/0/1", ""])
def test_wrong_fractions_are_refused(text: str) -> None:
    with pytest.raises(CatalogError):
        parse_fractions(text)


def test_fractions() -> None:
    assert parse_fractions("0.7/0.1/0.2") == {"train": 0.7, "val": 0.1, "test": 0.2}
    with pytest.raises(CatalogError, match="no split 'dev'"):
        assign_splits(images_of("a"), {"dev": 1.0})
