"""What is a galaxy among the files that people have: bands, companions, links, folders, tables; and what is said."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import CatalogError, ImageError, OutputError, TuningforkError
from tuningfork.images import BandFiles, Geometry, Reading, Survey, decode_stream
from tuningfork.sources import ImageOptions, introduce, open_source, refuse_output
from tuningfork.sources.files import braced
from tuningfork.sources.names import ids_of_names, image_ending, without_ending


def touch(folder: Path, *names: str) -> Path:
    """Files whose bytes are their names; a FITS file is one."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def options(bands: str = "", **others: str) -> ImageOptions:
    return ImageOptions(reading=Reading(stated=Survey(bands=tuple(bands))), **others)


def galaxies(source: str | Path, said: ImageOptions | None = None) -> dict[str, object]:
    """The id of each galaxy and what it loads: the name of a file, of each band, or why not."""
    found: dict[str, object] = {}
    for item in open_source(source, said).items():
        try:
            loaded = item.load()
        except ImageError as error:
            found[item.id_str] = str(error)
            continue
        if isinstance(loaded, BandFiles):
            found[item.id_str] = {band: data.decode() for band, data in loaded.files}
        else:
            assert isinstance(loaded, bytes)
            found[item.id_str] = loaded.decode() + (f"[{item.hdu}]" if item.hdu else "")
    return found


def introduced(source: str | Path, said: ImageOptions | None = None) -> str:
    return introduce(open_source(source, said))


# --- names


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("J1.0.jpg", "J1.0"),
        ("J1.0", "J1.0"),
        ("J1.0.fits.fz", "J1.0"),
        ("a.FITS.gz", "a"),
        ("stamp.gz", "stamp"),
        ("J1.0.Z", "J1.0"),
        ("a.webp", "a"),
        ("table.csv.gz", "table.csv.gz"),
        ("images.tar.bz2", "images.tar.bz2"),
    ],
)
def test_an_id_is_the_name_without_the_ending_of_an_image(name: str, identity: str) -> None:
    assert without_ending(name) == identity
    assert bool(image_ending(name)) == (name != identity)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "2", "x.0"])), min_size=1, unique=True))
def test_ids_tell_galaxies_apart_or_are_paths(parts: list[tuple[str, str]]) -> None:
    ids = ids_of_names([f"/data/{folder}/{name}.jpg" for folder, name in parts])
    assert len(set(ids)) == len(parts)
    assert all(name in identity for identity, (_, name) in zip(ids, parts, strict=True))


@given(
    st.lists(st.text("ab", max_size=3), min_size=2, max_size=4), st.text("xa", max_size=3), st.text("xb", max_size=3)
)
def test_names_of_bands_are_written_as_a_shell_does(middles: list[str], start: str, end: str) -> None:
    names = [f"{start}{middle}{end}.fits" for middle in middles]
    before, _, rest = braced(names).partition("{")
    inside, _, after = rest.partition("}")
    assert [f"{before}{part}{after}" for part in inside.split(",")] == names


# --- one file a band


@pytest.mark.parametrize("name", ["NGC1_{}.fits", "NGC1-{}.fits.fz", "NGC1.{}.fit", "NGC1_HSC-{}.fits", "{}_NGC1.fits"])
def test_files_that_differ_by_a_band_are_one_galaxy(name: str, tmp_path: Path) -> None:
    touch(tmp_path, *(name.format(band) for band in "grz"), "other.jpg")
    (galaxy,) = [loaded for loaded in galaxies(tmp_path).values() if isinstance(loaded, dict)]
    assert galaxy == {band: name.format(band) for band in "grz"}
    assert "1 galaxy of one file a band (g, r, z)" in introduced(tmp_path)


def test_a_galaxy_without_a_band_that_others_have_is_an_error_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, *(f"A_{band}.fits" for band in "grz"), *(f"B_{band}.fits" for band in "grz"), "C_r.fits")
    found = galaxies(tmp_path)
    assert list(found) == ["A", "B", "C"]
    assert "band g, " in str(found["C"])
    assert "C_g.fits: cannot be read: No such file" in str(found["C"])


