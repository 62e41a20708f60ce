"""Packs: what is in them, and what is not there until they are whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuningfork.errors import CatalogError, OutputError, PackError, SchemaError
from tuningfork.files import read_json
from tuningfork.images import Geometry, decode
from tuningfork.manifests import base as manifests
from tuningfork.packs import direct, make, make_pack, open_pack, pixels
from tuningfork.packs.pixels import npy_header
from tuningfork.packs.twins import MARK, mark, twins
from tuningfork.schemas import load_schema

SMALL = Geometry(0.9, 12, 3)
OWN_SCHEMA = """
name = "mine"
title = "Two kinds"
kind = "classes"
label_column = "kind"
sources = ["this test"]
class = [{ name = "disc", label = "a disc" }, { name = "ball", label = "a ball" }]
"""


def picture(index: int) -> bytes:
    rng = np.random.default_rng(index)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of 30 images, of which 3 are bad and 1 is grey, and a table of labels beside it."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(30):
        (folder / f"g{index}.png").write_bytes(picture(index))
    (folder / "g4.png").write_bytes(picture(4)[:200])
    (folder / "g17.png").write_text("to do: download")
    (folder / "g29.png").write_bytes(b"")
    Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20).astype(np.uint8)).save(folder / "g5.png")
    kinds = ["round", "spiral"] * 15
    pd.DataFrame({"id_str": [f"g{i}" for i in range(30)], "five_class": kinds}).iloc[:28].to_csv(
        tmp_path / "labels.csv", index=False
    )
    return folder


def hashes_are_true(pack: Path) -> None:
    for name, recorded in json.loads((pack / "pack.json").read_text())["sha256"].items():
        assert recorded == hashlib.sha256((pack / name).read_bytes()).hexdigest(), name


def same(first: Path, second: Path) -> None:
    """The same pack to the byte, but for when it was made."""
    for name in ("pixels.npy", "catalog.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    manifests = [json.loads((path / "pack.json").read_text()) | {"created": ""} for path in (first, second)]
    assert manifests[0] == manifests[1]
    hashes_are_true(first)
    assert sorted(path.name for path in first.iterdir()) == ["catalog.parquet", "pack.json", "pixels.npy"]


def test_pixels_catalog_and_manifest_agree(source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = tmp_path / "labels.csv"
    with caplog.at_level(logging.INFO):
        pack = make_pack(source, tmp_path / "pack", labels=labels, schemas=["five-classes"], geometry=SMALL, seed=3)
    bad = ["g4", "g17", "g29"]
    assert pack.catalog["id_str"].tolist() == [f"g{i}" for i in range(30) if f"g{i}" not in bad]
    assert isinstance(pack.pixels, np.memmap)
    for row in (0, 4, 26):
        expected, _ = decode(Path(pack.catalog["file_loc"][row]).read_bytes(), SMALL)
        np.testing.assert_array_equal(pack.pixels[row], expected)
    assert pack.catalog["five_class"].fillna("-").tolist()[:3] == ["round", "spiral", "round"]
    assert pd.isna(pack.catalog["five_class"].iloc[-1])  # g28 has no label

    manifest = pack.manifest
    assert (manifest["format"], manifest["version"], manifest["n"]) == ("tuningfork-pack", 1, 27)
    assert [entry["id_str"] for entry in manifest["errors"]] == bad
    assert "truncated" in manifest["errors"][0]["error"]
    assert "text" in manifest["errors"][1]["error"]
    assert manifest["notes"]["greyscale, spread over 3 channels"] == 1
    assert manifest["labels"]["joined"] == 28
    assert manifest["labels"]["first_images"] == ["g28", "g29"]
    assert manifest["labelled"] == {"five-classes": 28}
    assert manifest["splits"] == pack.catalog["split"].value_counts().to_dict()
    assert sum(len(pack.rows(split)) for split in ("train", "val", "test")) == 27 == len(pack.rows("all"))
    assert set(manifest["sha256"]) == {"pixels.npy", "catalog.parquet"}
    hashes_are_true(pack.path)
    for name in bad:
        assert f"{name}.png: " in caplog.text
    assert "1 image: greyscale" in caplog.text

    again = open_pack(tmp_path / "pack")
    assert again.schemas == (load_schema("five-classes"),)
    assert again.geometry == SMALL
    np.testing.assert_array_equal(np.load(tmp_path / "pack" / "pixels.npy", mmap_mode="r"), again.pixels)
    with pytest.raises(PackError, match="no split 'dev'"):
        again.rows("dev")


def test_many_bad_images_are_said_once_with_a_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(26):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{index}.png").write_bytes(b"no" if index else picture(0))
    pack = make_pack(tmp_path / "images", tmp_path / "pack", geometry=SMALL)
    assert len(pack.manifest["errors"]) == 25
    assert caplog.text.count("left out") == 20
    assert "and 5 more" in caplog.text


def test_a_users_own_schema_travels_inside(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OWN_SCHEMA)
    pd.DataFrame({"pgc": [f"g{i}" for i in range(9)], "kind": "disc"}).to_csv(tmp_path / "kinds.csv", index=False)
    out = tmp_path / "pack"
    make_pack(source, out, labels=tmp_path / "kinds.csv", schemas=[str(path)], geometry=SMALL, id_column="pgc")
    expected = load_schema(path)
    path.unlink()
    assert open_pack(out).schemas == (expected,)


def test_class_folders_without_a_label_are_pointed_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(6):
        folder = tmp_path / "images" / ("round", "spiral")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.jpg").write_bytes(picture(index))
    make_pack(tmp_path / "images", tmp_path / "plain")
    assert "look like classes: pack with --label class" in caplog.text
    caplog.clear()
    make_pack(tmp_path / "images", tmp_path / "labelled", label_columns=["class"])
    assert "look like classes" not in caplog.text


def test_splits_are_those_given_or_made(source: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"id_str": [f"g{i}" for i in range(30)]})
    table["split"] = ["train", "test", None] * 10
    table.to_csv(tmp_path / "splits.csv", index=False)
    given = make_pack(source, tmp_path / "given", labels=tmp_path / "splits.csv", geometry=SMALL)
    assert given.catalog.loc[given.rows("test"), "id_str"].tolist()[:3] == ["g1", "g7", "g10"]  # g4 is bad
    assert given.manifest["split"] == {"given": True}
    assert len(given.rows("train")) + len(given.rows("test")) < len(given.catalog)
    made = make_pack(
        source,
        tmp_path / "made",
        labels=tmp_path / "splits.csv",
        geometry=SMALL,
        split={"train": 0.5, "test": 0.5},
        seed=1,
    )
    assert made.manifest["split"]["fractions"] == {"train": 0.5, "test": 0.5}
    assert abs(len(made.rows("train")) - len(made.rows("test"))) <= 4
    assert not len(made.rows("val"))


def test_neighbours_on_the_sky_are_packed_into_one_split(source: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"id_str": [f"g{i}" for i in range(30)], "ra": np.arange(30) // 2 * 1.0, "dec": 0.0})
    table.loc[1::2, "ra"] += 0.01  # 36 arcsec
    table.to_csv(tmp_path / "sky.csv", index=False)
    pack = make_pack(
        source, tmp_path / "p", labels=tmp_path / "sky.csv", geometry=SMALL, split={"train": 0.5, "test": 0.5}
    )
    assert set(pack.catalog["split"]) == {"train", "test"}
    pairs = pack.catalog.groupby(pack.catalog["ra"].astype(int))["split"]
    assert all(len(set(splits)) == 1 for _, splits in pairs)


# --- killed, resumed, refused

KILLABLE = """
import logging, sys, time
logging.basicConfig(level=logging.INFO)
from tuningfork.images import Geometry
from tuningfork.packs import make, pixels
make.CHUNK = 4
real = pixels.PixelFile.append
def slow(self, chunk):
    real(self, chunk)
    time.sleep(0.2)
