"""Images of every format and condition, the exactness of their geometry, and the sources they come from."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuningfork.compiled import Compiled
from tuningfork.errors import CatalogError, ImageError, PackError
from tuningfork.images import Geometry, Item, decode, decode_stream
from tuningfork.images.item import read_bytes
from tuningfork.images.jpeg import reduction
from tuningfork.images.resample import resample
from tuningfork.sources import ImageOptions, introduce, open_source

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared galaxies are not here (../shared/data)")
WHOLE = Geometry(1.0, 32, 3)


def frame(height: int = 40, width: int = 40, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A smooth blob on noise: (height, width, channels) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    light = 200 * np.exp(-np.hypot(x - width / 2, y - height / 2) / 8)[..., None] * np.linspace(1, 0.6, channels)
    return np.clip(light + rng.normal(20, 4, light.shape), 0, 255).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(**options: object) -> bytes:
    return encoded(Image.fromarray(frame()), "JPEG", quality=95, **options)


def fits_bytes(data: np.ndarray, kind: Callable[..., fits.PrimaryHDU] = fits.PrimaryHDU) -> bytes:
    buffer = io.BytesIO()
    kind(data).writeto(buffer)
    return buffer.getvalue()


# --- geometry


@pytest.mark.parametrize(
    "wrong", [{"field": 0}, {"field": 1.01}, {"field": np.nan}, {"size": 0}, {"size": 4097}, {"channels": 0}]
)
def test_a_geometry_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(PackError):
        Geometry(**wrong)  # type: ignore[arg-type]


def test_a_geometry_survives_its_manifest() -> None:
    assert Geometry.from_dict(Geometry(0.6, 96, 1).as_dict()) == Geometry(0.6, 96, 1)


def brute_force(image: np.ndarray, geometry: Geometry, fine: int) -> np.ndarray:
    """Area average by cutting every pixel into fine x fine and averaging the pieces of each output pixel."""
    height, width, channels = image.shape
    left, top, right, _ = (round(edge * fine) for edge in geometry.box(height, width))
    pieces = image.repeat(fine, axis=0).repeat(fine, axis=1)[top : top + right - left, left:right].astype(float)
    block = (right - left) // geometry.size
    return pieces.reshape(geometry.size, block, geometry.size, block, channels).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("height", "width", "field", "size", "fine"),
    [
        (40, 40, 1.0, 20, 1),
        (40, 52, 0.75, 10, 1),
        (41, 30, 0.5, 5, 2),
        (30, 30, 0.8, 16, 2),
        (50, 50, 0.66, 22, 2),
        (45, 45, 1.0, 30, 2),
    ],
)
def test_pixels_are_exact_area_averages(height: int, width: int, field: float, size: int, fine: int) -> None:
    image, geometry = frame(height, width), Geometry(field, size)
    np.testing.assert_allclose(resample(image, geometry), brute_force(image, geometry, fine), atol=1e-3)


@given(
    height=st.integers(8, 70),
    width=st.integers(8, 70),
    field=st.floats(0.2, 1),
    size=st.integers(1, 80),
    value=st.integers(0, 255),
)
@settings(max_examples=80, deadline=None)
def test_any_geometry_keeps_a_flat_frame_flat_and_a_symmetric_one_symmetric(
    height: int, width: int, field: float, size: int, value: int
) -> None:
    geometry = Geometry(field, size)
    flat = resample(np.full((height, width, 2), value, np.uint8), geometry)
    np.testing.assert_allclose(flat, value, atol=1e-3)
    image = frame(height, width)
    turned = resample(image[::-1, ::-1], geometry)[::-1, ::-1]
    np.testing.assert_allclose(turned, resample(image, geometry), atol=1e-3)


@given(side=st.integers(8, 60), size=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_light_is_conserved_over_the_whole_frame(side: int, size: int) -> None:
    if size > side:
        return  # magnified: bilinear, which keeps brightness but not the mean
    image = frame(side, side)
    np.testing.assert_allclose(
        resample(image, Geometry(1.0, size)).mean(axis=(0, 1)), image.mean(axis=(0, 1)), rtol=1e-4
    )


@pytest.mark.parametrize("channels", [1, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int32])
def test_each_channel_is_resampled_as_if_it_were_alone(channels: int, dtype: type[np.generic]) -> None:
    image = np.random.default_rng(channels).integers(0, 255, (37, 52, channels)).astype(dtype)
    for geometry in (Geometry(0.8, 11), Geometry(1.0, 61)):
        whole = resample(image, geometry)
        for channel in range(channels):
            alone = resample(image[:, :, [channel] * 3].astype(np.uint8), geometry)
            np.testing.assert_array_equal(whole[:, :, [channel] * 3], alone)


@given(height=st.integers(8, 70), width=st.integers(8, 70), size=st.integers(1, 80), channels=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_rounded_means_are_the_nearest_whole_numbers(height: int, width: int, size: int, channels: int) -> None:
    image = np.random.default_rng(size).integers(0, 256, (height, width, channels), dtype=np.uint8)
    rounded = resample(image, Geometry(0.9, size), rounded=True)
    assert rounded.dtype == np.uint8
    np.testing.assert_array_equal(rounded, np.rint(resample(image, Geometry(0.9, size))))


def test_a_file_is_read_to_its_end_whatever_its_size_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "file", os.read
    for said, at_once in ((0, 99), (4, 99), (10, 3), (10, 10), (12, 99)):
        path.write_bytes(b"0123456789")
        size = type("Status", (), {"st_size": said, "st_mode": stat.S_IFREG})
        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", lambda _, size=size: size)
            patch.setattr(os, "read", lambda file, n, most=at_once: real(file, min(n, most)))
            assert read_bytes(path) == b"0123456789"


def test_a_library_that_is_not_whole_is_no_bad_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tuningfork.images.fits", None)
    monkeypatch.delattr("tuningfork.images.fits", raising=False)
    with pytest.raises(ImportError):
        decode(b"SIMPLE  =", Geometry(1.0, 8))


def test_what_no_folder_can_keep_is_compiled_all_the_same() -> None:
    of_no_file: dict[str, Callable[[np.ndarray], None]] = {}
    exec("def double(values):\n    for index in range(len(values)):\n        values[index] *= 2", of_no_file)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(of_no_file["double"])
    values = np.arange(3.0)
    Compiled(of_no_file["double"])(values)
    assert values.tolist() == [0, 2, 4]


def test_what_was_compiled_and_then_damaged_costs_no_image(tmp_path: Path) -> None:
    script = (
        "from concurrent.futures import ThreadPoolExecutor\nimport numpy as np\n"
        "from tuningfork.images import Geometry\n"
        "from tuningfork.images.resample import resample\nframe = np.full((20, 20, 3), 7, np.uint8)\n"
        "with ThreadPoolExecutor(8) as threads:\n"
        "    print(sum(image.sum() for image in threads.map(resample, [frame] * 32, [Geometry(1.0, 5)] * 32)))"
    )

    def answer() -> str:
        place = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", script], env=place, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert answer() == "16800.0"
    for ending in (".nbc", ".nbi"):
        (file,) = tmp_path.rglob(f"*{ending}")
        file.write_bytes(file.read_bytes()[:100])
        assert answer() == "16800.0"


def test_a_frame_of_the_right_size_is_left_as_it_is() -> None:
    image = frame()
    pixels, note = decode(encoded(Image.fromarray(image)), Geometry(1.0, 40))
    np.testing.assert_array_equal(pixels, image)
    assert note is None
    pixels, _ = decode(encoded(Image.fromarray(image)), Geometry(0.5, 20))
    np.testing.assert_array_equal(pixels, image[10:30, 10:30])


def test_magnified_agrees_with_pillows_bilinear() -> None:
    image = frame()
    ours = resample(image, Geometry(1.0, 100))
    pillow = np.asarray(Image.fromarray(image).resize((100, 100), Image.Resampling.BILINEAR)).astype(float)
    np.testing.assert_allclose(ours, pillow, atol=1.01)  # Pillow rounds twice


# --- formats


def test_jpeg_agrees_with_pillows_decoder() -> None:
    data = jpeg(subsampling=0)
    pixels, note = decode(data, Geometry(1.0, 40))
    assert np.abs(pixels.astype(int) - np.asarray(Image.open(io.BytesIO(data))).astype(int)).max() <= 2
    assert note is None


def test_the_same_pixels_give_the_same_galaxy_in_every_lossless_format() -> None:
    image = Image.fromarray(frame())
    reference, _ = decode(encoded(image), WHOLE)
    for kind in ("TIFF", "BMP", "WEBP"):
        pixels, note = decode(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})), WHOLE)
        np.testing.assert_array_equal(pixels, reference)
        assert note is None


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_greyscale_is_spread_and_said(kind: str) -> None:
    data = encoded(Image.fromarray(frame(channels=1)[:, :, 0]), kind)
    pixels, note = decode(data, WHOLE)
    assert pixels.shape == (32, 32, 3)
    assert (pixels == pixels[:, :, :1]).all()
    assert note == "greyscale, spread over 3 channels"
    alone, note = decode(data, Geometry(1.0, 32, 1))
    np.testing.assert_array_equal(alone, pixels[:, :, :1])
    assert note is None


def test_colour_for_one_channel_is_averaged_and_said() -> None:
    pixels, note = decode(encoded(Image.fromarray(frame())), Geometry(1.0, 40, 1))
    np.testing.assert_array_equal(pixels[:, :, 0], np.rint(frame().mean(axis=2)).astype(np.uint8))
    assert note == "3 channels, averaged to one"


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_said(kind: str) -> None:
    deep = frame(channels=1)[:, :, 0].astype(np.uint16) * 257
    pixels, note = decode(encoded(Image.fromarray(deep), kind), Geometry(1.0, 40, 1))
    np.testing.assert_array_equal(pixels[:, :, 0], frame(channels=1)[:, :, 0])
    assert note == "16 bits, scaled to 8"


def test_print_colours_are_converted() -> None:
    pixels, _ = decode(encoded(Image.fromarray(frame()).convert("CMYK"), "JPEG", quality=95), Geometry(1.0, 40))
    assert np.abs(pixels.astype(int) - frame()).mean() < 6


BAD = {
    "a truncated JPEG": (lambda: jpeg()[:900], "truncated or damaged JPEG"),
    "a JPEG short of its last bytes": (lambda: jpeg()[:-40], "truncated or damaged JPEG"),
    "a JPEG of three bytes": (lambda: b"\xff\xd8\xff", "truncated or damaged JPEG"),
    "a truncated PNG": (lambda: encoded(Image.fromarray(frame()))[:1500], "truncated or damaged PNG"),
    "a truncated TIFF": (lambda: encoded(Image.fromarray(frame()), "TIFF")[:3000], "truncated|cannot be decoded"),
    "a truncated FITS": (lambda: fits_bytes(np.ones((40, 40)))[:5000], "truncated FITS: its header promises"),
    "a FITS header cut short": (lambda: fits_bytes(np.ones((40, 40)))[:400], "ends within a header"),
    "a truncated gzip": (lambda: gzip.compress(fits_bytes(np.ones((40, 40))))[:90], "gzip"),
    "a FITS without an image": (lambda: fits_bytes(None), "without an image"),
    "a FITS of four axes": (lambda: fits_bytes(np.ones((2, 3, 16, 16))), "4 axes"),
    "a FITS of bad pixels": (lambda: fits_bytes(np.full((20, 20), np.nan)), "holds no data"),
    "a FITS of two bands": (lambda: fits_bytes(np.ones((2, 20, 20))), "2 planes of unknown bands"),
    "text": (lambda: b"to do: download this galaxy\n", r"not an image \(it is text\)"),
    "a web page": (lambda: b"<!DOCTYPE html><html>404</html>", r"not an image \(it is text\)"),
    "noise": (lambda: np.random.default_rng(0).bytes(500), "not an image"),
    "nothing": (lambda: b"", "empty"),
    "one pixel": (lambda: encoded(Image.new("RGB", (1, 1))), "only 1 x 1 pixels"),
    "a sliver": (lambda: encoded(Image.new("RGB", (100, 7))), "only 100 x 7 pixels"),
    "floating-point TIFF": (lambda: encoded(Image.fromarray(np.ones((20, 20), np.float32)), "TIFF"), "floating-point"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_an_image_error_of_one_line(name: str) -> None:
    make, says = BAD[name]
    with pytest.raises(ImageError, match=says) as caught:
        decode(make(), WHOLE)
    assert "\n" not in str(caught.value)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_ends_in_anything_but_pixels_or_an_image_error(data: st.DataObject) -> None:
    """Cut anywhere, one stretch overwritten: whatever a disk or a download does to a file."""
    sources = [
        jpeg(),
        encoded(Image.fromarray(frame())),
        encoded(Image.fromarray(frame()), "TIFF"),
        fits_bytes(np.ones((3, 20, 20))),
    ]
    whole = bytearray(data.draw(st.sampled_from(sources)))
    start = data.draw(st.integers(0, len(whole) - 1))
    patch = data.draw(st.binary(max_size=20))
    whole[start : start + len(patch)] = patch
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        pixels, _ = decode(cut, WHOLE)
    except ImageError:
        return
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8


@given(cut=st.floats(0, 0.995))
@settings(max_examples=40, deadline=None)
def test_a_truncated_jpeg_is_never_half_a_galaxy(cut: float) -> None:
    data = jpeg()
    with pytest.raises(ImageError):
        decode(data[: int(len(data) * cut)], WHOLE)


# --- sources


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def items(source: str | Path, start: int = 0, id_column: str | None = None) -> list[Item]:
    opened = open_source(source, ImageOptions(id_column=id_column))
    found = list(opened.items(start))
    assert len(found) == opened.n - start
    assert [item.id_str for item in found] == opened.table["id_str"].iloc[start:].tolist()
    return found


def introduced(source: str | Path, options: ImageOptions | None = None) -> str:
    """What is said of a source before any work."""
    return introduce(open_source(source, options))


def ids(source: str | Path, start: int = 0, id_column: str | None = None) -> list[str]:
    return [item.id_str for item in items(source, start, id_column)]


def test_a_folder_is_read_in_natural_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name in (
        "10.jpg",
        "2.PNG",
        "a/1.fits.gz",
        "b10/x.tiff",
        "b9/y.jpeg",
        ".hidden.jpg",
        ".cache/3.jpg",
        "notes.txt",
    ):
        write(tmp_path / name, name.encode())
    assert ids(tmp_path) == ["2", "10", "1", "y", "x"]
    assert ids(tmp_path, 3) == ["y", "x"]
    assert [item.load() for item in items(tmp_path)][2] == b"a/1.fits.gz"


def test_stems_that_clash_become_paths_and_two_files_of_one_stem_are_one_galaxy(tmp_path: Path) -> None:
    for name in ("spiral/1.jpg", "round/1.jpg"):
        write(tmp_path / name, b"x")
    assert ids(tmp_path) == ["round/1", "spiral/1"]
    write(tmp_path / "round/1.png", b"x")
    assert [item.file_loc for item in items(tmp_path)] == [f"{tmp_path}/round/1.png", f"{tmp_path}/spiral/1.jpg"]
    assert "one galaxy: 1.png and not 1.jpg is read" in str(open_source(tmp_path).introduction)


def test_globs_and_single_images(tmp_path: Path) -> None:
    for name in ("a1.jpg", "a2.jpg", "b1.jpg"):
        write(tmp_path / name, b"x")
    (tmp_path / "a3.jpg").mkdir()
    assert ids(f"{tmp_path}/a*.jpg") == ["a1", "a2"]
    assert ids(tmp_path / "b1.jpg") == ["b1"]
    weird = write(tmp_path / "b[1].jpg", b"y")  # a name that is also a pattern is first of all a name
    assert [item.load() for item in items(weird)] == [b"y"]
    with pytest.raises(CatalogError, match="no file matches"):
        open_source(f"{tmp_path}/c*.jpg")


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no such file or folder: .*nowhere"):
        open_source(tmp_path / "nowhere")
    write(tmp_path / "notes.txt", b"x")
    with pytest.raises(CatalogError, match=r"no images in .*there are notes\.txt; images are \.jpg, \.png"):
        open_source(tmp_path)
    write(tmp_path / "pack.json", b"{}")
    with pytest.raises(CatalogError, match="is a pack already"):
        open_source(tmp_path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits", "vot"])
def test_a_catalog_names_its_images(tmp_path: Path, ending: str) -> None:
    from tuningfork.catalogs import write_table

    write(tmp_path / "images" / "one.jpg", b"one")
    far = write(tmp_path / "far" / "two.jpg", b"two")
    table = pd.DataFrame(
        {"id_str": ["0012", "7"], "file_loc": ["images/one.jpg", str(far)], "five_class": ["round", None]}
    )
    path = tmp_path / f"catalog.{ending}"
    write_table(table, path)
    assert [(item.id_str, item.load()) for item in items(path)] == [("0012", b"one"), ("7", b"two")]
    assert open_source(path).table["five_class"].fillna("-").tolist() == ["round", "-"]
    assert ids(tmp_path) == ["two", "one"], "a table among the images is no source unless it holds images"
    assert "left out: 1 file of other kinds" in introduced(tmp_path)


def test_a_catalogs_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("id_str,x\n1,2\n")
    with pytest.raises(CatalogError, match="names no images: it has neither file_loc nor an image"):
        open_source(path)
    path.write_text("id_str,file_loc\n1,a.jpg\n1,b.jpg\n")
    with pytest.raises(CatalogError, match=r"1 ids occur twice or more \(1\)"):
        open_source(path)
    path.write_text("id_str,file_loc\n1,\n2,\n")
    with pytest.raises(CatalogError, match="names no images: its file_loc is empty"):
        open_source(path)
    path.write_text("pgc,file_loc\n01,a.jpg\n")
    with pytest.raises(CatalogError, match="has no id column"):
        open_source(path)
    assert ids(path, id_column="pgc") == ["01"]
    assert "No such file" in str(
        next(decode_stream(open_source(path, ImageOptions(id_column="pgc")).items(), WHOLE)).error
    )


def test_a_fits_image_is_no_catalog(tmp_path: Path) -> None:
    path = write(tmp_path / "g.fits", fits_bytes(np.ones((3, 20, 20), np.float32)))
    assert ids(path) == ["g"]


def shard(
    path: Path, ids: list[str] | None, images: list[dict[str, object]], group: int = 3, **columns: list[object]
) -> Path:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    data = {"image": pa.array(images, kind)} | {name: pa.array(values) for name, values in columns.items()}
    table = pa.table(({"id_str": pa.array(ids)} if ids is not None else {}) | data)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


def images(*names: str) -> list[dict[str, object]]:
    return [{"bytes": name.encode(), "path": f"{name}.jpg"} for name in names]


@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=3).filter(any),
    group=st.integers(1, 4),
    start=st.integers(0, 27),
)
@settings(max_examples=30, deadline=None)
def test_shards_are_streamed_from_any_row(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], group: int, start: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    names = [f"g{row}" for row in range(sum(counts))]
    for index, (first, count) in enumerate(zip(np.cumsum([0, *counts]), counts, strict=False)):
        part = names[first : first + count]
        shard(folder / f"train-{index:05d}-of-{len(counts):05d}.parquet", part, images(*part), group)
    start = min(start, len(names))
    assert [(item.id_str, item.load().decode()) for item in items(folder, start)] == [(n, n) for n in names[start:]]


def test_the_split_comes_from_the_shards_names(tmp_path: Path) -> None:
    for name in ("test", "train", "validation"):
        shard(tmp_path / f"{name}-00000-of-00001.parquet", [name], images(name))
    write(tmp_path / "native" / "x.jpg", b"x")  # what lies in subfolders is not part of it
    table = open_source(tmp_path).table
    assert table["split"].tolist() == ["test", "train", "val"]
    assert table["file_loc"].tolist()[0] == "test-00000-of-00001.parquet#0"
    assert "image" not in table
    given = shard(tmp_path / "given" / "train-00000-of-00001.parquet", ["a"], images("a"), split=["test"])
    assert open_source(given).table["split"].tolist() == ["test"]


def test_shards_without_ids_take_file_names_else_row_numbers(tmp_path: Path) -> None:
    assert ids(shard(tmp_path / "a.parquet", None, images("NGC1", "NGC2"))) == ["NGC1", "NGC2"]
    assert ids(shard(tmp_path / "b.parquet", None, images("NGC1", "NGC1"))) == ["0", "1"]
    assert ids(shard(tmp_path / "c.parquet", None, images("NGC1"), pgc=[7]), id_column="pgc") == ["7"]


def test_an_image_by_path_and_one_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "x.jpg", b"x")
    rows: list[dict[str, object]] = [{"bytes": None, "path": "x.jpg"}, {"bytes": None, "path": None}]
    first, second = items(shard(tmp_path / "a.parquet", ["1", "2"], rows))
    assert first.load() == b"x"
    with pytest.raises(ImageError, match="empty in this row"):
        second.load()


def test_broken_shards_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", b"PAR1 not really")
    with pytest.raises(CatalogError, match=r"a\.parquet is not readable Parquet"):
        open_source(tmp_path)
    pd.DataFrame({"id_str": ["a"], "image": ["x.jpg"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(CatalogError, match=r"the column image is .*; a struct of bytes and path is needed"):
        open_source(tmp_path)
    shard(tmp_path / "a.parquet", ["a"], images("a"))
    shard(tmp_path / "b.parquet", ["a"], images("a"))
    with pytest.raises(CatalogError, match=r"1 ids occur twice or more \(a\)"):
        open_source(tmp_path)
    pd.DataFrame({"id_str": ["b"]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(CatalogError, match=r"b\.parquet has no column image"):
        open_source(f"{tmp_path}/*.parquet")
    assert "left out: 1 file of other kinds (.parquet)" in introduced(tmp_path)


def test_the_description_changes_when_a_file_does(tmp_path: Path) -> None:
    path = write(tmp_path / "1.jpg", b"cut sho")
    before = open_source(tmp_path).describe()
    assert before == open_source(tmp_path).describe()
    write(path, b"cut short, now whole")
    assert open_source(tmp_path).describe() != before
    parquet = shard(tmp_path / "p" / "a.parquet", ["1"], images("one"))
    before = open_source(parquet).describe()
    shard(parquet, ["1"], images("another one"))
    assert open_source(parquet).describe() != before


# --- streams


def test_a_stream_keeps_order_goes_on_after_bad_images_and_holds_few_at_once() -> None:
    lock, held, most = threading.Lock(), 0, 0

    def item(index: int) -> Item:
        nonlocal held, most
        with lock:
            held, most = held + 1, max(most, held + 1)
        data = b"no image" if index % 5 == 0 else encoded(Image.fromarray(frame(12, 12, seed=index)))
        return Item(str(index), f"{index}.png", lambda: data)

    count = 0
    for index, entry in enumerate(decode_stream((item(i) for i in range(400)), Geometry(1.0, 8), workers=2)):
        held -= 1
        count += 1
        assert entry.id_str == str(index)
        assert (entry.pixels is None) == (index % 5 == 0) == (entry.error is not None)
        if entry.pixels is not None:
            expected, _ = decode(encoded(Image.fromarray(frame(12, 12, seed=index))), Geometry(1.0, 8))
            np.testing.assert_array_equal(entry.pixels, expected)
    assert count == 400
    assert most <= 2 * 64 + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_a_bad_image(tmp_path: Path) -> None:
    write(tmp_path / "1.jpg", jpeg()).chmod(0)
    assert "Permission denied" in str(next(decode_stream(open_source(tmp_path).items(), WHOLE)).error)


@pytest.mark.parametrize("quality", [75, 95])
def test_a_reduced_decoding_is_the_area_average_but_for_rounding(quality: int) -> None:
    """Where the decoder gives half the frame, a smooth image comes out as by averaging the whole of it."""
    y, x = np.mgrid[:424, :424] - 200.0
    light = 220 * np.exp(-np.hypot(x, 1.5 * y) / 40)[..., None] * np.array([1.0, 0.8, 0.6])
    smooth = np.rint(light).astype(np.uint8)
    data = encoded(Image.fromarray(smooth), "JPEG", quality=quality)
    geometry = Geometry(0.9, 96, 3)
    assert reduction(424, 424, geometry) == 2
    pixels, _ = decode(data, geometry)
    whole = simplejpeg.decode_jpeg(data)
    averaged, _ = decode(whole, geometry)
    difference = pixels.astype(float) - averaged
    assert np.sqrt((difference**2).mean()) < 0.6
    assert abs(difference.mean()) < 0.1


@given(
    height=st.integers(8, 3000),
    width=st.integers(8, 3000),
    field=st.floats(0.05, 1),
    size=st.integers(1, 512),
)
def test_a_reduced_frame_stays_finer_than_what_is_asked_for(height: int, width: int, field: float, size: int) -> None:
    geometry = Geometry(field, size, 3)
    factor = reduction(height, width, geometry)
    assert factor in (1, 2, 4, 8)
    assert height % factor == width % factor == 0
    if factor > 1:
        assert geometry.field * min(height, width) / factor >= 1.5 * size


def test_streams_that_overlap_leave_the_interpreter_as_it_was() -> None:
    before = sys.getswitchinterval()
    items = [Item(f"g{index}", "", frame) for index in range(40)]
    first, second = (decode_stream(iter(items), WHOLE, workers=2) for _ in range(2))
    assert next(first).error is next(second).error is None
    first.close()
    assert len(list(second)) == 39
    assert sys.getswitchinterval() == before


def test_a_small_jpeg_is_not_reduced_away() -> None:
    pixels, _ = decode(encoded(Image.fromarray(frame(32, 32)), "JPEG"), Geometry(1.0, 2, 3))
    assert pixels.shape == (2, 2, 3)


def test_a_galaxy_without_a_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    Image.fromarray(frame(16, 16)).save(tmp_path / "a.png")
    (tmp_path / "c.csv").write_text("id_str,file_loc\n1,a.png\n2,\n")
    one, two = decode_stream(open_source(tmp_path / "c.csv").items(), Geometry(1.0, 16, 3))
    assert one.error is None
    assert two.id_str == "2"
    assert two.error == "the catalog names no file: its file_loc is empty"