def test_letters_that_may_be_no_bands_are_many_galaxies(tmp_path: Path) -> None:
    touch(tmp_path, "two/tng_1_y.fits", "two/tng_1_z.fits", *(f"many/m_{letter}.fits" for letter in "abcghi"))
    assert list(galaxies(tmp_path / "two")) == ["tng_1_y", "tng_1_z"]
    assert "such as tng_1_{y,z}.fits, are a galaxy each; name the bands with --bands" in introduced(tmp_path / "two")
    assert list(galaxies(tmp_path / "two", options("yz"))) == ["tng_1"]
    assert list(galaxies(tmp_path / "many")) == [f"m_{letter}" for letter in "abcghi"]
    touch(tmp_path, "one/A_r.fits", "one/B_r.fits")
    assert list(galaxies(tmp_path / "one")) == ["A_r", "B_r"]
    assert "a galaxy each" not in introduced(tmp_path / "one")


def test_filters_of_space_telescopes_are_bands(tmp_path: Path) -> None:
    names = ["F606W", "F814W", "F160W"]
    touch(
        tmp_path / "hst", *(f"a_{name}_drz.fits" for name in names), *(f"b_{name.lower()}_drz.fits" for name in names)
    )
    assert galaxies(tmp_path / "hst") == {
        "a_drz": {name: f"a_{name}_drz.fits" for name in names},
        "b_drz": {name: f"b_{name.lower()}_drz.fits" for name in names},
    }
    assert "2 galaxies of one file a band (F606W, F814W, F160W)" in introduced(tmp_path / "hst")
    touch(tmp_path / "alike", "a_F555W.fits", "a_F606W.fits", "a_F814W.fits", "a_F160W.fits")
    assert len(galaxies(tmp_path / "alike")) == 4
    said = ImageOptions(reading=Reading(stated=Survey(bands=("F606W", "F814W", "F160W"))))
    assert list(galaxies(tmp_path / "alike", said)) == ["a"]


def test_bands_that_are_stated_choose_the_files(tmp_path: Path) -> None:
    touch(tmp_path, *(f"A_{band}.fits" for band in "griz"))
    assert galaxies(tmp_path, options("grz")) == {"A": {band: f"A_{band}.fits" for band in "grz"}}
    assert "1 file of band i" in introduced(tmp_path, options("grz"))
    found = galaxies(f"{tmp_path}/*_{{band}}.fits", options("gri"))
    assert found == {"A": {band: f"A_{band}.fits" for band in "gri"}}
    with pytest.raises(CatalogError, match="--bands"):
        open_source(f"{tmp_path}/*_{{band}}.fits")
    with pytest.raises(CatalogError, match="no file matches"):
        open_source(f"{tmp_path}/*-{{band}}.fits", options("gri"))
    touch(tmp_path, "by/g/1.fits", "by/r/1.fits", "by/g/2.fits")
    found = galaxies(f"{tmp_path}/by/{{band}}/*.fits", options("gr"))
    assert found["1"] == {"g": "by/g/1.fits", "r": "by/r/1.fits"}
    assert "by/r/2.fits: cannot be read" in str(found["2"])


def test_a_catalogue_may_have_a_column_a_band(tmp_path: Path) -> None:
    touch(tmp_path, "1g.fits", "1r.fits", "1z.fits")
    table = tmp_path / "c.csv"
    table.write_text("id_str,file_g,file_r,file_z\n1,1g.fits,1r.fits,1z.fits\n2,1g.fits,,1z.fits\n3,,,\n")
    whole = {"g": "1g.fits", "r": "1r.fits", "z": "1z.fits"}
    for said in (None, options("grz"), options("grz", file_column="file_{band}"), options(file_column="file_{band}")):
        found = galaxies(table, said)
        assert found["1"] == whole
        assert found["2"] == "the catalog names no file of band r"
        assert "names no file" in str(found["3"])
    assert galaxies(table, options("gr"))["1"] == {"g": "1g.fits", "r": "1r.fits"}
    with pytest.raises(CatalogError, match="no column 'image_g'"):
        open_source(table, options("grz", file_column="image_{band}"))
    table.write_text("id_str,file_loc\n1,1{band}.fits\n")
    assert galaxies(table, options("grz"))["1"] == whole
    with pytest.raises(CatalogError, match="--bands"):
        open_source(table)
    pd.DataFrame({"id_str": ["1"], "file_loc": [["1g.fits", "1r.fits", "1z.fits"]]}).to_parquet(tmp_path / "c.parquet")
    assert galaxies(tmp_path / "c.parquet", options("grz"))["1"] == whole
    with pytest.raises(CatalogError, match=r"3 files in file_loc; say the band of each with --bands"):
        open_source(tmp_path / "c.parquet")


