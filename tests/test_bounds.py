"""What an image or a table may ask of the machine: each hostile one is its own row, or one error, at no great cost."""

from __future__ import annotations

import errno
import gzip
import io
import itertools
import os
import resource
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import Counted
from tuningfork.catalogs import bounds, read_table
from tuningfork.catalogs.arrow_file import BATCHES, BLOCK, _batch, _blocks, _Table, _unpacked
from tuningfork.catalogs.delta import ENCODING, text_length
from tuningfork.catalogs.inflated import _delta_text, _longest_text, refuse_bombs
from tuningfork.catalogs.pages import HEADER, _CutError, _Header, pages
from tuningfork.catalogs.parquet import _refuse_hollow, _text, read_columns
from tuningfork.errors import MachineError, ModelError, TuningforkError
from tuningfork.explore.tables import open_table
from tuningfork.images import Geometry, Reading
from tuningfork.images.item import Item
from tuningfork.images.stream import Decoded, decode_item
from tuningfork.inference import predict
from tuningfork.models import build_encoder, load_model
from tuningfork.models.bounds import LARGEST_MAPS
from tuningfork.models.model import GALAXIES
from tuningfork.packs import make_pack
from tuningfork.sources import open_source

MEMORY = 1500  # MB above what was used before
SECONDS = 10  # of the processor
ZEROS = bytes(1 << 20)


def packed(head: bytes, mebibytes: int) -> bytes:
    """A gzip file of these bytes and many zeros."""
    return gzip.compress(head + ZEROS * mebibytes, 1)


def claims(*lengths: int) -> bytes:
    """The header of a FITS image of floats of these axes."""
    header = fits.PrimaryHDU(np.zeros((2, 2), np.float32)).header
    header["NAXIS"] = len(lengths)
    for axis, length in enumerate(lengths, start=1):
        header[f"NAXIS{axis}"] = length
    return header.tostring(endcard=True, padding=True).encode()


def jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose header says that it is large."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def png(side: int) -> bytes:
    """A PNG of so many pixels a side, all of them black."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = zlib.compressobj()
    packed = b"".join(row.compress(bytes(1 + 3 * side)) for _ in range(side)) + row.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def cube(planes: int) -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU(np.zeros((planes, 8, 8), np.float32)).writeto(buffer)
    return buffer.getvalue()


def units(number: int) -> bytes:
    buffer = io.BytesIO()
    images = [fits.ImageHDU(np.random.default_rng(0).random((40, 40), np.float32) / 100) for _ in range(number)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(buffer)
    return buffer.getvalue()


IMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a JPEG that says it is 65499 pixels wide": (lambda: jpeg(65499, 65499), "at most 56,250,000 are read"),
    "a PNG of 81 million pixels": (lambda: png(9000), "at most 56,250,000 are read"),
    "a FITS file that says it is large": (lambda: claims(40000, 40000) + bytes(2880), "truncated FITS"),
    "a gzip file of an image of 6 GB": (lambda: packed(claims(40000, 40000), 260), "unpacks to more than 256 MiB"),
    "a cube of 1500 planes": (lambda: cube(1500), "a cube of 1500 planes"),
    "400 units": (lambda: units(400), ""),
}


@pytest.mark.parametrize("name", IMAGES)
def test_whatever_an_image_says_it_is_answered_within_bounds(tmp_path: Path, name: str, counted: Counted) -> None:
    counted("bad inputs")
    make, said = IMAGES[name]
    path = tmp_path / "image"
    path.write_bytes(make())
    before, began = peak(), time.process_time()
    seen = decode(path)
    assert peak() - before < MEMORY
    assert time.process_time() - began < SECONDS
    assert said in (seen.error or "")
    assert bool(said) == (seen.error is not None)


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def decode(path: str | Path) -> Decoded:
    return decode_item((Item.of_file("1", str(path), path), {}), Geometry(0.9, 36, 3), Reading())


# --- files that are none


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/urandom", "pipe", "folder", "a\0b", "x" * 5000])
def test_what_is_no_regular_file_is_a_row_and_nothing_waits_for_it(tmp_path: Path, name: str, counted: Counted) -> None:
    counted("bad inputs")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    seen = decode(name if "\0" in name else tmp_path / name)
    assert seen.error is not None and seen.error.startswith("cannot be read: ")


def test_they_are_rows_of_a_table_of_predictions(model: Path, galaxies: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    files = [str(next((galaxies.parent / "images").iterdir())), "/dev/zero", str(tmp_path / "pipe"), "a\0b.jpg"]
    table = pa.table({"id_str": [*"1234"], "file_loc": files})
    pq.write_table(table, tmp_path / "table.parquet")
    predict(tmp_path / "table.parquet", tmp_path / "out.parquet", model=model, device="cpu", engine="torch")
    errors = pd.read_parquet(tmp_path / "out.parquet")["error"]
    assert errors.isna().tolist() == [True, False, False, False]


# --- faults of the machine


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_fault_of_the_machine_is_no_image_s(
    galaxies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The work stops, and the next run goes on and has every galaxy."""
    from tuningfork.images import item

    images, real = galaxies.parent / "images", os.open

    def failing(path: object, *rest: object) -> int:
        if str(path).endswith("g0007.jpg"):
            raise OSError(number, os.strerror(number))
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(item.os, "open", failing)
    with pytest.raises(MachineError, match=rf"g0007.jpg: {os.strerror(number)}.*run the same again"):
        make_pack(images, tmp_path / "pack", geometry=Geometry(0.9, 12, 3))
    monkeypatch.undo()
    assert make_pack(images, tmp_path / "pack", geometry=Geometry(0.9, 12, 3)).manifest["errors"] == []


