"""One reader for every table: whatever its separator, encoding, compression and format, and what is missing in it."""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from tuningfork.catalogs import STORED, id_text, is_table, read_table
from tuningfork.catalogs.layout import Layout, encoding_of, layout_of
from tuningfork.catalogs.values import typed
from tuningfork.errors import CatalogError

IDS = ["0587722981736120347", "1237648720693755918", "946133.0"]
KINDS = ["None", "NA", "spiral"]
ROWS = pd.DataFrame({"OBJID": IDS, "kind": KINDS, "votes": [3, 40, 5], "z": [0.5, np.nan, -1e-3]})


def text_of(table: pd.DataFrame, separator: str) -> str:
    return table.to_csv(index=False, sep=separator)


def check(path: Path) -> None:
    """The rows came back: ids and names as text, numbers as numbers."""
    table = read_table(path)
    assert table.columns.tolist() == list(ROWS)
    assert table["OBJID"].tolist() == IDS
    assert table["kind"].tolist() == KINDS
    assert table["votes"].tolist() == [3, 40, 5]
    np.testing.assert_array_equal(table["z"].to_numpy(dtype=float, na_value=np.nan), ROWS["z"])


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}


@given(
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    st.sampled_from(sorted(PACKED)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "# made by hand, in a day\n#\n", "\n\n"]),
    st.sampled_from([".csv", ".txt", ".dat", ".parquet", ""]),
)
@settings(max_examples=60, deadline=None)
def test_a_table_of_text_is_read_however_it_is_written(
    tmp_path_factory: pytest.TempPathFactory,
    separator: str,
    encoding: str,
    packing: str,
    end: str,
    remarks: str,
    ending: str,
) -> None:
    path = tmp_path_factory.mktemp("text") / f"table{ending}{packing}"
    text = (remarks + text_of(ROWS, separator)).replace("\n", end)
    path.write_bytes(PACKED[packing](text.encode(encoding)))
    check(path)


def test_text_that_has_its_own_ways(tmp_path: Path) -> None:
    lines, rows = text_of(ROWS, ",").splitlines(), ROWS.to_csv(sep=" ", header=False, index=False, na_rep="nan")
    bars = [" | ".join(line.split(",")) for line in lines[1:]]
    cases = {
        "blanks.dat": "OBJID  kind   votes z\n" + "".join(f"  {i} {k}\t{v}   {z}\n" for i, k, v, z in ROWS.values),
        "commented.txt": f"# a remark\n#OBJID kind votes z\n{rows}",
        "ended.csv": "".join(f"{line},\n" for line in lines),
        "ended_rows.csv": lines[0] + "\n" + "".join(f"{line},\n" for line in lines[1:]),
        "bars.txt": "".join(f"| {' | '.join(line.split(','))} |\n" for line in lines),
        "psql.txt": "\n".join([lines[0].replace(",", " | "), "---+---+---+---", *bars]),
        "spaced.csv": "".join(", ".join(line.split(",")) + "\n" for line in lines),
        "vizier.tsv": "#\n#INFO\n" + "\n".join(
            "\t".join(line.split(",")) for line in [lines[0], " , ,,km/s", "---,-----,--,---", *lines[1:]]
        ),
        "casjobs.csv": "#Table1\n" + "\n".join(lines) + "\n# the end\n",
        "unended.csv": "\n".join(lines),
        "quoted.csv": "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in lines),
        "decimal.csv": text_of(ROWS, ";").replace("0.5", "0,5").replace("-0.001", "-0,001"),
    }  # fmt: skip
    for name, text in cases.items():
        (tmp_path / name).write_text(text)
        try:
            check(tmp_path / name)
        except (AssertionError, CatalogError) as error:
            raise AssertionError(name) from error


def test_formats_that_astropy_writes(tmp_path: Path) -> None:
    table = Table({"OBJID": IDS, "kind": KINDS, "votes": [3, 40, 5], "z": ROWS["z"]})
    table.write(tmp_path / "t.ecsv")
    table.write(tmp_path / "t.vot", format="votable")
    table.write(tmp_path / "t.fits")
    table.write(tmp_path / "t.tbl", format="ascii.ipac")
    for name in ("t.ecsv", "t.vot", "t.fits", "t.tbl"):
        check(tmp_path / name)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        check(tmp_path / f"{name}.gz")
    ROWS.to_feather(tmp_path / "t.feather")
    check(tmp_path / "t.feather")
    ROWS.assign(votes=pd.Categorical(ROWS["votes"])).to_feather(tmp_path / "coded.feather")  # a category of numbers
    check(tmp_path / "coded.feather")
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", text_of(ROWS, ","))
    check(tmp_path / "t.zip")