def test_parts_of_bands_are_read_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *(f"in/{name}_{band}.fits" for name in "AB" for band in "grz"), "in/C.jpg")
    monkeypatch.chdir(tmp_path)
    part = pickle.loads(pickle.dumps(open_source("in").part(1, 3)))
    monkeypatch.chdir("/")
    first, second = part.items()
    assert [band for band, _ in first.load().files] == ["g", "r", "z"]
    assert second.load() == b"in/C.jpg"


def test_the_description_changes_with_the_file_of_any_band(tmp_path: Path) -> None:
    touch(tmp_path, *(f"A_{band}.fits" for band in "grz"))
    before = open_source(tmp_path).describe()
    assert before == open_source(tmp_path).describe()
    (tmp_path / "A_z.fits").write_bytes(b"another")
    assert before != open_source(tmp_path).describe() != open_source(tmp_path, options("gr")).describe()


# --- companions, and several files of one galaxy


def test_companions_are_no_galaxies(tmp_path: Path) -> None:
    kids = [f"kids_G266662{kind}.fits" for kind in ("fitim", "mskim", "segim", "sigma", "psfim")]
    touch(tmp_path / "kids", *kids)
    assert list(galaxies(tmp_path / "kids")) == ["kids_G266662fitim"]
    assert "left out: 1 mask, 1 PSF, 1 segmentation map, 1 noise map" in introduced(tmp_path / "kids")
    touch(tmp_path / "bands", *(f"NGC1_{band}.fits" for band in "grz"), "NGC1_r.weight.fits", "NGC1_mask.fits")
    assert list(galaxies(tmp_path / "bands")) == ["NGC1"]
    bricks = [f"brick-{kind}-{band}.fits.fz" for kind in ("image", "invvar", "nexp") for band in "grz"]
    touch(tmp_path / "brick", *bricks, "brick-maskbits.fits.fz")
    assert galaxies(tmp_path / "brick") == {"brick-image": {band: f"brick-image-{band}.fits.fz" for band in "grz"}}
    touch(tmp_path / "folders", "images/1.fits", "masks/1.fits", "images/2.fits", "masks/2.fits")
    assert list(galaxies(tmp_path / "folders")) == ["1", "2"]
    touch(tmp_path / "below", "1.fits", "2.fits", "psf/1.fits", "psf/2.fits")
    assert list(galaxies(tmp_path / "below")) == ["1", "2"]
    touch(tmp_path / "common", "a.fits", "b.fits", "psf.fits", "psf_r.fits")
    assert list(galaxies(tmp_path / "common")) == ["a", "b"]


@pytest.mark.parametrize(
    "names",
    [
        ["model_1.fits", "model_2.fits"],
        ["unmasked.fits", "maskelyne.fits"],
        ["sigma_Ori.fits", "NGC1.fits"],
        ["NGC1_residual.fits"],
        ["segue.fits", "NGC1.fits"],
        ["NGC1_num_1.fits", "NGC1.fits"],
        ["NGC1.jpg", "NGC1_mask.jpg"],
        ["images/1.png", "masks/1.png"],
        *(
            [f"{name}/{n}.{ending}" for name in ("spiral", "error", "model") for n in "123"]
            for ending in ("jpg", "fits")
        ),
    ],
)
def test_galaxies_are_not_taken_for_companions(names: list[str], tmp_path: Path) -> None:
    touch(tmp_path, *names)
    assert sorted(galaxies(tmp_path).values()) == sorted(names)
    assert "left out" not in introduced(tmp_path)