def test_so_is_memory(galaxies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuningfork.images import jpeg as reader

    def failing(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reader, "read", failing)
    with pytest.raises(MachineError, match=r"\.jpg: out of memory"):
        make_pack(galaxies.parent / "images", tmp_path / "pack", geometry=Geometry(0.9, 12, 3))


# --- tables that unpack to far more than they are


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("t.csv", "w") as file:
        file.write(b"id_str,file_loc\n" + ZEROS * 140)


def repeated(path: Path) -> None:
    one = pa.table({name: pa.array(["a"] * 10**6).dictionary_encode() for name in ("id_str", "file_loc")})
    with pq.ParquetWriter(path, one.schema) as writer:
        for _ in range(30):
            writer.write_table(one)


def pixels(path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    image = pa.array([{"bytes": ZEROS * 140, "path": "x.png"}], kind)
    pq.write_table(pa.table({"id_str": ["1"], "image": image}), path, compression="zstd")


def hollow(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("images", (10**9, 16, 16, 3), "u1", chunks=(1000, 16, 16, 3), compression="gzip")


def fields(path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("id_str", "1A")]).header
    table["TFIELDS"] = 10**7
    primary = fits.PrimaryHDU().header.tostring().encode()
    path.write_bytes(primary + table.tostring(endcard=True, padding=True).encode() + bytes(2880))


def rows(path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("id_str", "1A")]).header
    table["NAXIS2"] = 10**9
    primary = fits.PrimaryHDU().header.tostring().encode()
    path.write_bytes(packed(primary + table.tostring(endcard=True, padding=True).encode(), 140))


def texts(path: Path) -> None:
    """One long text that every row repeats, in kilobytes."""
    number = pa.array([0] * 1000, pa.int32())
    table = {name: pa.DictionaryArray.from_arrays(number, ["a" * (1 << 20)]) for name in ("id_str", "file_loc")}
    pq.write_table(pa.table(table), path)


def differences(path: Path) -> None:
    """Texts that are written as what differs from the one before: nothing."""
    table = pa.table({"id_str": [*map(str, range(1000))], "file_loc": ["a" * (1 << 20)] * 1000})
    encodings = dict.fromkeys(table.column_names, "DELTA_BYTE_ARRAY")
    pq.write_table(table, path, use_dictionary=False, column_encoding=encodings, write_statistics=False)


def lists(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), ["a" * 100_000])
    rows = pa.ListArray.from_arrays(pa.array(range(0, 5001, 10), pa.int32()), text)
    pq.write_table(pa.table({"id_str": [*map(str, range(500))], "file_loc": ["x.jpg"] * 500, "tags": rows}), path)


def names(path: Path) -> None:
    images = pa.StructArray.from_arrays(
        [pa.array([b"x"] * 500), pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int32()), ["a" * (1 << 20)])],
        ["bytes", "path"],
    )
    pq.write_table(pa.table({"id_str": [*map(str, range(500))], "image": images}), path)