def test_old_letters_are_read_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_bytes("id_str,name\n1,Méchain\n".encode("latin-1"))
    assert read_table(tmp_path / "t.csv")["name"].tolist() == ["Méchain"]
    assert "is not UTF-8" in caplog.text
    late = "id_str,name\n" + "1,abcdefghij\n" * 100_000 + "2,Méchain\n"
    (tmp_path / "late.csv").write_bytes(late.encode("latin-1"))  # beyond what is looked at
    assert read_table(tmp_path / "late.csv")["name"].iloc[-1] == "Méchain"


def test_what_is_missing_and_what_is_a_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    columns = {
        "id_str": ["NA", "null", "3"],
        "kind": ["nan", "", "a"],
        "x": ["1.5", "nan", ""],
        "n": ["7", "NA", "--"],
        "code": ["007", "12", "3"],
        "long": ["123456789012345678901", "1", "2"],
        "hex": ["0x1F", "2", "3"],
        "truth": ["TRUE", "False", "true"],
        "when": ["2020-01-01", "12:00:00", ""],
    }
    pd.DataFrame(columns).to_csv(tmp_path / "t.csv", index=False)
    with caplog.at_level(logging.INFO):
        table = read_table(tmp_path / "t.csv")
    assert table["id_str"].tolist() == columns["id_str"]
    assert table["kind"].fillna("missing").tolist() == ["nan", "missing", "a"]
    np.testing.assert_array_equal(table["x"], [1.5, np.nan, np.nan])
    assert table["n"].fillna(-1).tolist() == [7, -1, -1]
    assert pd.api.types.is_integer_dtype(table["n"])
    for name in ("code", "long", "hex"):
        assert table[name].tolist() == columns[name]
    assert table["truth"].tolist() == [True, False, True]
    assert table["when"].fillna("").tolist() == columns["when"]
    assert "--, NA among numbers is a missing value (in n)" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("946133,spiral\n946168,None\n", r"no header: its first line is '946133,spiral', 2 values apart by commas"),
        ("1.5 2.5\n", "no header: .* apart by blanks"),
        (
            "id_str,kind\na,b\nc\n",
            r"a row has 1 values where 2 columns are \(2 columns apart by commas: id_str, kind\)",
        ),
        ("id_str;kind\na;b;c\n", "has 3 values where 2 columns are"),
        ("id kind\nNGC 1 spiral\n", "has 3 values where 2 columns are"),
        ("<!DOCTYPE html>\n<p>Log in</p>\n", "page of the web"),
        ('{"id_str": 1}\n', "JSON"),
        ("id_str,kind\n", "no rows"),
        ("# only remarks\n", "no rows"),
        ("", "is empty"),
        ("id_str,x\n5.877E+17,1\n", r"the id 5.877E\+17 of column 'id_str' was saved as a rounded number"),
        ("objid,x\n587722981736120347.000,1\n", "rounded number"),
        ("objid,x\n1237648720693755918,1\n5.877E+17,1\n", r"the id 5.877E\+17 .*\(1 such rows\)"),
    ],
)
def test_a_table_that_can_not_be_read_is_refused_with_what_was_seen(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CatalogError, match=says) as caught:
        read_table(tmp_path / "t.csv")
    assert "\n" not in str(caught.value)


def test_archives_and_other_kinds_are_refused(tmp_path: Path) -> None:
    for members, says in ((["a.csv", "b.csv"], "holds 2 files"), (["xl/workbook.xml"], "spreadsheet")):
        with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
            for name in members:
                archive.writestr(name, "x")
        with pytest.raises(CatalogError, match=says):
            read_table(tmp_path / "t.zip")
    for name in ("a.csv", "b.TSV", "c.csv.gz", "d.parquet", "e.ecsv", "f.feather", "g.xml", "h.txt.bz2"):
        assert is_table(Path(name))
    assert not is_table(Path("a.jpg"))


# --- ids and indices


@given(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_whole_ids_are_exact_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], signed: bool
) -> None:
    folder, kind = tmp_path_factory.mktemp("ids"), np.int64 if signed else np.uint64
    numbers = np.array([i % 2**63 * (1 if i > 0 else -1) if signed else i % 2**64 for i in ids], dtype=kind)
    frame = pd.DataFrame({"objid": numbers, "x": 1})
    frame.to_parquet(folder / "t.parquet")
    frame.to_csv(folder / "t.csv", index=False)
    Table.from_pandas(frame).write(folder / "t.fits")
    for name in ("t.parquet", "t.csv", "t.fits"):
        assert read_table(folder / name)["objid"].tolist() == [str(i) for i in numbers], name