@pytest.mark.parametrize(
    ("image", "others"),
    [
        ("brick-image-r.fits.fz", "brick-{}-r.fits.fz:chi2 blobmodel maskbits depth nexp"),
        ("KiDS_180.0_-0.5_r_sci.fits", "KiDS_180.0_-0.5_r_{}.fits:wei flag flags"),
        ("skycell.12.stk.r.unconv.fits", "skycell.12.stk.r.unconv.{}.fits:wt num exp exp.wt mask"),
        ("hst_1_f814w_drz.fits", "hst_1_f814w_{}.fits:ctx wht noise std badpix uncertainty cov"),
    ],
)
def test_surveys_names_of_companions(image: str, others: str, tmp_path: Path) -> None:
    name, _, words = others.partition(":")
    touch(tmp_path, image, *(name.format(word) for word in words.split()))
    assert list(galaxies(tmp_path).values()) == [image]


def test_fits_is_read_rather_than_a_picture_of_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.fits", "b.jpg", "c.jpg", "c.png", "d.jpg", *(f"d_{band}.fits" for band in "grz"))
    found = galaxies(tmp_path)
    assert (found["a"], found["b"], found["c"]) == ("a.fits", "b.jpg", "c.png")
    assert isinstance(found["d"], dict)
    assert "a.fits and not a.jpg is read, and so for 2 more" in introduced(tmp_path)
    touch(tmp_path, "d.fits")
    with pytest.raises(CatalogError, match="both have the id 'd'"):
        open_source(tmp_path)


# --- folders


def test_every_format_is_listed_and_links_are_followed_once(tmp_path: Path) -> None:
    names = [f"x{ending}" for ending in (".webp", ".bmp", ".gif", ".jp2", ".avif", ".ppm", ".tga", ".jfif")]
    touch(tmp_path / "gal", *(f"{i}{name}" for i, name in enumerate(names)), "s.fts", "t.fits.bz2", "u.Z", "notes.txt")
    touch(tmp_path / "elsewhere", "linked.jpg")
    (tmp_path / "gal" / "Spiral").symlink_to("../elsewhere")
    (tmp_path / "gal" / "again").symlink_to("Spiral")
    (tmp_path / "gal" / "up").symlink_to("..")
    (tmp_path / "gal" / "copy.fts").symlink_to("s.fts")
    (tmp_path / "gal" / "broken.jpg").symlink_to("nowhere.jpg")
    touch(tmp_path / "gal", ".hidden/1.jpg", "made/pack.json", "made/plot.png")
    found = galaxies(tmp_path / "gal")
    assert len(found) == len(names) + 3 + 2
    assert found["linked"] == "linked.jpg"
    assert "No such file" in str(found["broken"])
    line = introduced(tmp_path / "gal")
    assert "1 file of other kinds (.txt)" in line
    assert "1 hidden folder" in line
    assert "1 folder that tuningfork made" in line
    assert "2 links to a folder that is looked through already" in line
    assert "1 link to an image that is there already" in line


def test_class_folders_give_columns(tmp_path: Path) -> None:
    touch(tmp_path / "a", "train/spiral/1.jpg", "train/round/1.jpg", "validation/spiral/2.jpg")
    table = open_source(tmp_path / "a").table
    assert table[["split", "class"]].to_numpy().tolist() == [["train", "round"], ["train", "spiral"], ["val", "spiral"]]
    assert "column class from the folders: round, spiral" in introduced(tmp_path / "a")
    assert open_source(tmp_path / "a" / "train").table["class"].tolist() == ["round", "spiral"]
    for other in (("spiral/1.jpg", "2.jpg"), ("spiral/1.jpg", "spiral/2.jpg"), ("x/y/1.jpg", "x/z/2.jpg")):
        folder = touch(tmp_path / f"no{len(other[0])}{other[1][0]}", *other)
        assert list(open_source(folder).table) == ["id_str", "file_loc"]


def test_a_table_among_the_images_is_no_source_but_fits_tables_and_images_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    pd.DataFrame({"id_str": ["9"], "file_loc": ["9.jpg"]}).to_parquet(tmp_path / "catalogue.parquet")
    Table({"id_str": ["9"], "file_loc": ["1.jpg"]}).write(tmp_path / "catalogue.fits")
    assert galaxies(tmp_path) == {"1": "1.jpg"}
    assert "2 files of other kinds (.fits, .parquet)" in introduced(tmp_path)
    assert galaxies(tmp_path / "catalogue.fits") == {"9": "1.jpg"}
    units = [fits.PrimaryHDU(), fits.ImageHDU(np.ones((20, 20)), name="SCI"), fits.BinTableHDU(Table({"a": [1]}))]
    for name in ("stamp.fits", "stamp.fits.gz"):
        fits.HDUList(units).writeto(tmp_path / name)
        assert open_source(tmp_path / name).table["id_str"].tolist() == ["stamp"]
    (tmp_path / "stamp.fits.gz").unlink()
    assert sorted(open_source(tmp_path).table["id_str"]) == ["1", "stamp"]


