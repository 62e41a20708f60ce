"""Tables and images are their own bytes alone: what refers to another file or to an address is refused by name."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tifffile
from astropy.table import Table
from astropy.time import Time

from hostile import Trap, trap
from tuningfork.catalogs import read_table
from tuningfork.cli import main
from tuningfork.errors import CatalogError, ImageError, TuningforkError
from tuningfork.images import Geometry, decode
from tuningfork.sources import open_source

SECRET = "root:x:0:0:the secret"
FIELDS = '<FIELD name="id_str" datatype="char" arraysize="*"/><FIELD name="x" datatype="double"/>'
ROWS = "<DATA><TABLEDATA><TR><TD>a</TD><TD>1</TD></TR></TABLEDATA></DATA>"


@pytest.fixture
def trapped(tmp_path: Path) -> Iterator[Trap]:
    (tmp_path / "trap").mkdir()
    (tmp_path / "secret").write_text(SECRET)
    with trap(tmp_path / "trap") as made:
        yield made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command in this process, which must fail: what it says."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["tuningfork", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        assert stop.value.code == 2, said.err
        assert said.err.count("error: ") == 1
        assert SECRET not in said.out + said.err
        return said.err

    return run


def votable(data: str, head: str = "", stream: str = "STREAM", space: str = "") -> str:
    """A VOTable whose data are `data`, with `HREF` where the reference goes."""
    start = f'<?xml version="1.0"?>{head}<VOTABLE version="1.4" {space}><RESOURCE><TABLE>'
    return f"{start}{FIELDS}{data.replace('STREAM', stream)}</TABLE></RESOURCE></VOTABLE>"


REFERRING = {
    "binary": votable("<DATA><BINARY><STREAM href='HREF'/></BINARY></DATA>"),
    "binary2": votable("<DATA><BINARY2><STREAM encoding='base64' href='HREF'>AAAA</STREAM></BINARY2></DATA>"),
    "fits": votable("<DATA><FITS><STREAM href='HREF'/></FITS></DATA>"),
    "with a prefix": votable(
        "<DATA><BINARY><STREAM href='HREF'/></BINARY></DATA>", stream="v:STREAM", space='xmlns:v="http://x"'
    ),
    "in a second table": votable(f"{ROWS}</TABLE><TABLE>{FIELDS}<DATA><BINARY><STREAM href='HREF'/></BINARY></DATA>"),
    "entity": votable(ROWS.replace(">a<", ">&x;<"), '<!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "HREF">]>'),
    "parameter entity": votable(ROWS, '<!DOCTYPE VOTABLE [<!ENTITY % x SYSTEM "HREF"> %x;]>'),
    "entities in entities": votable(
        ROWS.replace(">a<", ">&y;<"), "<!DOCTYPE VOTABLE [<!ENTITY x 'aaaaaa'><!ENTITY y '&x;&x;&x;'>]>"
    ),
}


@pytest.mark.parametrize("name", REFERRING)
@pytest.mark.parametrize("place", ["file", "path", "http"])
def test_a_votable_that_refers_elsewhere_is_refused(name: str, place: str, trapped: Trap, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    href = {"file": secret.as_uri(), "path": str(secret), "http": f"{trapped.url}/x"}[place]
    path = tmp_path / "table.vot"
    path.write_text(REFERRING[name].replace("HREF", href))
    says = r"declares the entity '[xy]'" if "entit" in name else f"a STREAM refers to '{href}'"
    with trapped.watched(), pytest.raises(CatalogError, match=says):
        read_table(path)


def test_what_refers_to_nothing_is_read(trapped: Trap, tmp_path: Path) -> None:
    old = f'<!DOCTYPE VOTABLE SYSTEM "{trapped.url}/VOTable.dtd">'
    (tmp_path / "old.xml").write_text(votable(f"<LINK href='{trapped.url}'/>{ROWS}", old))
    table = Table({"id_str": ["a"], "x": [1.5], "t": Time(["2020-01-01T00:00:00"])})
    table["id_str", "x"].write(tmp_path / "own.vot", format="votable", tabledata_format="binary2")
    table.write(tmp_path / "times.ecsv")
    with trapped.watched():
        for name in ("old.xml", "own.vot", "times.ecsv"):
            assert read_table(tmp_path / name)["id_str"].tolist() == ["a"]


@pytest.mark.parametrize("ending", [".vot", ".xml", ".vot.gz"])
def test_no_verb_follows_a_reference_of_a_table(
    ending: str, galaxies: Path, pack: Path, trapped: Trap, run: Callable[..., str], recipe_file: Path, tmp_path: Path
) -> None:
    import gzip

    path, out = tmp_path / f"table{ending}", tmp_path / "out.csv"
    text = REFERRING["binary"].replace("HREF", f"{trapped.url}/x").encode()
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    taught = ["--set", f"head.0.teacher.answers={path}"]
    with trapped.watched():
        for arguments in (
            ("predict", path, out),
            ("embed", path, tmp_path / "out.parquet"),
            ("pack", path, tmp_path / "packed", "--schema", "gz-challenge"),
            ("pack", galaxies.parent / "images", tmp_path / "packed", "--labels", path, "--schema", "gz-challenge"),
            ("evaluate", path, pack, tmp_path / "evaluated"),
            ("evaluate", galaxies, path, tmp_path / "evaluated"),
            ("report", path, tmp_path / "out.html"),
            ("explain", "default", path, tmp_path / "explained"),
            ("train", recipe_file, pack, tmp_path / "trained", *taught),
        ):
            run(*arguments)


PIXELS = np.zeros((2, 16, 16, 3), np.uint8)


def external(file: h5py.File, folder: Path) -> None:
    file.create_dataset("images", PIXELS.shape, np.uint8, external=[(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout(PIXELS.shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "images", PIXELS.shape, np.uint8)
    file.create_virtual_dataset("images", layout)


def linked(file: h5py.File, folder: Path) -> None:
    file["images"] = h5py.ExternalLink(str(folder / "other.h5"), "images")


def linked_twice(file: h5py.File, folder: Path) -> None:
    file.create_group("group")["there"] = h5py.ExternalLink(str(folder / "other.h5"), "images")
    file["images"] = h5py.SoftLink("/group/there")


def labels_elsewhere(file: h5py.File, folder: Path) -> None:
    file["images"] = PIXELS
    file.create_dataset("name", (2,), "S8", external=[(str(folder / "secret"), 0, 16)])


@pytest.mark.parametrize("refer", [external, virtual, linked, linked_twice, labels_elsewhere])
def test_hdf5_that_refers_to_another_file_is_refused(
    refer: Callable[[h5py.File, Path], None], trapped: Trap, run: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(SECRET.encode() * 1000)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["images"] = PIXELS
    path = tmp_path / "galaxies.h5"
    with h5py.File(path, "w") as file:
        refer(file, tmp_path)
    name = "name" if refer is labels_elsewhere else "images"
    with trapped.watched():
        assert f"'{name}'" in run("predict", path, tmp_path / "out.csv")
    with pytest.raises(CatalogError, match=r"'(images|name)' (is a link|lie in another file)"):
        open_source(path)


def test_pictures_that_name_other_files_do_not_open_them(trapped: Trap, tmp_path: Path) -> None:
    """OME-TIFF names the files of a series, PostScript is a program, SVG refers to addresses."""
    tifffile.imwrite(tmp_path / "other.tif", np.full((16, 16), 200, np.uint8))
    uuid = f'<UUID FileName="{tmp_path / "other.tif"}">urn:uuid:1</UUID>'
    described = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="P:0" DimensionOrder="XYZCT" Type="uint8" SizeX="16" SizeY="16" SizeZ="1" SizeC="1" SizeT="2">'
        f'<TiffData IFD="0" FirstT="0"/><TiffData IFD="0" FirstT="1">{uuid}</TiffData></Pixels></Image></OME>'
    )
    made, own = io.BytesIO(), np.arange(256, dtype=np.uint8).reshape(16, 16)
    tifffile.imwrite(made, own, description=described, metadata=None)
    opened: list[str] = []
    sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n(secret) (r) file\n"
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{trapped.url}/x"/></svg>'.encode()
    with trapped.watched():
        pixels, _ = decode(made.getvalue(), Geometry(1.0, 16, 1))
        assert (pixels[:, :, 0] == own).all()
        for data in (script, drawing):
            with pytest.raises(ImageError):
                decode(data, Geometry(1.0, 16, 1))
    assert not [name for name in opened if name.endswith("other.tif")]


def test_parquet_whose_columns_lie_elsewhere_is_not_followed(trapped: Trap, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"id_str": ["a", "b"]}).to_parquet(path)
    metadata = pq.read_metadata(path)
    metadata.set_file_path(str(tmp_path / "secret"))
    moved = tmp_path / "moved.parquet"
    metadata.write_metadata_file(moved)
    data = path.read_bytes()
    moved.write_bytes(data[:4] + data[4 : -metadata.serialized_size - 8] + moved.read_bytes()[4:])
    with trapped.watched():
        try:
            assert read_table(moved)["id_str"].tolist() == ["a", "b"]
        except TuningforkError as error:
            assert "moved.parquet" in str(error)