def test_ids_beside_missing_ones_keep_their_digits(tmp_path: Path) -> None:
    big = 587722981736120347
    pq.write_table(pa.table({"objid": pa.array([big, None]), "n": pa.array([big, None])}), tmp_path / "t.parquet")
    Table({"objid": MaskedColumn([big, 0], mask=[False, True])}).write(tmp_path / "t.fits")
    for name in ("t.parquet", "t.fits"):
        table = read_table(tmp_path / name)
        assert table["objid"].iloc[0] == str(big)
        assert pd.isna(table["objid"].iloc[1])
    assert read_table(tmp_path / "t.parquet")["n"].iloc[0] == big


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("ending", ["parquet", "fits", "csv"])
def test_ids_that_were_rounded_are_refused(tmp_path: Path, kind: type, ending: str) -> None:
    frame = pd.DataFrame({"objid": np.array([5.877e17, 5.878e17], dtype=kind)})
    path = tmp_path / f"t.{ending}"
    if ending == "fits":
        Table.from_pandas(frame).write(path)
    else:
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    with pytest.raises(CatalogError, match=r"rounded number.*save the ids as text or integers"):
        read_table(path)


def test_floats_that_hold_whole_ids_are_ids() -> None:
    assert id_text(pd.Series([2.0**53 - 1, 7.0])).tolist() == ["9007199254740991", "7"]
    assert id_text(pd.Series(["7.0", "2E5", "J1.5e3"])).tolist() == ["7.0", "2E5", "J1.5e3"]
    with pytest.raises(CatalogError, match="rounded"):
        id_text(pd.Series([2.0**53]))
    with pytest.raises(CatalogError, match="rounded"):
        id_text(pd.Series(np.float32([2**24])))


def test_a_rounded_number_beside_the_id_is_only_a_number(tmp_path: Path) -> None:
    pd.DataFrame({"id_str": ["a"], "objid": [5.877e17]}).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")["objid"].tolist() == [5.877e17]
    with pytest.raises(CatalogError, match="rounded"):
        read_table(tmp_path / "t.parquet", ids=["objid"])


def test_an_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id_str": ["0", "b", "c"], "x": [1, 2, 3]})
    frame.set_index("id_str").to_parquet(tmp_path / "named.parquet")
    assert read_table(tmp_path / "named.parquet").to_dict("list") == frame.to_dict("list")
    frame[frame["x"] > 1].to_parquet(tmp_path / "filtered.parquet")
    assert read_table(tmp_path / "filtered.parquet").columns.tolist() == ["id_str", "x"]
    frame.set_index(["id_str", "x"]).assign(y=1).to_parquet(tmp_path / "two.parquet")
    assert read_table(tmp_path / "two.parquet").columns.tolist() == ["id_str", "x", "y"]
    frame[["x"]].rename_axis("id_str").to_parquet(tmp_path / "counted.parquet")
    assert read_table(tmp_path / "counted.parquet")["id_str"].tolist() == ["0", "1", "2"]
    frame[["x"]].set_axis(["p", "q", "r"]).to_parquet(tmp_path / "unnamed.parquet")
    assert read_table(tmp_path / "unnamed.parquet")["index"].tolist() == ["p", "q", "r"]


def test_codes_of_named_classes_are_their_names(tmp_path: Path) -> None:
    features = {"kind": {"names": ["b", "a", "None"], "_type": "ClassLabel"}, "x": {"dtype": "int64", "_type": "Value"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"kind": pa.array([0, 1, 2, -1, None]), "x": pa.array([0, 1, 2, 3, 4])})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    back = read_table(tmp_path / "t.parquet")
    assert back["kind"].fillna("missing").tolist() == ["b", "a", "None", "missing", "missing"]
    assert back["x"].tolist() == [0, 1, 2, 3, 4]
    wrong = table.set_column(0, "kind", pa.array([0, 1, 2, 3, 4])).replace_schema_metadata(metadata)
    pq.write_table(wrong, tmp_path / "t.parquet")
    with pytest.raises(CatalogError, match="'kind' holds the code 4, but names 3 classes"):
        read_table(tmp_path / "t.parquet")