def test_what_the_command_wrote_beside_the_images_is_no_galaxy(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "e-maps.png", "f-maps.png")
    manifest = {"tuningfork": json.dumps({"format": "tuningfork-embedding"})}
    schema = pa.schema([("id_str", pa.string())], metadata=manifest)
    pq.write_table(schema.empty_table(), tmp_path / "e.parquet")
    assert galaxies(tmp_path) == {"1": "1.jpg", "f-maps": "f-maps.png"}
    assert "1 plot of an embedding" in introduced(tmp_path)


def test_a_folder_that_cannot_be_read_is_an_error_for_its_galaxies_would_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "1.jpg", "secret/2.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CatalogError, match=r"secret: Permission denied.*make it readable"):
        introduced(tmp_path)


# --- catalogues


def test_files_are_found_where_the_catalogue_is_or_where_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "gal/1.jpg", "data/gal/2.jpg", "gal/2.jpg", "gal/3.fits", "gal/b[1].fits")
    rows = ["1,gal/1.jpg", "2,gal/2.jpg", "3,gal/3.fits[SCI]", "4, gal\\1.jpg ", "5,gal/none.jpg"]
    rows += ["6,https://example.org/1.jpg", "7,s3://bucket/1.jpg", "8,gal/b[1].fits", f"9,file://{tmp_path}/gal/1.jpg"]
    (tmp_path / "data" / "c.csv").write_text("\n".join(["id_str,file_loc", *rows]))
    monkeypatch.chdir(tmp_path)
    found = galaxies("data/c.csv")
    assert [found[i] for i in "123489"] == [
        *("gal/1.jpg", "data/gal/2.jpg", "gal/3.fits[SCI]", "gal/1.jpg", "gal/b[1].fits", "gal/1.jpg")
    ]
    assert "tried data/gal/none.jpg and gal/none.jpg" in str(found["5"])
    assert "remote address" in str(found["6"])
    assert "remote address" in str(found["7"])
    assert galaxies("gal/3.fits[2]") == {"3": "gal/3.fits[2]"}
    with pytest.raises(CatalogError, match="remote address"):
        open_source("https://example.org/1.jpg")


@pytest.mark.parametrize("name", ["file_name", "Filename", "PATH", "image_path"])
def test_usual_names_of_the_column_of_files_are_used_and_said(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "J1.0.jpg")
    (tmp_path / "c.csv").write_text(f"{name},label\nJ1.0.jpg,3\n")
    assert galaxies(tmp_path / "c.csv") == {"J1.0": "J1.0.jpg"}
    assert f"files are those of the column {name}" in introduced(tmp_path / "c.csv")


def test_columns_are_named_by_the_right_options(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg")
    path = tmp_path / "c.csv"
    path.write_text("OBJID,where\n7,1.jpg\n")
    with pytest.raises(CatalogError, match=r"has OBJID, where; .*--file-column"):
        open_source(path)
    assert galaxies(path, ImageOptions(file_column="where")) == {"7": "1.jpg"}
    with pytest.raises(CatalogError, match=r"no column 'place' \(--file-column\)"):
        open_source(path, ImageOptions(file_column="place"))
    path.write_text("my_id,file_loc\n7,1.jpg\n")
    with pytest.raises(CatalogError, match="say --id-column my_id"):
        open_source(path)


# --- the command


def run(*arguments: object) -> tuple[int, Exception | None]:
    result = CliRunner().invoke(build(), [str(argument) for argument in arguments])
    error = result.exception
    return result.exit_code, error if isinstance(error, Exception) else None


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    return path


def test_verbs_begin_with_what_the_images_are(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "in" / "1.png")
    picture(tmp_path / "in" / "2.png")
    touch(tmp_path / "in", "notes.txt")
    verbs = [
        ["predict", "in", "p.csv", "--model", model],
        ["embed", "in", "e.parquet", "--maps", "none", "--model", model],
    ]
    for verb in [*verbs, ["pack", "in", "pack", "--size", "32"], ["explain", model, "in", "why", "--limit", "1"]]:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="tuningfork"):
            code, error = run(*verb)
        assert (code, error) == (0, None), verb
        lines = [record.getMessage() for record in caplog.records if "images in" in record.getMessage()]
        assert lines == ["2 images in in; ids are file names, the first 1; left out: 1 file of other kinds (.txt)"]


