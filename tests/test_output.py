"""The catalogue comes back: its columns, types, meanings and origin, in every format, and through `evaluate` again."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.io import fits
from astropy.io.votable import parse, validate
from astropy.io.votable.ucd import parse_ucd
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuningfork.catalogs import About, Fact, Origin, about, column, write_parts
from tuningfork.cli.app import build
from tuningfork.errors import CatalogError, ImageError
from tuningfork.files import sha256
from tuningfork.images import Decoded
from tuningfork.inference import calibrate, embed, predict
from tuningfork.inference.carried import join
from tuningfork.inference.described import FILE, ID, names, remarks, table_of
from tuningfork.models import load_model
from tuningfork.report import write_report

ENDINGS = ("parquet", "csv", "fits", "vot")


def run(*arguments: object) -> str:
    """All that the command says; its warnings are errors."""
    done = CliRunner().invoke(build(), [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def calibrated(model: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, which says how sure it is."""
    folder = tmp_path_factory.mktemp("calibrated") / "model"
    shutil.copytree(model, folder)
    calibrate(folder, pack, split="all")
    return folder


@pytest.fixture(scope="module")
def catalogue(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight galaxies with columns of every kind; one has no image."""
    folder = tmp_path_factory.mktemp("catalogue")
    labels = pd.read_parquet(galaxies).iloc[:8]
    places = [str(galaxies.parent / name) for name in labels["file_loc"]]
    whole = [2**53 + 1, None, -(2**63) + 1, 2**63 - 1, 0, 1, 2, 3]
    columns = {
        "objid": pa.array([587722984435351614 + row for row in range(8)], pa.int64()),
        "file_loc": pa.array([*places[:7], "gone.jpg"]),
        "RA": pa.array([179.5 + row for row in range(8)], pa.float64()),
        "DEC": pa.array([-0.5] * 8, pa.float64()),
        "z": pa.array([0.01, None, *[0.3] * 6], pa.float32()),
        "n": pa.array(whole, pa.int64()),
        "seen": pa.array([True, None, *[False] * 6], pa.bool_()),
        "observer": pa.array(["Zwicky", None, "Ångström", "Čapek", "中", "é", 'a,b"c', "d"]),
        "Note": pa.array(["mine"] * 8),
        "Class1.1": pa.array(labels["Class1.1"], pa.float64()),
        "nothing": pa.nulls(8),
    }
    pq.write_table(pa.table(columns), folder / "catalogue.parquet")
    return folder / "catalogue.parquet"


@pytest.fixture(scope="module")
def predicted(catalogue: Path, calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The predictions of that catalogue in every format."""
    folder = tmp_path_factory.mktemp("predicted")
    for ending in ENDINGS:
        run("predict", catalogue, folder / f"out.{ending}", "--model", calibrated, "--device", "cpu")
    return folder


def test_what_is_kept_under_another_name_is_said(
    catalogue: Path, calibrated: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tuningfork"):
        run("predict", catalogue, tmp_path / "out.csv", "--model", calibrated, "--device", "cpu")
    assert "kept as <name>_catalogue" in caplog.text


def test_the_columns_of_the_catalogue_come_back_with_their_types(predicted: Path, catalogue: Path) -> None:
    out, given = pq.read_table(predicted / "out.parquet"), pq.read_table(catalogue)
    assert out["id_str"].to_pylist() == [str(identity) for identity in given["objid"].to_pylist()]
    assert out.column_names[:2] == ["id_str", "file_loc"]  # the catalogue has positions: not ours beside them
    assert out.column_names[-10:] == [
        *("objid", "RA", "DEC", "z", "n", "seen", "observer", "Note_catalogue", "Class1.1", "nothing")
    ]
    for name in given.column_names:
        if name not in ("file_loc", "nothing"):
            found = out[name if name in out.column_names else f"{name}_catalogue"]
            assert found.type == given[name].type, name
            assert found.to_pylist() == given[name].to_pylist(), name
    assert out["nothing"].type == pa.string()
    assert out["error"].null_count == 7
    assert out["ood"].null_count == 1


@pytest.mark.parametrize("ending", ["parquet", "vot", "fits"])
def test_every_column_is_described(predicted: Path, ending: str) -> None:
    table = pq.read_schema(predicted / "out.parquet")
    written = {entry.name: (entry.type, about(entry)) for entry in table}
    if ending == "vot":
        fields = parse(predicted / "out.vot", verify="exception").get_first_table().fields
        written = {f.name: (None, About(f.description, str(f.unit or ""), f.ucd or "")) for f in fields}
    elif ending == "fits":
        header = fits.getheader(predicted / "out.fits", 1)
        written = {
            header[f"TTYPE{i}"]: (None, About(*(header.get(f"{key}{i}", "") for key in ("TCOMM", "TUNIT", "TUCD"))))
            for i in range(1, header["TFIELDS"] + 1)
        }
    assert list(written) == table.names
    for name, (_, said) in written.items():
        assert said.description, name
        units.Unit(said.unit, parse_strict="raise")
        if name not in ("objid", "z", "n", "seen", "observer", "Note_catalogue", "Class1.1", "nothing"):
            parse_ucd(said.ucd, check_controlled_vocabulary=True)
    assert written["RA"][1].unit == "deg"
    assert written["RA"][1].ucd == "pos.eq.ra;meta.main"
    assert written["id_str"][1].ucd == "meta.id;meta.main"
    assert "smooth" in written["smooth_or_featured_smooth"][1].description


def test_what_made_it_stands_in_it(predicted: Path, calibrated: Path) -> None:
    digest = sha256(calibrated / "model.json")
    manifest = json.loads(pq.read_schema(predicted / "out.parquet").metadata[b"tuningfork"])
    assert (manifest["format"], manifest["version"], manifest["n"]) == ("tuningfork-predictions", 1, 8)
    assert manifest["inputs"]["model"]["manifest"] == digest
    assert manifest["inputs"]["model"]["sha256"]["model.safetensors"] == sha256(calibrated / "model.safetensors")
    header = fits.getheader(predicted / "out.fits", 1)
    assert (header["TFMODEL"], header["TFHASH"]) == (str(calibrated), digest)
    assert header["TFVERS"].startswith("tuningfork ")
    facts = {info.name: info.value for info in parse(predicted / "out.vot").resources[0].infos}
    assert (facts["model"], facts["model_sha256"]) == (str(calibrated), digest)
    assert validate(predicted / "out.vot", output=None)


def test_types_do_not_depend_on_the_images(galaxies: Path, calibrated: Path, tmp_path: Path) -> None:
    """All bad, some bad, none bad, a position or none: two outputs can always be put together."""
    good = sorted((galaxies.parent / "images").glob("*.jpg"))[:2]
    for name, bad in (("good", 0), ("some", 1), ("all", 2)):
        (tmp_path / name).mkdir()
        for row, path in enumerate(good):
            (tmp_path / name / path.name).write_bytes(path.read_bytes() if row >= bad else b"no image")
    for ending, schema in (("parquet", pq.read_schema), ("vot", _fields), ("fits", _forms)):
        types = []
        for name in ("good", "some", "all"):
            with suppress(ImageError):  # that none could be read; the table is written all the same
                predict(tmp_path / name, tmp_path / f"{name}.{ending}", model=calibrated, device="cpu")
            types.append(schema(tmp_path / f"{name}.{ending}"))
        assert types[0] == types[1] == types[2]
    both = pa.concat_tables(pq.read_table(tmp_path / f"{name}.parquet") for name in ("good", "all"))
    assert both.schema.field("ra").type == pa.float64()
    assert both["ood"].to_pylist()[2:] == [None, None]
    frame = pd.read_parquet(tmp_path / "some.parquet")
    assert str(frame["ood"].dtype) == "boolean"


def _fields(path: Path) -> list[tuple[str, str]]:
    return [(entry.name, entry.datatype) for entry in parse(path).get_first_table().fields]


def _forms(path: Path) -> list[tuple[str, str]]:
    """The names and types of columns; the width of text alone may differ."""
    with fits.open(path) as file:
        return [(entry.name, entry.format.lstrip("0123456789")) for entry in file[1].columns]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_circle_through_evaluate(galaxies: Path, predicted: Path, tmp_path: Path, ending: str) -> None:
    """Predictions with the catalogue's columns are measured as those without, whatever the format."""
    ids = pq.read_table(predicted / "out.parquet")["id_str"].to_pylist()
    labels = pd.read_parquet(galaxies).iloc[:8].assign(id_str=ids)
    labels.to_parquet(tmp_path / "labels.parquet")
    figures = []
    for name in dict.fromkeys(("parquet", ending)):
        options = ("--schema", "gz-challenge", "--schema", "five-classes")
        run("evaluate", predicted / f"out.{name}", tmp_path / "labels.parquet", tmp_path / name, *options)
        evaluation = json.loads((tmp_path / name / "evaluation.json").read_text())
        assert evaluation["n"]["evaluated"] == 7
        figures.append({schema: found["figures"] for schema, found in evaluation["schemas"].items()})
    for schema, found in figures[-1].items():
        for key, figure in found.items():
            assert figure["value"] == pytest.approx(figures[0][schema][key]["value"], rel=1e-5, abs=1e-6), key
    page = write_report([predicted / f"out.{ending}"], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Zwicky" not in page
    assert "gone.jpg" in page


def test_an_embedding_carries_them_too(catalogue: Path, model: Path, tmp_path: Path) -> None:
    out = pq.read_table(embed(catalogue, tmp_path / "e.parquet", model=model, maps=[], device="cpu"))
    given = pq.read_table(catalogue)
    for name in ("RA", "n", "seen", "observer", "z"):
        assert out[name].equals(given[name]), name
    assert all(about(entry).description for entry in out.schema)
    assert "ra" not in out.column_names


def test_a_folder_of_parts_holds_them_all(
    catalogue: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr("tuningfork.inference.shards.BATCH", 2)
    monkeypatch.setattr("tuningfork.inference.shards.ROWS_A_SHARD", 4)
    whole = pq.read_table(predict(catalogue, tmp_path / "out.parquet", model=model, device="cpu"))
    folder = predict(catalogue, tmp_path / "out", model=model, device="cpu")
    parts = sorted(folder.iterdir())
    assert len(parts) == 2
    assert pa.concat_tables(map(pq.read_table, parts)).equals(whole)
    assert b"tuningfork" in pq.read_schema(parts[0]).metadata


def test_a_position_on_the_sky_comes_from_the_image(tmp_path: Path) -> None:
    seen = [Decoded("a", "a.fits", np.zeros((4, 4, 3), np.uint8), sky=(10.5, -3.0)), Decoded("b", "b.jpg", None, "no")]
    pq.write_table(table_of([*names(seen), *remarks(seen)]), tmp_path / "0.parquet")
    without = join([tmp_path / "0.parquet"], pd.DataFrame({"id_str": ["a", "b"], "file_loc": ["a.fits", "b.jpg"]}))
    (table,) = without
    assert table["ra"].to_pylist() == [10.5, None]
    assert table["dec"].to_pylist() == [-3.0, None]
    placed = pd.DataFrame({"id_str": ["a", "b"], "file_loc": ["a", "b"], "ra": [1.0, 2.0], "dec": [3.0, 4.0]})
    (table,) = join([tmp_path / "0.parquet"], placed)
    assert table["ra"].to_pylist() == [1.0, 2.0]
    assert table.column_names.count("ra") == 1


@given(
    names=st.lists(st.sampled_from(["x", "X", "note", "Note", "note_catalogue", "error", "ID_STR", "é"]), unique=True)
)
@settings(max_examples=40, deadline=None)
def test_no_column_is_lost_or_stands_twice(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("clash")
    batch = [Decoded("a", "a", None, "no")]
    pq.write_table(table_of(remarks(batch)), folder / "0.parquet")
    (table,) = join([folder / "0.parquet"], pd.DataFrame({name: [name] for name in names}))
    assert len({name.casefold() for name in table.column_names}) == 4 + len(names)
    values = [table[name].to_pylist()[0] for name in table.column_names[4:]]
    assert values == names


FACT = Fact("model", "TFMODEL", "é" * 99, "The model")
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
WHOLE = st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**63 - 1, 0])
SHORT = st.none() | st.integers(-(2**15), 2**15 - 1) | st.just(-(2**15))
REAL = st.none() | st.floats(width=64) | st.sampled_from([np.nan, np.inf, -np.inf, 5e-324, -0.0])
ROWS = st.lists(st.tuples(TEXTS, WHOLE, SHORT, REAL, st.none() | st.booleans()), max_size=5)


def _written(rows: list[tuple[object, ...]], path: Path) -> pa.Table:
    kinds = {"tëxt.1": pa.string(), "whole": pa.int64(), "short": pa.int16(), "real": pa.float64(), "true": pa.bool_()}
    schema = pa.schema([column(name, kind, About(f"the {name}", "deg")) for name, kind in kinds.items()])
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    table = pa.Table.from_arrays([pa.array(v, k) for v, k in zip(columns, kinds.values(), strict=True)], schema=schema)
    half = len(rows) // 2
    write_parts(schema, [table.slice(0, half), table.slice(half)], path, Origin({"a": 1}, (FACT,)))
    return table


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_parquet_gives_everything_back(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    table = _written(rows, path)
    assert str(pq.read_table(path).to_pydict()) == str(table.to_pydict())
    frame = pd.read_parquet(path)
    assert [str(kind) for kind in frame.dtypes] == ["str", "Int64", "Int16", "float64", "boolean"]
    assert [None if pd.isna(v) else int(v) for v in frame["whole"]] == table["whole"].to_pylist()


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_astropy_reads_the_same_from_fits(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("fits") / "t.fits"
    table = _written(rows, path).to_pydict()
    with fits.open(path, logical_as_bytes=True) as file:
        file.verify("exception")
        unit = file[1]
        assert len(path.read_bytes()) % 2880 == 0
        assert [name.encode().decode("unicode_escape") for name in unit.columns.names] == list(table)
        raw, null = unit.data, [entry.null for entry in unit.columns]
        texts = [bytes(text).rstrip(b"\0 ").decode() for text in raw.base[raw.base.dtype.names[0]]] if rows else []
        expected = [(text or "").replace("\0", r"\x00").rstrip(" ") for text in table["tëxt.1"]]
        assert texts == expected
        for place, name in ((1, "whole"), (2, "short")):
            values = [None if value == null[place] else int(value) for value in (raw.field(place) if rows else [])]
            assert values == table[name]
        np.testing.assert_array_equal(raw.field(3), np.array(table["real"], dtype=float))
        truth = {b"T": True, b"F": False, b"": None, b"\0": None}
        assert [truth[bytes(value)] for value in raw.field(4)] == table["true"]


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_astropy_reads_the_same_from_votables(
    rows: list[tuple[object, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("votable") / "t.vot"
    table = _written(rows, path).to_pydict()
    found = parse(path, verify="exception").get_first_table()
    assert [entry.name for entry in found.fields] == list(table)
    back = found.to_table(use_names_over_ids=True)
    for name in ("whole", "short", "true"):
        assert [None if value is np.ma.masked else value for value in back[name].tolist()] == table[name]
    np.testing.assert_array_equal(
        np.ma.filled(np.ma.asarray(back["real"]), np.nan), np.array(table["real"], dtype=float)
    )
    for text, given_text in zip(back["tëxt.1"], table["tëxt.1"], strict=True):
        assert str(text).strip() == "".join(_in_xml(given_text or "")).strip()


def _in_xml(text: str) -> Iterator[str]:
    for letter in text:
        allowed = letter in "\t\n\r" or (ord(letter) >= 0x20 and letter not in "\ufffe\uffff")
        yield letter if allowed else ascii(letter)[1:-1]


def test_columns_that_a_format_cannot_hold_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = pa.table({"id_str": ["a"], "vector": [[1.0, 2.0]], "large": pa.array([2**64 - 1], pa.uint64())})
    for ending in ("csv", "fits", "vot"):
        caplog.clear()
        write_parts(table.schema, [table], tmp_path / f"t.{ending}")
        assert "left out vector" in caplog.text
        assert str(2**64 - 1) in (tmp_path / f"t.{ending}").read_bytes().decode("latin-1")
    wide = pa.table({f"c{i}": [1] for i in range(1000)})
    with pytest.raises(CatalogError, match=r"write \.parquet"):
        write_parts(wide.schema, [wide], tmp_path / "wide.fits")


def test_the_columns_of_a_pack_come_back(pack: Path, model: Path, tmp_path: Path) -> None:
    out = pq.read_table(predict(pack, tmp_path / "out.parquet", model=model, device="cpu"))
    stored = pq.read_table(pack / "catalog.parquet")
    assert out["split"].to_pylist() == stored["split"].to_pylist()
    assert out["five_class_catalogue"].to_pylist() == stored["five_class"].to_pylist()
    assert [ID.name, FILE.name] == [name for name in out.column_names if name in (ID.name, FILE.name)]
    assert load_model(model).schemas[0].columns[0] in out.column_names


@pytest.mark.parametrize("ending", ["fits", "vot"])
def test_units_and_missing_values_of_a_catalogue_come_back(
    galaxies: Path, model: Path, tmp_path: Path, ending: str
) -> None:
    """What the user's own FITS or VOTable says of its columns is carried, and names of any alphabet are."""
    place = str(galaxies.parent / "images" / "g0000.jpg")
    kinds = {"objid": pa.int64(), "file_loc": pa.string(), "größe": pa.float32(), "seen": pa.bool_()}
    schema = pa.schema([column(name, kind, About(f"my {name}", "")) for name, kind in kinds.items()])
    schema = schema.set(2, column("größe", pa.float32(), About("how large", "arcsec", "phys.angSize")))
    values = ([2**60 + 1, 7], [place, place], [1.5, None], [True, None])
    table = pa.Table.from_arrays([pa.array(v, k) for v, k in zip(values, kinds.values(), strict=True)], schema=schema)
    write_parts(schema, [table], tmp_path / f"in.{ending}")
    out = pq.read_table(predict(tmp_path / f"in.{ending}", tmp_path / "out.parquet", model=model, device="cpu"))
    for name in ("objid", "größe", "seen"):
        assert out[name].type == kinds[name]
        assert out[name].to_pylist() == table[name].to_pylist()
    assert about(out.schema.field("größe")) == About("how large", "arcsec", "phys.angSize")


@pytest.mark.parametrize(("first", "kind"), [("1237648720693755918", pa.int64()), ("0012", pa.string())])
def test_ids_of_text_files_are_numbers_where_they_are_written_so(
    galaxies: Path, model: Path, tmp_path: Path, first: str, kind: pa.DataType
) -> None:
    place = galaxies.parent / "images" / "g0000.jpg"
    (tmp_path / "in.csv").write_text(f"objid,file_loc,v\n{first},{place},1\n12,{place},\n")
    out = pq.read_table(predict(tmp_path / "in.csv", tmp_path / "out.parquet", model=model, device="cpu"))
    assert out["id_str"].to_pylist() == [first, "12"]
    assert out["objid"].type == kind
    assert out["objid"].cast(pa.string()).to_pylist() == [first, "12"]
    assert out["v"].to_pylist() == [1, None]