def test_categories_bytes_and_decimals_are_plain(tmp_path: Path) -> None:
    columns = {
        "kind": pa.array(["a", "b", None]).dictionary_encode(),
        "name": pa.array([b"x", b"y", b"z"]),
        "objid": pa.array([1, 2, 3], pa.decimal128(20, 0)),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    back = read_table(tmp_path / "t.parquet")
    assert back["kind"].fillna("").tolist() == ["a", "b", ""]
    assert back["name"].tolist() == ["x", "y", "z"]
    assert back["objid"].tolist() == ["1", "2", "3"]


def test_several_tables_in_one_file_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from astropy.io import fits

    units = [fits.BinTableHDU(Table({"id_str": [name]}), name=name) for name in ("FIRST", "OTHER")]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "t.fits")
    assert read_table(tmp_path / "t.fits")["id_str"].tolist() == ["FIRST"]
    assert "holds 2 tables (FIRST, OTHER); the first is read" in caplog.text
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    with pytest.raises(CatalogError, match="holds no table, only images"):
        read_table(tmp_path / "image.fits")


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits", "vot", "ecsv"])
def test_hundreds_of_columns_warn_of_nothing(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"OBJID": ["a", "b"], **{f"c{i}": [i, i + 0.5] for i in range(300)}})
    path = tmp_path / f"t.{ending}"
    if ending in ("csv", "parquet"):
        getattr(frame, f"to_{ending}")(path, index=False)
    else:
        table = Table.from_pandas(frame)
        table["c1"].unit = "counts"
        with warnings.catch_warnings(action="ignore"):
            table.write(path, **({"format": "votable"} if ending == "vot" else {}))
    table = read_table(path)  # warnings are errors here
    assert table.assign(id_str=table["OBJID"]).shape == (2, 302)


@pytest.mark.parametrize(
    ("start", "encoding"),
    [
        (b"a,b\n", "utf-8"),
        ("a,\u00e9\n".encode(), "utf-8"),
        ("a,\u00e9".encode()[:-1], "utf-8"),  # cut within a letter
        (b"a,\xe9\n", "cp1252"),
        ("\ufeffa".encode(), "utf-8-sig"),
        ("\ufeffa".encode("utf-16-le"), "utf-16"),
        ("\ufeffa".encode("utf-16-be"), "utf-16"),
        ("\ufeffa".encode("utf-32-le"), "utf-32"),
        ("\ufeffa".encode("utf-32-be"), "utf-32"),
        ("a,".encode("utf-16-le"), "utf-16-le"),
        ("a,".encode("utf-16-be"), "utf-16-be"),
        (("a,b\n" * 40).encode("utf-16-le") + "\u4e00".encode("utf-16-le"), "utf-16-le"),
        (b"a\0", None),
        (b"a\0\0b", None),
        (b"a,b\0c", None),
    ],
)
def test_the_encoding_is_seen_from_the_first_bytes(start: bytes, encoding: str | None) -> None:
    if encoding is None:
        with pytest.raises(CatalogError, match="holds zero bytes"):
            encoding_of(start, "t")
    else:
        assert encoding_of(start, "t") == encoding


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("a,b\n1,2", Layout(",", ("a", "b"), 1, comments=False)),
        ("\n\na;b\r\n1;2\r\n", Layout(";", ("a", "b"), 3, comments=False)),
        ("a\tb\n1\t2", Layout("\t", ("a", "b"), 1, comments=False)),
        ("a  b\n1 \t2", Layout(" ", ("a", "b"), 1, comments=False)),
        ("a", Layout(",", ("a",), 1, comments=False)),
        ("a,b;c\n1,2,3;4", Layout(";", ("a,b", "c"), 1, comments=False)),  # each line in as many as the header
        ("a,b;c\n\n1,2,3;4", Layout(";", ("a,b", "c"), 1, comments=False)),
        ("a b,c\n1 2 3,4", Layout(",", ("a b", "c"), 1, comments=False)),
        ("a;b;c,d\n1;2;3,4", Layout(";", ("a", "b", "c,d"), 1, comments=False)),  # most fields
        ("a b c,d\n1 2 3,4", Layout(",", ("a b c", "d"), 1, comments=False)),  # blanks come last
        ('"a, b",c\n"1, 2",3', Layout(",", ("a, b", "c"), 1, comments=False)),
        ("a,b\n1,2,\n3,4,", Layout(",", ("a", "b", ""), 1, comments=False)),  # a separator at the end
        ("a,a,b,a\n1,2,3,4", Layout(",", ("a", "a.1", "b", "a.2"), 1, comments=False)),
        ("a|b\n--|--\n1|2", Layout("|", ("a", "b"), 2, comments=False)),  # a rule
        ("a|b\nmag|deg\n---|---\n1|2", Layout("|", ("a", "b"), 3, comments=False)),  # units before it
        ("a|b\n1|2\n3|4\n--|--", Layout("|", ("a", "b"), 1, comments=False)),
        ("# by hand\na,b\n1,2\n#3,4", Layout(",", ("a", "b"), 2, comments=True)),
        ("# by hand\n# objid x\n1 2\n3 4", Layout(" ", ("objid", "x"), 2, comments=True)),
        ("% x y\n1 2", Layout(" ", ("x", "y"), 1, comments=True)),
        ("# x y\nra n\n1 2", Layout(" ", ("ra", "n"), 2, comments=True)),
        ("# x y z\na b\n1 2", Layout(" ", ("a", "b"), 2, comments=True)),
        ("# x y\na b\n1 2", Layout(" ", ("a", "b"), 2, comments=True)),
        ("# ra n\na b\n1 2", Layout(" ", ("ra", "n"), 1, comments=True)),
        ("nan,b\n1,2", Layout(",", ("nan", "b"), 1, comments=False)),
        ("ra,2\n1,2", Layout(",", ("ra", "2"), 1, comments=False)),  # beside a name that is known
    ],
)
def test_the_layout_is_seen_from_the_first_lines(text: str, layout: Layout) -> None:
    assert layout_of(text, "t") == layout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no rows"),
        ("# a\n\n", "has no rows"),
        ("a,2\n1,2", "has no header: its first line is 'a,2', 2 values apart by commas"),
        ("  <!DOCTYPE html>", "is a page of the web"),
        ("<VOTABLE>", "XML, no table"),
        ('[{"a": 1}]', "is JSON"),
    ],
)
def test_what_has_no_layout_is_refused(text: str, says: str) -> None:
    with pytest.raises(CatalogError, match=says):
        layout_of(text, "t")