def test_nothing_read_is_a_failure(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "in", "1.jpg", "2.jpg")
    for verb in (
        ["predict", "in", "p.csv", "--model", model],
        ["embed", "in", "e.parquet", "--model", model],
        ["explain", model, "in", "why"],
        ["pack", "in", "pack"],
    ):
        code, error = run(*verb)
        assert code != 0
        assert isinstance(error, TuningforkError)
        assert "none of 2 images c" in str(error)
    assert pd.read_csv("p.csv")["error"].notna().all()
    assert not list(tmp_path.glob(".*partial*"))


def test_an_output_never_destroys_what_is_read(tmp_path: Path, model: Path, pack: Path) -> None:
    picture(tmp_path / "1.png")
    catalogue = tmp_path / "c.csv"
    catalogue.write_text("id_str,file_loc\n1,1.png\n")
    link = tmp_path / "link.csv"
    link.symlink_to(catalogue)
    before = catalogue.read_bytes()
    for source, out in ((catalogue, catalogue), (catalogue, link), (pack, pack / "catalog.parquet")):
        code, error = run("predict", source, out, "--model", model, "--overwrite")
        assert code != 0
        assert isinstance(error, OutputError)
        assert "is what the images are read from" in str(error)
    assert catalogue.read_bytes() == before


# --- archives, arrays, saved data sets, imagefolders


MEMBERS = {
    "J1.0.jpg": b"one",
    "J1.0.json": b'{"label": 3, "more": [1]}',
    "b/2.png": b"two",
    "b/2.cls": b"5",
    "x.md": b"",
}