def lying(path: Path) -> None:
    """Pages of 200 MB, of which the metadata say that they are small."""
    table = pa.table({"id_str": ["1"], "file_loc": ["x.jpg"], "remark": ["a" * (200 << 20)]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    size = pq.read_metadata(path).row_group(0).column(2).total_uncompressed_size
    data, honest, less = path.read_bytes(), zigzag(size), zigzag(1000)
    head, foot = data[: -len(data) // 2], data[-len(data) // 2 :]
    at = foot.rfind(honest)
    padded = less[:-1] + bytes([less[-1] | 128]) + b"\x80" * (len(honest) - len(less) - 1) + b"\0"  # as long
    path.write_bytes(head + foot[:at] + padded + foot[at + len(honest) :])
    assert pq.read_metadata(path).row_group(0).column(2).total_uncompressed_size == 1000


def feather(path: Path) -> None:
    table = pa.table({"id_str": ["1"], "file_loc": ["x.jpg"], "remark": ["a" * (400 << 20)]})
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)


def feather_of_nothing(path: Path) -> None:
    """Columns of nulls take no bytes."""
    table = pa.table({"id_str": pa.nulls(10**9), "file_loc": pa.nulls(10**9)})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def feather_of_texts(path: Path) -> None:
    """One long text that every row repeats."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["a" * (1 << 20)])
    table = pa.table({"id_str": text, "file_loc": text})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def feather_of_views(path: Path) -> None:
    """Texts that all show the same megabyte."""
    one = pa.array(["a" * (1 << 20)], pa.string_view())
    views = pa.py_buffer(one.buffers()[1].to_pybytes() * 400)
    text = pa.Array.from_buffers(pa.string_view(), 400, [None, views, one.buffers()[2]])
    table = pa.table({"id_str": [*map(str, range(400))], "remark": text})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def feather_of_empty_lists(path: Path) -> None:
    nothing = pa.ListArray.from_arrays(pa.array([0, 10**8], pa.int32()), pa.nulls(10**8))
    table = pa.table({"id_str": ["1"], "remark": nothing})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def feather_of_runs(path: Path) -> None:
    text = pa.RunEndEncodedArray.from_arrays([400], ["a" * (1 << 20)])
    table = pa.table({"id_str": [*map(str, range(400))], "remark": text})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def feather_packed_as_of_old(path: Path) -> None:
    """Arrow's first way of packing, of which a batch's own words say nothing."""
    packed = pa.Codec("zstd").compress(ZEROS * 200).to_pybytes()
    data = struct.pack("<q", 200 << 20) + packed
    column = pa.Array.from_buffers(pa.int8(), len(data), [None, pa.py_buffer(data)])
    batch = pa.record_batch([column], names=["id_str"])
    options = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4)
    with pa.ipc.new_file(path, batch.schema, options=options) as writer:
        writer.write_batch(batch, custom_metadata={"ARROW:experimental_compression": "zstd"})


def feather_of_one_batch_often(path: Path) -> None:
    """The footer names the same batch a thousand times."""
    table, found = pa.table({"id_str": ["1"]}), io.BytesIO()
    with pa.ipc.new_file(found, table.schema) as writer:
        writer.write_table(table)
    data = found.getvalue()
    length = int.from_bytes(data[-10:-6], "little")
    block = next(_Table.root(data[-10 - length : -10]).structs(BATCHES, BLOCK))
    fields = struct.pack("<6H", 12, 8, 0, 0, 0, 4)
    footer = (
        struct.pack("<I", 16) + fields + struct.pack("<iI", 12, 4) + struct.pack("<I", 1000) + BLOCK.pack(*block) * 1000
    )
    path.write_bytes(data[: -10 - length] + footer + struct.pack("<i", len(footer)) + b"ARROW1")


def fixed(path: Path) -> None:
    """A dictionary of one long value of a fixed length, that every row repeats."""
    one = pa.array([b"a" * (1 << 20)] * 1000, pa.binary(1 << 20))
    pq.write_table(pa.table({"id_str": [*map(str, range(1000))], "remark": one}), path, write_statistics=False)


def hidden_differences(path: Path) -> None:
    """Texts written as differences, of which the metadata say that they are written out."""
    differences(path)
    data = path.read_bytes()
    foot = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    hidden = bytearray(data)
    for at in range(foot, len(data) - 8):
        if data[at : at + 2] in (b"\x25\x0e", b"\x06\x0e", b"\x0e\x06"):
            hidden[at + data[at : at + 2].index(0x0E)] = 0
    path.write_bytes(bytes(hidden))
    assert "DELTA_BYTE_ARRAY" not in pq.read_metadata(path).row_group(0).column(1).encodings


def zigzag(number: int) -> bytes:
    """A whole number as Thrift writes it."""
    number, text = 2 * number, b""
    while number > 127:
        number, text = number >> 7, text + bytes([number & 127 | 128])
    return text + bytes([number])


TABLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "table.csv.gz": (lambda path: path.write_bytes(packed(b"id_str,file_loc\n", 140)), "unpacks to more than"),
    "table.csv.zip": (zipped, "unpacks to more than"),
    "rows.fits.gz": (rows, "unpacks to more than"),
    "rows.parquet": (repeated, "30,000,000 rows"),
    "pixels.parquet": (pixels, "unpacks to more than"),
    "texts.parquet": (texts, "its text unpacks to more than"),
    "differences.parquet": (differences, "its text unpacks to more than"),
    "lists.parquet": (lists, "its text unpacks to more than"),
    "names.parquet": (names, "its text unpacks to more than"),
    "lying.parquet": (lying, "unpacks to more than"),
    "hidden.parquet": (hidden_differences, "its text unpacks to more than"),
    "fixed.parquet": (fixed, "its text unpacks to more than"),
    "views.feather": (feather_of_views, "its text unpacks to more than"),
    "lists.feather": (feather_of_empty_lists, "list<item: null>, which is not read"),
    "runs.feather": (feather_of_runs, "'remark' is of type run_end_encoded"),
    "old.feather": (feather_packed_as_of_old, "unpacks to more than"),
    "often.feather": (feather_of_one_batch_often, "two batches share bytes"),
    "table.feather": (feather, "unpacks to more than"),
    "nothing.feather": (feather_of_nothing, "1,000,000,000 rows"),
    "texts.feather": (feather_of_texts, "its text unpacks to more than"),
    "rows.h5": (hollow, "1,000,000,000 rows"),
    "fields.fits": (fields, "can't be read as a table"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_holds_far_more_than_its_bytes_is_refused_before_memory_is_taken(
    tmp_path: Path, name: str, counted: Counted
) -> None:
    counted("bad inputs")
    make, said = TABLES[name]
    make(tmp_path / name)
    before, began = peak(), time.process_time()
    with pytest.raises(TuningforkError, match=said):
        open_source(tmp_path / name)
    assert peak() - before < MEMORY
    assert time.process_time() - began < SECONDS


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_file_of_arrow_s_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """Whatever byte is another, and wherever it ends."""
    path = tmp_path_factory.mktemp("arrow") / "t.feather"
    table = pa.table({"id_str": ["1", "2"], "kind": pa.array(["a", "b"]).dictionary_encode(), "z": [0.5, None]})
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(6, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole[: data.draw(st.integers(len(whole) // 2, len(whole)) | st.just(len(whole)))]))
    try:
        assert len(read_table(path)) > 0
    except TuningforkError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("packed", ["lz4", "zstd", None])
def test_an_arrow_file_s_batches_are_added_up(tmp_path: Path, packed: str | None) -> None:
    path, n = tmp_path / "t.feather", 3
    table = pa.table({"id_str": [*map(str, range(1000))], "kind": pa.array(["a"] * 1000).dictionary_encode()})
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(compression=packed)) as writer:
        for _ in range(n):
            writer.write_table(table)
    with path.open("rb") as file:
        batches = [_batch(file, block) for block in _blocks(file, path)]
    assert [batch.rows for batch in batches] == [1, *[1000] * n]  # the dictionary has one text
    exact = n * (4 * 1001 + sum(len(str(number)) for number in range(1000)) + 4 * 1000)
    assert exact <= sum(batch.unpacked for batch in batches) < exact + 500
    assert len(read_table(path)) == 1000 * n


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_text_written_as_differences_is_counted_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    texts = data.draw(st.lists(st.none() | st.text(max_size=12), min_size=1, max_size=400))
    nested, path = data.draw(st.booleans()), tmp_path_factory.mktemp("differences") / "t.parquet"
    column = pa.array([[text, text] for text in texts]) if nested else pa.array(texts, pa.string())
    name = "t.list.element" if nested else "t"
    pq.write_table(
        pa.table({"t": column.cast(pa.list_(pa.string())) if nested else column}),
        path,
        use_dictionary=False,
        column_encoding={name: "DELTA_BYTE_ARRAY"},
        compression=data.draw(st.sampled_from(["none", "snappy", "zstd", "lz4", "gzip"])),
        data_page_version=data.draw(st.sampled_from(["1.0", "2.0"])),
        data_page_size=data.draw(st.sampled_from([100, 1 << 20])),
    )
    metadata = pq.read_metadata(path)
    chunk = metadata.row_group(0).column(0)
    with path.open("rb") as file:
        counted = sum(
            _delta_text(file, chunk, page, metadata.schema.column(0))
            for page in [*pages(file, chunk)]
            if page.encoding == ENCODING
        )
    assert counted == sum(len((text or "").encode()) for text in texts) * (2 if nested else 1)


def long_texts(path: Path) -> None:
    """Three texts of 60 MB, in kilobytes."""
    with pq.ParquetWriter(path, pa.schema({"id_str": pa.string()}), compression="zstd", use_dictionary=False) as writer:
        for _ in range(3):
            writer.write_table(pa.table({"id_str": ["a" * (60 << 20)]}))


EXPLORED = {
    "texts.parquet": (texts, "its text unpacks to more than"),
    "long.parquet": (long_texts, "unpacks to more than"),
}


@pytest.mark.parametrize("name", EXPLORED)
def test_the_explorer_refuses_them_too(tmp_path: Path, name: str, counted: Counted) -> None:
    counted("bad inputs")
    make, said = EXPLORED[name]
    make(tmp_path / name)
    before = peak()
    with pytest.raises(TuningforkError, match=said):
        open_table(tmp_path / name).read("id_str")
    assert peak() - before < MEMORY


def test_a_row_of_a_text_that_all_repeat_is_read_alone(tmp_path: Path) -> None:
    texts(tmp_path / "t.parquet")
    before = peak()
    assert open_table(tmp_path / "t.parquet").row(999)["file_loc"] == "a" * (1 << 20)
    assert peak() - before < 300


def test_pages_are_looked_at_once_and_are_no_more_than_a_file_of_its_size_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """Of 5,000 pages each header is read alone, not all that follows it."""
    counted("bad inputs")
    path, n = tmp_path / "t.parquet", 5000
    table = pa.table({"x": np.arange(n)})
    pq.write_table(table, path, use_dictionary=False, data_page_size=1, write_batch_size=1, write_statistics=False)
    with path.open("rb", buffering=0) as source:
        chunk = pq.read_metadata(path).row_group(0).column(0)
        read = Reads(source)
        assert len(list(pages(read, chunk))) == n  # type: ignore[arg-type]
    assert read.bytes <= n * HEADER
    monkeypatch.setattr(bounds, "FEW_PAGES", 1000)
    with pytest.raises(TuningforkError, match=r"more than 1,000 pages"), path.open("rb") as source:
        read_columns(source, ["x"], path)


class Reads:
    """A file of which it is counted how much is read."""

    def __init__(self, file: Any) -> None:
        self.file, self.bytes, self.seek = file, 0, file.seek

    def read(self, length: int) -> bytes:
        data: bytes = self.file.read(length)
        self.bytes += len(data)
        return data


def test_a_long_header_of_a_page_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the least and the largest text, of 1 KB each."""
    monkeypatch.setattr("tuningfork.catalogs.pages.HEADER", 256)
    table = pa.table({"id_str": ["a" * 1000, "b" * 1000]})
    pq.write_table(table, tmp_path / "t.parquet", use_dictionary=False, compression="none")
    chunk = pq.read_metadata(tmp_path / "t.parquet").row_group(0).column(0)
    with (tmp_path / "t.parquet").open("rb", buffering=0) as source:
        read = Reads(source)
        (page,) = pages(read, chunk)  # type: ignore[arg-type]
    assert read.bytes > 256
    assert (page.start + page.packed, page.values) == (chunk.data_page_offset + chunk.total_compressed_size, 2)


def test_a_table_that_packs_well_is_read(tmp_path: Path) -> None:
    """800,000 numbers that are all alike."""
    table = pd.DataFrame(np.zeros((20_000, 40), np.int8)).add_prefix("vote_")
    table.insert(0, "file_loc", [f"{row}.jpg" for row in range(len(table))])
    table.to_csv(tmp_path / "table.csv.gz", index=False)
    table.to_parquet(tmp_path / "table.parquet", index=False)
    for name in ("table.csv.gz", "table.parquet"):
        assert open_source(tmp_path / name).n == len(table)


def test_text_that_repeats_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id_str": ["1", "2", None],
            "file_loc": ["x.jpg"] * 3,
            "tags": [["a", "b"], [], None],
            "where": [{"survey": "s", "release": None}] * 3,
            "text": pa.array(["x", None, "x"], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    with (tmp_path / "t.parquet").open("rb") as source:
        assert read_columns(source, table.column_names, tmp_path / "t.parquet").equals(table)


# --- networks


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [("plain", 2048, {"width": 64}), ("efficientnet_b3", 2048, {}), ("conv-dense", 512, {"stages": [[1000]]})],
)
def test_a_network_of_huge_maps_is_refused_before_memory_is_taken(name: str, size: int, options: dict) -> None:
    before = peak()
    with pytest.raises(ModelError, match="makes maps of"):
        build_encoder(name, channels=3, size=size, options=options)
    assert peak() - before < 300


def test_of_large_maps_fewer_are_looked_at_together(model: Path) -> None:
    network = load_model(model).members[0]
    assert network.at_once == GALAXIES
    network.encoder.largest_map = LARGEST_MAPS // 3  # type: ignore[assignment]
    seen: list[int] = []
    network.encoder.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    pixels = torch.zeros(8, *[network.spec.geometry.size] * 2, network.spec.geometry.channels, dtype=torch.uint8)
    network.infer(pixels)
    assert seen == [3, 3, 2]


# --- what tells of sizes, to the byte


def of_size(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)  # takes no place on a disk
    return path


@pytest.mark.parametrize(
    ("size", "unpacked", "cells", "rows"),
    [(1, 128 << 20, 1 << 24, 1 << 20), (10_000_000, 400_000_000, 80_000_000, 10_000_000)],
)
def test_a_file_may_hold_so_much_and_no_more(tmp_path: Path, size: int, unpacked: int, cells: int, rows: int) -> None:
    path = of_size(tmp_path / "t", size)
    bounds.refuse_inflated(path, unpacked)
    with pytest.raises(TuningforkError, match=f"its text unpacks to more than {unpacked >> 20} MiB"):
        bounds.refuse_inflated(path, unpacked + 1, "its text")
    columns = cells // rows
    bounds.refuse_cells(path, rows, columns, cells)
    for beyond, said in (
        ((rows + 1, 1), f"{rows + 1:,} rows"),
        ((rows, columns + 1), f"{columns + 1} columns"),
        ((0, 0, cells + 1), f"{cells + 1:,} values"),
    ):
        with pytest.raises(TuningforkError, match=said):
            bounds.refuse_cells(path, *beyond)
    assert bounds.most_pages(size) == 1 << 17
    assert bounds.most_pages(1 << 30) == 1 << 22


def varint(number: int) -> bytes:
    """An unsigned whole number of up to 64 bits, seven at a time."""
    text = b""
    while number > 127:
        number, text = number >> 7, text + bytes([number & 127 | 128])
    return text + bytes([number])


def signed(number: int) -> bytes:
    return varint((number << 1) ^ (number >> 63))


THRIFT = st.recursive(
    st.tuples(st.just("truth"), st.booleans())
    | st.tuples(st.sampled_from(["i16", "i32", "i64"]), st.integers(-(2**31), 2**31 - 1))
    | st.tuples(st.just("text"), st.binary(max_size=20) | st.just(bytes(200)))
    | st.tuples(st.sampled_from(["byte", "float"]), st.none()),
    lambda inner: (
        st.tuples(st.just("table"), st.dictionaries(st.integers(1, 60), inner, max_size=4))
        | st.tuples(st.sampled_from(["list", "set"]), st.integers(0, 20), inner)
    ),
    max_leaves=6,
)
KINDS = {"byte": 3, "i16": 4, "i32": 5, "i64": 6, "float": 7, "text": 8, "list": 9, "set": 10, "table": 12}


def thrift(value: tuple[Any, ...], *, inside: bool = False) -> tuple[int, bytes, object]:
    """The type, the bytes and what is to be read of a value, as Thrift's compact protocol has it."""
    kind = value[0]
    if kind == "truth":  # of a field the type says it, in a list a byte does
        return (1 if value[1] or inside else 2), (bytes([1 if value[1] else 2]) if inside else b""), value[1]
    if kind == "table":
        data, last = b"", 0
        for field, part in sorted(value[1].items()):
            code, content, _ = thrift(part)
            head = bytes([(field - last) << 4 | code]) if field - last < 16 else bytes([code]) + signed(field)
            data, last = data + head + content, field
        return KINDS[kind], data + b"\0", {field: thrift(part)[2] for field, part in value[1].items()}
    if kind in ("list", "set"):
        code, content, _ = thrift(value[2], inside=True)
        head = bytes([value[1] << 4 | code]) if value[1] < 15 else bytes([0xF0 | code]) + varint(value[1])
        return KINDS[kind], head + content * value[1], None
    if kind == "text":
        return KINDS[kind], varint(len(value[1])) + value[1], None
    if kind in ("byte", "float"):
        return KINDS[kind], bytes(1 if kind == "byte" else 8), None
    return KINDS[kind], signed(value[1]), value[1]


@settings(max_examples=60, deadline=None)
@given(fields=st.dictionaries(st.integers(1, 60), THRIFT, min_size=1, max_size=3), share=st.floats(0, 0.999))
def test_headers_are_read_as_thrift_writes_them(fields: dict[int, Any], share: float) -> None:
    _, data, expected = thrift(("table", fields))
    header = _Header(data + b"what follows")
    assert (header.table(), header.at) == (expected, len(data))
    with pytest.raises(_CutError):
        _Header(data[: int(share * len(data))]).table()


def test_headers_that_no_writer_writes_are_refused() -> None:
    def nested(deep: int) -> bytes:
        return bytes([0x1C]) * deep + bytes(deep + 1)  # the first field of each table is a table

    deepest = _Header(nested(16)).table()
    for _ in range(16):
        deepest = deepest[1]  # type: ignore[assignment]
    assert deepest == {}
    with pytest.raises(ValueError, match="nested too deeply"):
        _Header(nested(17)).table()
    assert _Header(bytes([0x19]) * 16 + bytes(2)).table() == {1: None}  # the inmost of 16 lists in each other is empty
    with pytest.raises(ValueError, match="nested too deeply"):
        _Header(bytes([0x19]) * 5000).table()
    for kind in (0, 11, 13, 14, 15):
        with pytest.raises(ValueError, match="damaged"):
            _Header(bytes([0x10 | kind, 1, 1, 0])).table()
    assert _Header(bytes([0x16]) + signed(-(2**63)) + bytes(1)).table() == {1: -(2**63)}
    long = _Header(bytes([0x16]) + b"\xff" * 10 + bytes([0x11, 0]))  # of more bytes than a number has: ten are read
    assert long.table().keys() == {1, 2}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_pages_are_all_that_a_file_of_parquet_holds(tmp_path: Path, version: str, compression: str) -> None:
    path, n = tmp_path / "t.parquet", 3000
    schema = pa.schema([pa.field("plain", pa.float64(), nullable=False), ("coded", pa.string())])
    columns = {"plain": np.random.default_rng(0).random(n), "coded": ["a", None, "b"] * (n // 3)}
    table = pa.table(columns, schema=schema)
    options = {
        "data_page_version": version,
        "compression": compression,
        "data_page_size": 4000,
        "write_batch_size": 100,
    }
    pq.write_table(table, path, row_group_size=1000, use_dictionary=["coded"], **options)
    metadata = pq.read_metadata(path)
    with path.open("rb") as file:
        for group, place in itertools.product(range(3), range(2)):
            chunk = metadata.row_group(group).column(place)
            found = list(pages(file, chunk))
            assert sum(page.values for page in found if not page.dictionary) == 1000
            assert [page.dictionary for page in found] == [place == 1] + [False] * (len(found) - 1)
            assert place == 1 or len(found) > 1
            begins = [chunk.dictionary_page_offset if place else chunk.data_page_offset]
            begins += [page.start + page.packed for page in found]
            assert begins[-1] == begins[0] + chunk.total_compressed_size  # each follows the one before
            heads = sum(page.start - before for before, page in zip(begins, found, strict=False))
            assert sum(page.unpacked for page in found) + heads == chunk.total_uncompressed_size
            assert {page.encoding for page in found if not page.dictionary} == {8 if place else 0}
            assert {page.levels_inside for page in found if not page.dictionary} == {version == "1.0"}
            if version == "2.0":  # the levels of what is missing stand before, as they are
                assert all((page.plain > 0) == (place == 1) for page in found if not page.dictionary)
            if place:
                text = found[0]
                assert text.values == 2 and _longest_text(file, chunk, text) == 1
        cut = io.BytesIO(path.read_bytes()[: begins[0] + 3])
        with pytest.raises(ValueError, match="cut or too long"):
            list(pages(cut, chunk))
    assert {page.dictionary for page in found} == {True, False}


def differences_packed(numbers: list[int], block: int, parts: int) -> bytes:
    """Parquet's DELTA_BINARY_PACKED of whole numbers."""
    data = varint(block) + varint(parts) + varint(len(numbers)) + signed(numbers[0] if numbers else 0)
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    size = block // parts
    for start in range(0, len(steps), block):
        here = steps[start : start + block]
        least = min(here)
        runs = [[step - least for step in here[place : place + size]] for place in range(0, block, size)]
        widths = [max(run).bit_length() if run else 7 for run in runs]  # of an empty run nothing is written
        data += signed(least) + bytes(widths)
        for run, width in zip(runs, widths, strict=True):
            if run:
                bits = sum(step << (width * place) for place, step in enumerate(run))
                data += bits.to_bytes(width * size // 8, "little")
    return data


LENGTHS = st.lists(st.integers(0, 300) | st.integers(0, 2**40), max_size=70)


@settings(max_examples=60, deadline=None)
@given(shared=LENGTHS, layout=st.sampled_from([(128, 4), (8, 1), (32, 4), (64, 2)]), data=st.data())
def test_lengths_that_are_packed_as_differences_are_summed(
    shared: list[int], layout: tuple[int, int], data: st.DataObject
) -> None:
    own = data.draw(st.lists(st.integers(0, 500), min_size=len(shared), max_size=len(shared)))
    whole = differences_packed(shared, *layout) + differences_packed(own, *layout)
    assert text_length(whole + b"the rests", len(own)) == sum(shared) + sum(own)
    for wrong, most in (
        (whole[:-1], len(own)),
        (whole, len(own) - 1),
        (differences_packed(shared, *layout) + differences_packed([*own, 1], *layout), len(own) + 1),
        (differences_packed([*shared, -1], *layout) + differences_packed([*own, 5], *layout), len(own) + 1),
        (differences_packed([*shared, 5], *layout) + differences_packed([*own, -1], *layout), len(own) + 1),
    ):
        with pytest.raises(ValueError, match="length"):
            text_length(wrong, most)


def test_lengths_that_no_writer_packs_are_refused() -> None:
    fine = [5, 7]
    for block, parts in ((8, 0), (0, 1), (12, 1), (24, 2), (1 << 21, 1), (8, 16)):
        head = varint(block) + varint(parts) + varint(2) + signed(5)
        with pytest.raises(ValueError, match="damaged"):
            text_length(head + signed(2) + bytes(200) + differences_packed(fine, 8, 1), 2)
    assert text_length(differences_packed([*range(9)], 32, 4) * 2, 9) == 72  # its first run of four is full
    large = differences_packed(fine, 1 << 20, 1)
    assert text_length(large * 2, 2) == 24
    wide = varint(8) + varint(1) + varint(2) + signed(5) + signed(0)
    steps = (3).to_bytes(8, "little") + bytes(56)
    assert text_length((wide + bytes([64]) + steps) * 2, 2) == 2 * (5 + 8)
    with pytest.raises(ValueError, match="damaged"):
        text_length((wide + bytes([65]) + bytes(65)) * 2, 2)
    with pytest.raises(ValueError, match="a number is too long"):
        text_length(b"\xff" * 10 + b"\x01" + bytes(99), 2)
    assert text_length(differences_packed([2**62], 8, 1) + differences_packed([0], 8, 1), 1) == 2**62


def test_columns_whose_text_is_longest_are_read_in_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of a column, and each entry of its dictionary, may hold the longest text of that."""
    path, n = tmp_path / "t.parquet", 1000
    texts = {"short": ["aaa", "bbbbbbbbb", "c"], "long": ["d", "e" * 40], "one": ["f"]}
    table = pa.table({name: [own[row % len(own)] for row in range(n)] for name, own in texts.items()})
    pq.write_table(table, path)
    metadata = pq.read_metadata(path)
    monkeypatch.setattr(bounds, "RATIO", 0)
    one, two, all_three = 1001, 1001 + 9 * 1003, 1001 + 9 * 1003 + 40 * 1002
    for small, coded in (
        (all_three, []),
        (all_three - 1, ["long"]),
        (two, ["long"]),
        (two - 1, ["short", "long"]),
        (one, ["short", "long"]),
    ):
        monkeypatch.setattr(bounds, "SMALL", small)
        with path.open("rb") as source:
            assert refuse_bombs(source, metadata, [*texts], path) == coded
    monkeypatch.setattr(bounds, "SMALL", 40 * 1002)
    with path.open("rb") as source:
        assert refuse_bombs(source, metadata, ["long"], path) == []
        assert refuse_bombs(source, metadata, ["one", "long"], path) == ["long"]
        assert read_columns(source, ["one", "long"], path).equals(table.select(["one", "long"]))


def test_text_counts_as_often_as_it_stands_in_rows() -> None:
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, None], pa.int32()), ["ab", "cdef"])
    numbers = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, None], pa.int32()), [10, 20])
    views = pa.array(["xyz", None, "p" * 40, "q"], pa.string_view())
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 4], pa.int32()), codes)
    for column, length in (
        (codes, 10),
        (codes.slice(1, 2), 8),
        (numbers, 0),
        (views, 44),
        (views.slice(1, 2), 40),
        (lists, 10),
        (lists.slice(1), 8),
        (pa.StructArray.from_arrays([codes, views, numbers], ["a", "b", "c"]), 54),
        (pa.MapArray.from_arrays(pa.array([0, 2, 3], pa.int32()), codes.slice(0, 3), codes.slice(1, 3)), 10 + 8),
        (pa.array(["plain", "text"]), 0),
        (pa.chunked_array([codes, codes]), 20),
    ):
        assert _text(column) == length, column.type


def test_types_of_which_few_bytes_are_many_values_are_not_read(tmp_path: Path) -> None:
    text, none = pa.string(), pa.null()
    solid = [
        *(text, pa.large_string(), pa.binary(), pa.large_binary(), pa.string_view(), pa.binary_view(), pa.int8()),
        *(pa.decimal128(9, 2), pa.bool_(), pa.timestamp("s"), pa.dictionary(pa.int8(), text)),
        *(pa.dictionary(pa.int8(), pa.int64()), pa.list_(text), pa.large_list(text), pa.list_(text, 2)),
        *(pa.map_(text, pa.int8()), pa.struct([("a", text), ("b", pa.list_(pa.int8()))]), none),
    ]
    hollow = [
        *(pa.list_(none), pa.large_list(none), pa.list_(none, 2), pa.struct([("a", text), ("b", none)])),
        *(pa.map_(text, none), pa.list_(pa.string_view()), pa.struct([("a", pa.binary_view())])),
        *(pa.run_end_encoded(pa.int32(), text), pa.map_(pa.string_view(), text), pa.dictionary(pa.int8(), none)),
    ]
    for kind in solid:
        _refuse_hollow(pa.schema({"a": pa.int8(), "b": kind}), tmp_path)
    for kind in hollow:
        with pytest.raises(TuningforkError, match=r"the column 'b' is of type .*, which is not read"):
            _refuse_hollow(pa.schema({"a": pa.int8(), "b": kind}), tmp_path)


@pytest.mark.parametrize("version", ["V4", "V5"])
@pytest.mark.parametrize("said", [None, {"of": "a survey"}])
def test_what_an_arrow_file_says_of_a_batch_does_not_make_it_packed(
    tmp_path: Path, version: str, said: dict[str, str] | None
) -> None:
    """Only of the fourth version do a batch's own words tell that; the first numbers here would be a huge length."""
    path, numbers = tmp_path / "t.feather", [2**62, 2**61, 3]
    batch = pa.record_batch([pa.array(["1", "2", "3"]), pa.array(numbers)], names=["id_str", "n"])
    options = pa.ipc.IpcWriteOptions(metadata_version=getattr(pa.ipc.MetadataVersion, version))
    with pa.ipc.new_file(path, batch.schema, options=options) as writer:
        writer.write_batch(batch, custom_metadata=said if version == "V5" else None)
    assert read_table(path)["n"].tolist() == numbers


def test_a_packed_buffer_says_its_length_itself() -> None:
    source = io.BytesIO(b"...." + struct.pack("<q", 1000) + struct.pack("<q", -1))
    for at, size, packed, length in (
        (4, 20, True, 1000),
        (4, 2000, True, 2000),
        (12, 20, True, 20),  # it is not packed
        (4, 20, False, 20),
        (4, 0, True, 0),
        (4, 1, True, 1000),
    ):
        assert _unpacked(source, at, size, packed=packed) == length
    with pytest.raises(ValueError, match="a buffer of -1 bytes"):
        _unpacked(source, 4, -1, packed=False)


def test_tables_of_arrow_headers_are_read_as_flatbuffers_have_them() -> None:
    """A table points back to the offsets of its fields; one that is not there has none, or lies beyond them."""
    fields = struct.pack("<5H", 10, 16, 4, 0, 8)  # the bytes of these, those of the table, three fields' places
    table = struct.pack("<iiq", 10, -7, 2**40)
    inner = struct.pack("<I", 12)
    data = struct.pack("<I", 14) + fields + table + inner
    root = _Table.root(data)
    assert root.start == 14
    assert [root.place(field) for field in range(5)] == [18, 0, 22, 0, 0]
    assert (root.number(0, "<i"), root.number(1, "<i"), root.number(2, "<q")) == (-7, 0, 2**40)
    with pytest.raises(ValueError, match="lacks a part"):
        root.table(1)
    listed = struct.pack("<I", 10) + struct.pack("<3H", 6, 8, 4) + struct.pack("<iI", 6, 4)
    listed += struct.pack("<I", 2) + struct.pack("<4q", 1, 2, 3, 4)
    assert list(_Table.root(listed).structs(0, struct.Struct("<qq"))) == [(1, 2), (3, 4)]
    assert list(_Table.root(listed).structs(1, struct.Struct("<qq"))) == []
    assert _Table.root(listed).table(0).start == 18
    with pytest.raises(ValueError, match="points outside itself"):
        _Table(struct.pack("<i", 100), 0).place(0)
    with pytest.raises(struct.error):
        list(_Table.root(listed[:-1]).structs(0, struct.Struct("<qq")))


def test_an_arrow_file_of_many_small_batches_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.feather"
    table = pa.table({"id_str": ["1"], "n": [1]})
    with pa.ipc.new_file(path, table.schema) as writer:
        for _ in range(10):
            writer.write_table(table)
    with path.open("rb") as file:
        buffers = sum(_batch(file, block).buffers for block in _blocks(file, path))
    monkeypatch.setattr(bounds, "PAGE", 1 << 30)
    monkeypatch.setattr(bounds, "FEW_PAGES", buffers)
    assert len(read_table(path)) == 10
    monkeypatch.setattr(bounds, "FEW_PAGES", buffers - 1)
    with pytest.raises(TuningforkError, match=f"more than {buffers} buffers"):
        read_table(path)
    for cut in (1, 5, 9, 11, 200):
        path.write_bytes(path.read_bytes()[:-cut])
        with pytest.raises(TuningforkError):
            read_table(path)