@pytest.mark.parametrize(
    ("cells", "values", "words"),
    [
        (["1", "-2", None], [1, -2, None], []),
        (["18446744073709551615"], [2**64 - 1], []),
        (["1", "2.5"], [1.0, 2.5], []),
        (["1e20", "1"], [1e20, 1.0], []),
        (["+5", "1"], [5.0, 1.0], []),
        (["007", "1"], None, []),
        (["-07"], None, []),
        (["0", "10"], [0, 10], []),
        (["0x1F"], None, []),
        (["12345678901234567890123"], None, []),
        (["99999999999999999", "1.5"], None, []),
        (["9999999999999999", "1.5"], [9999999999999999.0, 1.5], []),
        (["true", "FALSE", None], [True, False, None], []),
        (["true", "yes"], None, []),
        (["1", "N/A", "-", "N/A"], [1, None, None, None], ["N/A", "-"]),
        (["NaN", "1.5", "null"], [None, 1.5, None], ["null"]),
        (["-", "x"], None, []),
        (["-", None], None, []),
        ([None, None], [None, None], []),
        (["1,5", "2"], None, []),
    ],
)
def test_what_cells_of_text_are(cells: list[str | None], values: list[object] | None, words: list[str]) -> None:
    found, said = typed(pa.chunked_array([cells], pa.string()))
    assert (found.to_pylist(), said) == (cells if values is None else values, words)
    kinds = {type(value) for value in found.to_pylist()} - {type(None)}
    assert kinds == {type(value) for value in (cells if values is None else values)} - {type(None)}
    if None not in cells:
        assert typed(pa.chunked_array([cells, [None]], pa.string()))[0].to_pylist()[:-1] == found.to_pylist()


def test_a_comma_is_a_point_where_that_is_said() -> None:
    for cells, values in (
        (["1,5", "2", "-3,25e1"], [1.5, 2.0, -32.5]),
        (["+1,5", "2"], [1.5, 2.0]),
        (["1,5", "x"], ["1,5", "x"]),
        (["1,5,2"], ["1,5,2"]),
    ):
        assert typed(pa.chunked_array([cells]), decimal_comma=True)[0].to_pylist() == values


def test_ids_with_leading_zeros_are_no_whole_numbers(tmp_path: Path) -> None:
    """Written as such they would lose the zeros."""
    (tmp_path / "zeros.csv").write_text("id_str,x\n007,1\n008,2\n")
    (tmp_path / "whole.csv").write_text("id_str,x\n7,1\n8,2\n")
    assert read_table(tmp_path / "zeros.csv").attrs[STORED] == {}
    assert read_table(tmp_path / "whole.csv").attrs[STORED] == {"id_str": "int64"}
    assert list(read_table(tmp_path / "zeros.csv")["id_str"]) == ["007", "008"]