def archive(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
            for name, data in members.items():
                whole.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_archives_are_read_where_they_lie(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    archive(tmp_path / name, MEMBERS | {"../3.jpg": b"three", "__MACOSX/3.jpg": b"", "4/": b""})
    source = open_source(name)
    assert source.table["id_str"].tolist() == ["J1.0", "2", "3"]
    assert source.table["label"].fillna(-1).tolist() == [3, -1, -1]
    assert source.table["cls"].fillna(-1).tolist() == [-1, 5, -1]
    assert [item.load() for item in source.items()] == [b"one", b"two", b"three"]
    assert [item.load() for item in source.items(1)] == [b"two", b"three"]
    assert "left out: 1 file of other kinds (.md), 1 hidden file" in introduce(source)
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is unpacked"
    if name == "a.tar.gz":
        with pytest.raises(CatalogError, match="compressed tar can't be shared"):
            source.part(1, 3)
        return
    part = pickle.loads(pickle.dumps(source.part(1, 3)))
    monkeypatch.chdir("/")
    assert [(item.id_str, item.load()) for item in part.items()] == [("2", b"two"), ("3", b"three")]


def test_shards_of_tar_give_splits_ids_and_galaxies_of_bands(tmp_path: Path) -> None:
    for split, number in (("train", 2**53 + 1), ("val", 2**53 + 3)):
        archive(tmp_path / f"g-{split}-0.tar", {"1.jpg": b"1", "1.json": f'{{"objid": {number}}}'.encode()})
    for source in (tmp_path, f"{tmp_path}/*.tar"):
        table = open_source(source).table
        assert table["id_str"].tolist() == [str(2**53 + 1), str(2**53 + 3)]
        assert table["split"].tolist() == ["train", "val"]
    archive(
        tmp_path / "bands.tar", {f"{name}_{b}.fits": b.encode() for name in "NL" for b in "grz"} | {"M_g.fits": b""}
    )
    found = galaxies(tmp_path / "bands.tar")
    assert list(found) == ["N", "L", "M"]
    assert found["N"] == {"g": "g", "r": "r", "z": "z"}
    assert found["M"] == "there is no file of band r, z"


@pytest.mark.parametrize("cut", [0, 100, 700, 1536, 3000])
def test_archives_that_are_cut_short_or_damaged_are_refused(cut: int, tmp_path: Path) -> None:
    for name in ("a.tar", "a.tar.gz", "a.zip"):
        path = archive(tmp_path / name, MEMBERS)
        whole = path.read_bytes()
        path.write_bytes(whole[: min(cut, len(whole) - 30)])
        with pytest.raises(CatalogError, match=r"is not a whole (tar|zip) file .*get it again"):
            open_source(path)
    path = archive(tmp_path / "a.tar", MEMBERS)
    whole = path.read_bytes()
    path.write_bytes(whole[:1024] + b"x" * 512 + whole[1536:])
    with pytest.raises(CatalogError, match="is not a whole tar file"):
        open_source(path)


def test_a_damaged_member_is_a_bad_image(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"1.jpg": b"one" * 50, "2.jpg": b"two"})
    data = bytearray(path.read_bytes())
    data[data.index(b"1.jpg") + 7] ^= 255
    path.write_bytes(data)
    found = galaxies(path)
    assert "damaged in the zip file" in str(found["1"])
    assert found["2"] == "two"


@pytest.mark.parametrize("ending", [".npy", ".npz"])
@pytest.mark.parametrize("shape", [(4, 20, 21, 3), (4, 3, 20, 21), (4, 20, 21)])
def test_arrays_are_streamed(ending: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        np.save(path, pixels)
    else:
        np.savez_compressed(path, images=pixels, id_str=np.array(["a", "b", "c", "d"]), label=np.arange(4))
    source = open_source(path)
    assert source.table["id_str"].tolist() == (["0", "1", "2", "3"] if ending == ".npy" else ["a", "b", "c", "d"])
    expected = np.moveaxis(pixels, 1, 3) if shape[1] == 3 else pixels.reshape(4, 20, 21, -1)
    for start in (0, 2):
        np.testing.assert_array_equal([item.load() for item in source.items(start)], expected[start:])
    if ending == ".npy":
        np.testing.assert_array_equal([item.load() for item in source.part(1, 3).items()], expected[1:3])


def test_the_only_array_of_a_file_is_the_pixels_whatever_its_name(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 20, 20, 3), np.uint8)
    np.savez(tmp_path / "a.npz", galaxies=pixels)
    source = open_source(tmp_path / "a.npz")
    assert source.table["id_str"].tolist() == ["0", "1", "2"]
    np.testing.assert_array_equal([item.load() for item in source.items()], pixels)


def test_rows_that_name_one_picture_say_so(tmp_path: Path) -> None:
    for name in "ab":
        Image.fromarray(np.random.default_rng(ord(name)).integers(0, 255, (32, 32, 3), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    files = ["a.png", "b.png", "a.png", "", "a.png", ""]
    pd.DataFrame({"id_str": list("uvwxyz"), "file_loc": files}).to_csv(tmp_path / "c.csv", index=False)
    source = open_source(tmp_path / "c.csv")
    for part, start in ((source, 0), (source.part(2, 6), 2)):
        found = list(decode_stream(part.items(), Geometry(1.0, 16)))
        said = [None if image.note is None else image.note.count("the same image as row 1") for image in found]
        assert [bool(count) for count in said] == [False, False, True, False, True, False][start:]
        assert [image.error is None for image in found] == [bool(name) for name in files][start:]
    pd.DataFrame({"id_str": ["u", "v"], "file_loc": ["a.png"] * 2, "hdu": [0, 1]}).to_csv(tmp_path / "d.csv")
    assert [item.note for item in open_source(tmp_path / "d.csv").items()] == ["", ""]  # units of one file


def test_arrays_that_are_wrong_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for pixels, says in (
        (np.zeros((2, 20, 20)), "black and white are not stated"),
        (np.zeros((2, 300), np.uint8), "images, height, width"),
        (np.array([{}], dtype=object), "black and white"),
        (np.zeros((2, 20, 20, 20), np.uint8), "which axis"),
        (np.asfortranarray(np.zeros((2, 20, 20), np.uint8)), "Fortran"),
    ):
        np.save(path, pixels)
        with pytest.raises(CatalogError, match=says):
            open_source(path)
    np.save(path, np.zeros((2, 20, 20), np.uint8))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CatalogError, match="cut short"):
        open_source(path)
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1000000, 1000000, 3), }".ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00v\x00" + header)
    with pytest.raises(CatalogError, match="too much for one image"):
        open_source(path)
    np.savez(tmp_path / "a.npz", x=np.zeros(3), y=np.zeros(3))
    with pytest.raises(CatalogError, match="no array 'images' of pixels; its arrays: x, y"):
        open_source(tmp_path / "a.npz")


