"""HDF5 sources: files of Galaxy10's layout, written here from simulated galaxies."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import CatalogError, ImageError, PackError, TuningforkError
from tuningfork.images import Geometry, decode, decode_stream
from tuningfork.packs import make, make_pack, open_pack
from tuningfork.schemas import class_indices, load_schema
from tuningfork.simulate import DEFAULT_MIX
from tuningfork.simulate.galaxy import simulate_one
from tuningfork.sources import ImageOptions, hdf5, open_source

SIDE = 40
CHUNKS = (7, 16, 8, 1)  # as Galaxy10's (555, 16, 16, 1): several images, part of the frame, one channel
SAME = Geometry(1.0, SIDE, 3)  # pixels come out as they went in
TEN = load_schema("galaxy10-decals")


@pytest.fixture(scope="session")
def simulated() -> tuple[np.ndarray, pd.DataFrame]:
    """Thirty galaxies of the simulator, (30, 40, 40, 3) uint8, and the columns that Galaxy10 DECaLS has of them."""
    galaxies = [simulate_one(10, index, SIDE, DEFAULT_MIX) for index in range(30)]
    table = pd.DataFrame(
        {
            "ans": np.arange(30, dtype=np.uint8) * 7 % 10,
            "ra": [galaxy.row["ra"] for galaxy in galaxies],
            "dec": [galaxy.row["dec"] for galaxy in galaxies],
            "redshift": np.linspace(0.01, 0.1, 30).astype(np.float32),
            "pxscale": np.full(30, 0.262),
        }
    )
    table.loc[3, "redshift"] = np.nan
    table.loc[[1, 2], ["ra", "dec"]] = table.loc[[0, 0], ["ra", "dec"]].to_numpy() + 0.001  # one piece of sky
    return np.stack([galaxy.rgb() for galaxy in galaxies]), table


@pytest.fixture
def galaxy10(simulated: tuple[np.ndarray, pd.DataFrame], tmp_path: Path) -> Path:
    pixels, table = simulated
    return write(tmp_path / "Galaxy10_DECals.h5", pixels, **{name: table[name].to_numpy() for name in table})


def write(path: Path, images: np.ndarray, chunks: tuple[int, ...] | None = CHUNKS, **columns: object) -> Path:
    with h5py.File(path, "w") as file:
        compression = {"chunks": chunks, "compression": "gzip"} if chunks else {}
        file.create_dataset("images", data=images, **compression)
        for name, values in columns.items():
            file[name] = values
    return path


def read(path: Path, start: int = 0) -> np.ndarray:
    """Every image of the file as it is decoded, in threads."""
    decoded = list(decode_stream(open_source(path).items(start), SAME, workers=3))
    assert [entry.error for entry in decoded] == [None] * len(decoded)
    return np.stack([entry.pixels for entry in decoded])


# --- what is read


def test_images_labels_and_places_in_order(galaxy10: Path, simulated: tuple[np.ndarray, pd.DataFrame]) -> None:
    pixels, table = simulated
    source = open_source(galaxy10)
    assert source.n == 30
    assert source.table["id_str"].tolist() == [str(row) for row in range(30)]
    assert source.table["file_loc"].tolist() == [f"Galaxy10_DECals.h5#{row}" for row in range(30)]
    pd.testing.assert_frame_equal(source.table[list(table)], table)
    items = list(source.items())
    assert [item.file_loc for item in items] == source.table["file_loc"].tolist()
    np.testing.assert_array_equal(np.stack([item.load() for item in items]), pixels)
    np.testing.assert_array_equal(read(galaxy10), pixels)


def test_arrays_go_through_the_same_resampling_as_files(simulated: tuple[np.ndarray, pd.DataFrame]) -> None:
    pixels = simulated[0][0]
    data = simplejpeg.encode_jpeg(pixels, quality=95)
    geometry = Geometry(0.7, 13, 3)
    np.testing.assert_array_equal(decode(simplejpeg.decode_jpeg(data), geometry)[0], decode(data, geometry)[0])
    assert decode(pixels[:, :, :1], geometry)[1] == "greyscale, spread over 3 channels"


@pytest.mark.parametrize("array", [np.zeros((20, 20, 3)), np.zeros((20, 20), np.uint8), np.zeros((0, 9, 3), np.uint8)])
def test_an_array_that_is_no_picture_is_a_bad_image(array: np.ndarray) -> None:
    with pytest.raises(ImageError):
        decode(array, SAME)


@pytest.mark.parametrize("chunks", [CHUNKS, (1, SIDE, SIDE, 3), (30, 4, 4, 3), None])
@pytest.mark.parametrize("start", [0, 1, 6, 7, 20, 29, 30])
def test_from_any_image_on_and_however_the_file_is_chunked(
    chunks: tuple[int, ...] | None, start: int, simulated: tuple[np.ndarray, pd.DataFrame], tmp_path: Path
) -> None:
    pixels, _ = simulated
    source = open_source(write(tmp_path / "file.h5", pixels, chunks))
    found = [(item.id_str, item.load()) for item in source.items(start)]
    assert [identity for identity, _ in found] == [str(row) for row in range(start, 30)]
    if found:
        np.testing.assert_array_equal(np.stack([array for _, array in found]), pixels[start:])


def read_chunks(monkeypatch: pytest.MonkeyPatch, path: Path, start: int = 0) -> Counter[tuple[int, ...]]:
    """How often each chunk is decompressed, by its place in the grid, from every selection h5py is asked for."""
    seen: Counter[tuple[int, ...]] = Counter()
    plain = h5py.Dataset.__getitem__

    def counting(dataset: h5py.Dataset, asked: object, **options: object) -> object:
        if dataset.name == "/images":
            parts = (*np.atleast_1d(np.asarray(asked, dtype=object)),)
            parts += (slice(None),) * (dataset.ndim - len(parts))
            spans = [
                range(part.indices(length)[0] // chunk, (part.indices(length)[1] - 1) // chunk + 1)
                if isinstance(part, slice)
                else range(part // chunk, part // chunk + 1)
                for part, length, chunk in zip(parts, dataset.shape, dataset.chunks, strict=True)
            ]
            seen.update((a, b, c, d) for a in spans[0] for b in spans[1] for c in spans[2] for d in spans[3])
        return plain(dataset, asked, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    for _ in open_source(path).items(start):
        pass
    monkeypatch.undo()
    return seen


def test_every_chunk_is_decompressed_once(galaxy10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "BLOCK", 1)  # one row of chunks at a time, as in a large file
    with h5py.File(galaxy10) as file:
        grid = [-(-length // chunk) for length, chunk in zip(file["images"].shape, CHUNKS, strict=True)]
    assert read_chunks(monkeypatch, galaxy10) == Counter(np.ndindex(*grid))
    later = read_chunks(monkeypatch, galaxy10, start=16)  # in the third row of chunks
    assert later == Counter(place for place in np.ndindex(*grid) if place[0] >= 2)


def test_that_count_would_find_chunks_that_are_read_again(galaxy10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def row_by_row(images, layout, start):
        for row in range(start, layout.n):
            yield row, images[row][None], [None]

    monkeypatch.setattr(hdf5, "_blocks", row_by_row)
    assert set(read_chunks(monkeypatch, galaxy10).values()) == {7, 2}  # 30 images are 4 rows of 7, and 2


def test_memory_holds_one_row_of_chunks_however_many_there_are(tmp_path: Path) -> None:
    path = tmp_path / "long.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("images", (4096, 64, 64, 3), "u1", chunks=(64, 64, 64, 3), fillvalue=9)
        assert data.nbytes == 50_331_648
    sizes = set()
    with h5py.File(path) as file:
        layout = hdf5._layout(file, path)
        for _, frames, _ in hdf5._blocks(file["images"], layout, 0):
            sizes.add(frames.base.nbytes if frames.base is not None else frames.nbytes)
    assert max(sizes) <= hdf5.BLOCK


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 12),
    side=st.integers(8, 14),
    rows=st.integers(1, 12),
    part=st.integers(1, 14),
    start=st.integers(0, 12),
    layout=st.sampled_from(["last", "first", "grey"]),
)
def test_any_layout_and_chunking_gives_the_same_pixels(
    n: int, side: int, rows: int, part: int, start: int, layout: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pixels = np.random.default_rng(n * side).integers(0, 256, (n, side, side + 1, 3), dtype=np.uint8)
    stored = {"last": pixels, "first": pixels.transpose(0, 3, 1, 2), "grey": pixels[..., 0]}[layout]
    chunks = tuple(min(size, length) for size, length in zip((rows, part, part, part), stored.shape, strict=False))
    path = write(tmp_path_factory.mktemp("any") / "file.hdf5", stored, chunks)
    found = [item.load() for item in open_source(path).items(start)]
    expected = pixels[start:, ..., :1] if layout == "grey" else pixels[start:]
    np.testing.assert_array_equal(np.array(found).reshape(expected.shape), expected)


def test_ids_and_text_and_foreign_byte_orders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pixels = np.zeros((3, 10, 10, 3), np.uint8)
    path = write(
        tmp_path / "own.h5",
        pixels,
        None,
        id_str=["007", "b", "c"],
        survey=np.array([b"DES", b"", b"BASS"]),
        size=np.array([1.5, 2, 3], ">f4"),
        class_names=["round", "spiral"],
        spectrum=np.zeros((3, 5)),
    )
    with caplog.at_level(logging.WARNING):
        table = open_source(path).table
    assert table["id_str"].tolist() == ["007", "b", "c"]
    assert table["survey"].fillna("-").tolist() == ["DES", "-", "BASS"]
    assert table["size"].tolist() == [1.5, 2, 3]
    assert table["size"].dtype.isnative
    assert set(table) == {"id_str", "file_loc", "survey", "size"}
    assert "left out the data set class_names: 2 values for 3 images" in caplog.text


def test_another_column_may_hold_the_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "own.h5", np.zeros((2, 9, 9, 3), np.uint8), None, name=["a", "b"], number=[587, 588])
    assert open_source(path, ImageOptions(id_column="name")).table["id_str"].tolist() == ["a", "b"]
    assert open_source(path, ImageOptions(id_column="number")).table["id_str"].tolist() == ["587", "588"]
    with pytest.raises(CatalogError, match="no column 'nickname'"):
        open_source(path, ImageOptions(id_column="nickname"))


def test_the_fingerprint_changes_with_the_file(galaxy10: Path) -> None:
    before = open_source(galaxy10).describe()
    assert (before["kind"], before["n"], before["origin"]) == ("hdf5", 30, str(galaxy10))
    with h5py.File(galaxy10, "r+") as file:
        file["images"][4, 5, 5] = 200
    assert open_source(galaxy10).describe() != before


# --- files that are wrong


def test_what_is_no_hdf5_or_cut_short_says_so(galaxy10: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("to do: download")
    with pytest.raises(CatalogError, match=r"text.h5 is not readable HDF5 .*signature not found.*get it again"):
        open_source(text)
    whole = galaxy10.read_bytes()
    galaxy10.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CatalogError, match=r"Galaxy10_DECals.h5 is not readable HDF5 .*truncated"):
        open_source(galaxy10)


@pytest.mark.parametrize(
    ("images", "columns", "message"),
    [
        (np.zeros((4, 10, 10, 3), np.float32), {}, "images holds float32.*save it as uint8"),
        (np.zeros((4, 10, 10, 3), np.uint16), {}, "images holds uint16"),
        (np.zeros((4, 300), np.uint8), {}, r"images is of shape \(4, 300\)"),
        (np.zeros((0, 10, 10, 3), np.uint8), {}, r"images is of shape \(0, 10, 10, 3\)"),
        (np.zeros((4, 10, 10, 10), np.uint8), {}, "which axis is the channels is not plain"),
        (np.zeros((4, 3, 10, 3), np.uint8), {}, "which axis is the channels is not plain"),
        (np.zeros((4, 10, 10, 3), np.uint8), {"ans": np.arange(3)}, "ans has 3 values for 4 images"),
        (np.zeros((4, 10, 10, 3), np.uint8), {"ra": np.arange(5.0)}, "ra has 5 values for 4 images"),
        (np.zeros((4, 10, 10, 3), np.uint8), {"id_str": ["a", "b", "a", "c"]}, "1 ids occur twice"),
    ],
)
def test_wrong_layouts_name_the_data_set(
    images: np.ndarray, columns: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "wrong.h5", images, None, **columns)
    with pytest.raises(CatalogError, match=f"wrong.h5.*{message}"):
        open_source(path)


def test_a_file_without_images_lists_what_it_has(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spectra"] = np.zeros((5, 100))
        file.create_group("more")
    with pytest.raises(CatalogError, match=r"no data set 'images' of pixels; its data sets: spectra \(5, 100\)"):
        open_source(tmp_path / "other.h5")


def test_chunks_too_large_for_memory_are_refused_with_the_remedy(
    galaxy10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "LARGEST", 1000)
    with pytest.raises(CatalogError, match="h5repack -l images:CHUNK=1x40x40x3"):
        open_source(galaxy10)


def test_several_files_are_refused(galaxy10: Path) -> None:
    write(galaxy10.parent / "second.h5", np.zeros((2, 9, 9, 3), np.uint8), None)
    with pytest.raises(CatalogError, match=r"matches 2 files.*name one"):
        open_source(galaxy10.parent / "*.h5")


def test_without_h5py_the_extra_is_named(galaxy10: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(TuningforkError, match=r'pip install "tuningfork\[hdf5\]"'):
        open_source(galaxy10)


def damage(path: Path, place: tuple[int, ...]) -> None:
    """Overwrite the compressed bytes of the chunk that begins at a place."""
    with h5py.File(path) as file:
        chunk = file["images"].id.get_chunk_info_by_coord(place)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)


def test_a_damaged_chunk_spoils_its_own_images_only(galaxy10: Path, simulated: tuple[np.ndarray, pd.DataFrame]) -> None:
    damage(galaxy10, (14, 16, 8, 1))
    decoded = list(decode_stream(open_source(galaxy10).items(), SAME))
    assert [row for row, entry in enumerate(decoded) if entry.error] == list(range(14, 21))
    assert "damaged HDF5" in decoded[14].error
    np.testing.assert_array_equal(decoded[21].pixels, simulated[0][21])


# --- all the way


def test_galaxy10_is_packed_with_labels_and_sky_grouped_splits(galaxy10: Path, tmp_path: Path) -> None:
    command = ["pack", str(galaxy10), str(tmp_path / "pack"), "--schema", "galaxy10-decals", "--size", str(SIDE)]
    done = CliRunner().invoke(build(), command)
    assert done.exit_code == 0, done.output
    assert "labels of galaxy10-decals: 30" in done.output
    pack = open_pack(tmp_path / "pack")
    with h5py.File(galaxy10) as file:
        np.testing.assert_array_equal(pack.pixels, file["images"][:])
        np.testing.assert_array_equal(pack.catalog["ans"], file["ans"][:])
    assert pack.manifest["split"]["sky_radius_arcsec"] == 60
    assert len(set(pack.catalog["split"][:3])) == 1  # neighbours on the sky
    assert pack.manifest["source"]["kind"] == "hdf5"


def test_a_killed_pack_goes_on_and_ends_with_the_same_bytes(
    galaxy10: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(galaxy10, (7, 0, 0, 0))
    monkeypatch.setattr(make, "CHUNK", 8)
    options = {"schemas": ["galaxy10-decals"], "geometry": Geometry(0.9, 12, 3)}
    whole = make_pack(galaxy10, tmp_path / "whole", **options)
    append, calls = make.PixelFile.append, []

    def killed(self: object, chunk: list[object]) -> None:
        calls.append(len(chunk))
        if len(calls) == 3:
            raise KeyboardInterrupt
        append(self, chunk)

    monkeypatch.setattr(make.PixelFile, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        make_pack(galaxy10, tmp_path / "again", **options)
    with pytest.raises(PackError, match="not finished"):
        open_pack(tmp_path / "again")
    asked: list[int] = []
    items = hdf5.Hdf5Source.items
    monkeypatch.setattr(hdf5.Hdf5Source, "items", lambda self, start=0: (asked.append(start), items(self, start))[1])
    monkeypatch.setattr(make.PixelFile, "append", append)
    again = make_pack(galaxy10, tmp_path / "again", **options)
    assert asked == [16]
    assert again.manifest | {"created": ""} == whole.manifest | {"created": ""}
    assert [entry["id_str"] for entry in again.manifest["errors"]] == [str(row) for row in range(7, 14)]
    assert again.manifest["n"] == 23
    for name in ("pixels.npy", "catalog.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_predict_has_a_row_for_every_image_of_the_file(galaxy10: Path, model: Path, tmp_path: Path) -> None:
    damage(galaxy10, (28, 0, 0, 0))
    out = tmp_path / "out.parquet"
    done = CliRunner().invoke(build(), ["predict", str(galaxy10), str(out), "--model", str(model)])
    assert done.exit_code == 0, done.output
    table = pd.read_parquet(out)
    assert table["id_str"].tolist() == [str(row) for row in range(30)]
    assert table["file_loc"][29] == "Galaxy10_DECals.h5#29"
    assert table["error"].notna().tolist() == [False] * 28 + [True] * 2
    assert table["smooth_or_featured_smooth"][:28].notna().all()


def test_a_wrong_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no")
    command = [sys.executable, "-m", "tuningfork", "pack", str(tmp_path / "text.h5"), str(tmp_path / "pack")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "text.h5 is not readable HDF5" in done.stderr
    assert not (tmp_path / "pack").exists()


def test_the_ten_classes_are_read_by_their_numbers(galaxy10: Path, simulated: tuple[np.ndarray, pd.DataFrame]) -> None:
    np.testing.assert_array_equal(class_indices(open_source(galaxy10).table, TEN, "here"), simulated[1]["ans"])