pixels.PixelFile.append = slow
make.make_pack(sys.argv[1], sys.argv[2], labels=sys.argv[3], schemas=["five-classes"], geometry=Geometry(0.9, 12, 3))
"""


def test_killed_again_and_again_it_ends_with_the_same_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, out = tmp_path / "labels.csv", tmp_path / "killed"
    monkeypatch.setattr(make, "CHUNK", 4)
    make_pack(source, tmp_path / "unbroken", labels=labels, schemas=["five-classes"], geometry=SMALL)
    journal = out / ".partial" / "journal.jsonl"
    command = [sys.executable, "-c", KILLABLE, source, out, labels]
    for wanted in (1, 3, 6):  # chunks of 4 images
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not journal.exists() or journal.read_bytes().count(b"\n") < wanted:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        assert wanted <= journal.read_bytes().count(b"\n") < 8
        assert [path.name for path in out.iterdir()] == [".partial"]
        with pytest.raises(PackError, match="not finished"):
            open_pack(out)
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert re.search(r"going on after the 2[48] images", result.stderr)
    same(out, tmp_path / "unbroken")


class Killed(BaseException):
    """Stands for a kill: nothing that handles errors handles it."""


def interrupted(step: str, after: int) -> Callable[..., None]:
    """Replace a function of the room by one that is killed just before its `after`-th call does its work."""
    real, calls = getattr(manifests if step == "write_json" else make, step), iter(range(1000))

    def stand_in(*arguments: object, **options: object) -> object:
        if next(calls) == after:
            raise Killed
        return real(*arguments, **options)

    return stand_in  # type: ignore[return-value]


@pytest.mark.parametrize(("step", "after"), [("whole_file", 0), ("sha256", 0), ("write_json", 0), ("opened", 0)])
@pytest.mark.parametrize("other", [False, True])
def test_killed_while_finishing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: int, other: bool
) -> None:
    """Between any two steps at the end; then the same job goes on, and another takes nothing and removes nothing."""
    out = tmp_path / "pack"
    with monkeypatch.context() as patch:
        patch.setattr(manifests if step == "write_json" else make, step, interrupted(step, after))
        with pytest.raises(Killed):
            make_pack(source, out, geometry=SMALL)
    whole = (out / "pack.json").exists()
    assert whole == (step == "opened")
    geometry = Geometry(0.5, 12, 3) if other else SMALL
    if other:
        says = "another pack" if whole else r"another pack \(geometry.field was 0.9, is 0.5\); ask as before to go on"
        with pytest.raises(PackError, match=says):
            make_pack(source, out, geometry=geometry)
    make_pack(source, out, geometry=SMALL)
    make_pack(source, tmp_path / "unbroken", geometry=SMALL)
    same(out, tmp_path / "unbroken")


@pytest.mark.parametrize("damage", ["torn line", "torn pixels", "no line"])
def test_what_a_kill_tears_is_done_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(make, "CHUNK", 4)
    out, work = tmp_path / "pack", tmp_path / "pack" / ".partial"
    with monkeypatch.context() as patch:
        patch.setattr(make, "_finish", interrupted("_finish", 0))
        with pytest.raises(Killed):
            make_pack(source, out, geometry=SMALL)
    lines = (work / "journal.jsonl").read_bytes().splitlines(keepends=True)
    keep = 5
    torn = {"torn line": lines[keep][:-9], "torn pixels": b"", "no line": b""}[damage]
    (work / "journal.jsonl").write_bytes(b"".join(lines[:keep]) + torn)
    if damage == "torn pixels":
        with (work / "pixels.npy").open("r+b") as file:
            file.truncate(128 + 19 * 12 * 12 * 3 + 7)
    make_pack(source, out, geometry=SMALL)
    make_pack(source, tmp_path / "unbroken", geometry=SMALL)
    same(out, tmp_path / "unbroken")


def test_the_same_command_again_says_so_and_another_is_refused(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "pack"
    make_pack(source, out, geometry=SMALL)
    before = (out / "pixels.npy").stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        assert len(make_pack(source, out, geometry=SMALL).catalog) == 27
    assert "already packed" in caplog.text
    assert (out / "pixels.npy").stat().st_mtime_ns == before
    with pytest.raises(PackError, match="another pack"):
        make_pack(source, out, geometry=Geometry(0.8, 12, 3))
    (source / "g4.png").write_bytes(picture(4))  # a bad image was mended: this is not the pack any more
    with pytest.raises(PackError, match="another pack"):
        make_pack(source, out, geometry=SMALL)


def test_nothing_of_the_users_is_written_over(source: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "work" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("ten years")
    with pytest.raises(PackError, match=r"holds something else \(thesis\.tex\)"):
        make_pack(source, thesis.parent, geometry=SMALL)
    with pytest.raises(PackError, match="is a file; name a folder"):
        make_pack(source, thesis, geometry=SMALL)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "pixels.npy").write_bytes(b"not made here")
    with pytest.raises(PackError, match=r"\(pixels\.npy\)"):
        make_pack(source, mine, geometry=SMALL)
    assert thesis.read_text() == "ten years"
    assert [path.name for path in mine.iterdir()] == ["pixels.npy"]


def test_two_runs_do_not_write_into_one_pack(source: Path, tmp_path: Path) -> None:
    work = tmp_path / "pack" / ".partial"
    work.mkdir(parents=True)
    with FileLock(work / "lock"), pytest.raises(PackError, match="another run is at work"):
        make_pack(source, tmp_path / "pack", geometry=SMALL)
    assert len(make_pack(source, tmp_path / "pack", geometry=SMALL).catalog) == 27


def test_bad_input_leaves_no_output(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "pack"
    (tmp_path / "none.csv").write_text("id_str,five_class\nNGC1,round\n")
    with pytest.raises(CatalogError, match="no id joins an image"):
        make_pack(source, out, labels=tmp_path / "none.csv", schemas=["five-classes"])
    with pytest.raises(SchemaError, match="none of the columns"):
        make_pack(source, out, labels=tmp_path / "labels.csv", schemas=["gz-challenge"])
    with pytest.raises(SchemaError, match="did you mean 'five-classes'"):
        make_pack(source, out, schemas=["five-class"])
    with pytest.raises(CatalogError, match=r"sum to 0\.9"):
        make_pack(source, out, split={"train": 0.8, "val": 0.1})
    for path in source.iterdir():
        path.write_text("not an image")
    with pytest.raises(PackError, match=r"none of 30 images can be read; the first, .*g0\.png: not an image"):
        make_pack(source, out)
    assert not out.exists()


@pytest.mark.parametrize("limit", [1000, 9000])
def test_a_full_disk_is_said_and_packing_goes_on_when_there_is_space(source: Path, tmp_path: Path, limit: int) -> None:
    out = tmp_path / "pack"
    code = (
        "import resource, sys; from tuningfork.cli import main; sys.argv[0] = 'tuningfork';"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); main()"
    )
    arguments = ["pack", source, out, "--size", "12", "--field", "0.9"]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert result.returncode == 2, result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("error: cannot write")
    assert "Traceback" not in result.stderr
    assert not out.exists() or [path.name for path in out.iterdir()] == [".partial"]
    make_pack(source, out, geometry=SMALL)
    make_pack(source, tmp_path / "unbroken", geometry=SMALL)
    same(out, tmp_path / "unbroken")


def test_an_unwritable_place_is_said(source: Path) -> None:
    with pytest.raises(OutputError, match="cannot write /proc/nowhere"):
        make_pack(source, "/proc/nowhere/pack", geometry=SMALL)


# --- written past the system's cache


def fill(path: Path, lots: list[tuple[int, int, int]]) -> None:
    """Write lots of rows (so many, of so many bytes, after so many that are there) and compare the file."""
    path.write_bytes(b"\0" * 128)
    expected, file = bytearray(128), direct.DirectFile(path)
    for seed, (n, length, cut) in enumerate(lots):
        rows = np.random.default_rng(seed).integers(0, 256, (n, length), dtype=np.uint8)
        start = max(0, len(expected) - cut)
        assert file.write(list(rows), start).tobytes() == rows.tobytes()
        expected[start:] = rows.tobytes()
        assert path.read_bytes()[: len(expected)] == expected


@given(lots=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5000), st.integers(0, 300)), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_rows_stand_where_they_were_written_whatever_their_length(
    tmp_path_factory: pytest.TempPathFactory, lots: list[tuple[int, int, int]]
) -> None:
    fill(tmp_path_factory.mktemp("direct") / "rows", lots)


LOTS = [(3, 4096, 0), (2, 5000, 0), (1, 17, 9), (4, 100, 0)]


@pytest.mark.parametrize("refused", ["at once", "at the first block", "at a rest of a block"])
def test_file_systems_that_keep_to_their_cache_are_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Refused when it is asked for; only when bytes are moved; or in the middle, after a piece that is no block."""
    real, read, control = os.pwrite, os.preadv, fcntl.fcntl
    past: dict[int, bool] = {}
    asked: list[int] = []

    def ask(file: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags and refused == "at once":
            raise OSError(errno.EINVAL, "no such way")
        past[file] = bool(flags)
        asked.append(flags)
        return control(file, command, 0)

    def write(file: int, data: memoryview, at: int) -> int:
        if past.get(file) and (refused == "at the first block" or at % direct.BLOCK):
            raise OSError(errno.EINVAL, "not so")
        return real(file, data[:6000] if refused == "at a rest of a block" else data, at)

    def read_back(file: int, into: list[memoryview], at: int) -> int:
        if past.get(file) and refused == "at the first block":
            raise OSError(errno.EINVAL, "not so")
        return read(file, into, at)

    monkeypatch.setattr(direct.fcntl, "fcntl", ask)
    monkeypatch.setattr(direct.os, "pwrite", write)
    monkeypatch.setattr(direct.os, "preadv", read_back)
    monkeypatch.setattr(direct, "DIRECT", 1 << 14)
    fill(tmp_path / "rows", LOTS)
    assert (direct.DIRECT in asked) == (refused != "at once")


def test_it_is_past_the_cache_and_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def seen(name: str, real: Callable[..., int]) -> Callable[..., int]:
        return lambda *arguments: (calls.append(name), real(*arguments))[1]

    def ask(file: int, command: int, flags: int) -> int:
        calls.append(f"past {flags == direct.DIRECT}")
        return 0

    monkeypatch.setattr(direct.fcntl, "fcntl", ask)
    for name in ("pwrite", "fsync", "close"):
        monkeypatch.setattr(direct.os, name, seen(name, getattr(os, name)))
    fill(tmp_path / "rows", LOTS[:1])
    assert calls == ["past True", "pwrite", "fsync", "close"]


def test_another_error_than_that_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.pwrite, []

    def full_at_first(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "no space left")
        return real(*arguments)  # type: ignore[arg-type]

    (tmp_path / "rows").write_bytes(b"")
    monkeypatch.setattr(direct.os, "pwrite", full_at_first)
    with pytest.raises(OSError, match="no space left"):
        direct.DirectFile(tmp_path / "rows").write([np.zeros(9, np.uint8)], 0)


def test_rows_after_more_than_there_is_are_refused(tmp_path: Path) -> None:
    """What is read back of the last block is written again: less of it would be written over by what lay in memory."""
    (tmp_path / "rows").write_bytes(b"1234")
    with pytest.raises(OSError, match="shorter than what was written"):
        direct.DirectFile(tmp_path / "rows").write([np.zeros(9, np.uint8)], 5)


def test_a_chunk_larger_than_a_lot_is_written_in_lots(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pack(source, tmp_path / "at once", geometry=SMALL)
    monkeypatch.setattr(pixels, "LOT", 1000)  # two rows
    make_pack(source, tmp_path / "in lots", geometry=SMALL)
    same(tmp_path / "in lots", tmp_path / "at once")


# --- opening


def test_a_pack_that_is_not_whole_is_refused(source: Path, tmp_path: Path) -> None:
    good = tmp_path / "pack"
    make_pack(source, good, geometry=SMALL)

    def damaged(change: Callable[[Path], object]) -> Path:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(good, copy)
        change(copy)
        return copy

    def rewrite(**values: object) -> Callable[[Path], object]:
        manifest = json.loads((good / "pack.json").read_text()) | values
        return lambda path: (path / "pack.json").write_text(json.dumps(manifest))

    def relabel(path: Path) -> None:
        pd.read_parquet(path / "catalog.parquet").assign(split="test").to_parquet(path / "catalog.parquet")

    refused: list[tuple[str, Callable[[Path], object]]] = [
        ("it is not a pack; make one with `tuningfork pack`", lambda p: (p / "pack.json").unlink()),
        ("is not valid JSON", lambda p: (p / "pack.json").write_text("{")),
        ("is not the manifest of a pack", lambda p: (p / "pack.json").write_text("[]")),
        ("version 2; this software reads 1", rewrite(version=2)),
        ("its manifest says", rewrite(n=26)),
        (r"pixels.npy is missing; pack again", lambda p: (p / "pixels.npy").unlink()),
        ("half copied", lambda p: os.truncate(p / "pixels.npy", 5000)),
        ("half copied", lambda p: os.truncate(p / "pixels.npy", 0)),
        (r"catalog.parquet is missing; pack again", lambda p: (p / "catalog.parquet").unlink()),
        ("is not the file its manifest speaks of", relabel),
        (
            r"pack.json: n: field required; pack again",
            lambda p: (p / "pack.json").write_text('{"format": "tuningfork-pack", "version": 1}'),
        ),
    ]
    for says, change in refused:
        with pytest.raises(PackError, match=says):
            open_pack(damaged(change))
    with pytest.raises(PackError, match=r"no pack at .*nowhere"):
        open_pack(tmp_path / "nowhere")


@pytest.mark.parametrize("n", [0, 1, 10**12])
def test_the_header_is_numpys_own_at_any_length(n: int) -> None:
    header = io.BytesIO(npy_header((n, 128, 128, 3)))
    assert len(header.getvalue()) == 128
    assert np.lib.format.read_magic(header) == (1, 0)
    assert np.lib.format.read_array_header_1_0(header) == ((n, 128, 128, 3), False, np.dtype("uint8"))


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """40 times as many images, 150 MB of them, in a process whose peak is measured."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    code = (
        "import sys; from tuningfork.packs import make_pack; from tuningfork.images import Geometry;"
        "make_pack(sys.argv[1], sys.argv[2], geometry=Geometry(1.0, 8, 3), workers=1);"
        # Not getrusage: its peak counts the parent's memory too.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    peaks = []
    for n in (32, 1280):
        rows = pa.array(
            [{"bytes": buffer.getvalue() + index.to_bytes(4), "path": f"{index}.png"} for index in range(n)], kind
        )
        pq.write_table(pa.table({"image": rows}), tmp_path / f"{n}.parquet", row_group_size=32)
        command = [sys.executable, "-c", code, tmp_path / f"{n}.parquet", tmp_path / f"pack-{n}"]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024)
    assert peaks[1] - peaks[0] < 50, peaks


# --- pixels that are not those that were written


def altered(pack: Path, tmp_path: Path, row: slice) -> Path:
    """A copy of a pack, some of its pixels replaced by noise."""
    copy = tmp_path / "altered"
    shutil.copytree(pack, copy)
    pixels = np.load(copy / "pixels.npy", mmap_mode="r+")
    pixels[row] = np.random.default_rng(0).integers(0, 256, pixels[row].shape, np.uint8)
    pixels.flush()
    return copy


def test_pixels_that_were_altered_are_no_pack(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"pixels\.npy is not the file its manifest speaks of"):
        open_pack(altered(pack, tmp_path, slice(7, 8)))


def test_of_a_large_pack_some_places_are_looked_at_and_all_where_asked(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuningfork.packs.read.SMALL", 0)
    assert len(open_pack(pack).pixels)
    with pytest.raises(PackError, match="not the file its manifest speaks of"):
        open_pack(altered(pack, tmp_path, slice(None)))
    shutil.rmtree(tmp_path / "altered")
    one = altered(pack, tmp_path, slice(7, 8))
    as_written = read_json(pack / "pack.json", PackError)["sampled"]
    monkeypatch.setattr("tuningfork.packs.read.sampled_hash", lambda _: as_written)  # the places are others
    assert len(open_pack(one).pixels)
    with pytest.raises(PackError, match="not the file its manifest speaks of"):
        open_pack(one, verify=True)


@given(st.lists(st.integers(0, 2), max_size=12), st.booleans())
def test_twins_are_the_rows_that_are_equal(shades: list[int], known: bool) -> None:
    """Each beside the first of its kind, whether the marks are known or have to be taken again."""
    pixels = np.array(shades, dtype=np.uint8).repeat(4).reshape(-1, 2, 2, 1)
    marks = np.frombuffer(b"".join(mark(row.data) for row in pixels) if known else b"", MARK)
    wanted = [(shades.index(shade), row) for row, shade in enumerate(shades) if shades.index(shade) != row]
    assert twins(pixels, marks).tolist() == [list(pair) for pair in wanted]