def save_to_disk(folder: Path, names: list[str], labels: list[int]) -> None:
    """What Hugging Face's `datasets` writes."""
    folder.mkdir(parents=True)
    images = [{"bytes": name.encode(), "path": f"{name}.0.jpg"} for name in names]
    table = pa.table(
        {"image": pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())])), "label": labels}
    )
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    features = {"image": {"_type": "Image"}, "label": {"names": ["round", "spiral"], "_type": "ClassLabel"}}
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))


def test_saved_data_sets_of_hugging_face_are_sources(tmp_path: Path) -> None:
    save_to_disk(tmp_path / "one", ["a", "b", "c"], [0, 1, 1])
    source = open_source(tmp_path / "one")
    assert source.table["id_str"].tolist() == ["a.0", "b.0", "c.0"]
    assert source.table["label"].tolist() == ["round", "spiral", "spiral"]
    assert [item.load() for item in source.items(1)] == [b"b", b"c"]
    part = pickle.loads(pickle.dumps(source.part(1, 2)))
    assert [(item.id_str, item.load()) for item in part.items()] == [("b.0", b"b")]
    save_to_disk(tmp_path / "all" / "train", ["a"], [0])
    save_to_disk(tmp_path / "all" / "test", ["b"], [1])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert open_source(tmp_path / "all").table["split"].tolist() == ["train", "test"]
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"no")
    with pytest.raises(CatalogError, match="not readable Arrow"):
        open_source(tmp_path / "one")
    (tmp_path / "one" / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(CatalogError, match="is missing"):
        open_source(tmp_path / "one")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_table_called_metadata_gives_columns(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "in", "1.jpg", "b/2.jpg", "3.jpg")
    table = pd.DataFrame({"file_name": ["b/2.jpg", "1.jpg", "gone.jpg"], "kind": ["x", "y", "z"]})
    path = tmp_path / "in" / f"metadata.{ending}"
    if ending == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    monkeypatch.chdir(tmp_path / "in")
    for source in (".", tmp_path / "in"):
        opened = open_source(source)
        assert opened.table["id_str"].tolist() == ["1", "3", "2", "gone"]
        assert opened.table["kind"].fillna("-").tolist() == ["y", "-", "x", "z"]
        assert "No such file" in str(galaxies(source)["gone"])
        assert "1 image without a row in it" in introduce(opened)
    table.assign(objid=["007", "008", "009"]).to_csv(path, index=False)
    if ending == "csv":
        assert open_source(".").table["id_str"].tolist() == ["008", "3", "007", "009"]
        with pytest.raises(OutputError):
            refuse_output(open_source(".").files(), path)


@settings(deadline=None, max_examples=30)  # the first compiles the resampling
@given(st.integers(8, 30), st.integers(8, 30), st.integers(1, 4), st.integers(0, 1000))
def test_an_entry_of_a_sequence_is_one_image_whichever_its_axes(height: int, width: int, c: int, seed: int) -> None:
    images = list(np.random.default_rng(seed).integers(0, 256, (2, height, width, c), np.uint8))
    first = [np.moveaxis(image, 2, 0) for image in images]
    pairs = [(image, "spiral") for image in first]
    geometry = Geometry(1.0, 8, 1 if c == 1 else 3)
    expected = list(decode_stream(open_source(images).items(), geometry))
    assert all((seen.error is None) == (c in (1, 3)) for seen in expected)
    for form in (first, pairs, np.stack(first)):
        for found, known in zip(decode_stream(open_source(form).items(), geometry), expected, strict=True):
            np.testing.assert_array_equal(found.pixels, known.pixels)
            assert (found.id_str, found.note, found.error) == (known.id_str, known.note, known.error)
