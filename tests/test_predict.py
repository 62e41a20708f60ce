"""Prediction through the real command: a row for every image, any output, killed and resumed."""

from __future__ import annotations

import logging
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from conftest import as_labels
from tuningfork.catalogs import read_table
from tuningfork.cli.app import build
from tuningfork.errors import ModelError, OutputError, PackError, PredictionsError
from tuningfork.inference import predict
from tuningfork.inference.naming import likely_paths
from tuningfork.jobs import Job
from tuningfork.packs import make_pack
from tuningfork.schemas import check_labels, load_schema

CHALLENGE, FIVE = load_schema("gz-challenge"), load_schema("five-classes")


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(build(), ["predict", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def messy(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as disks really hold them: 12 good images and 5 that are not."""
    folder = tmp_path_factory.mktemp("messy")
    good = sorted((galaxies.parent / "images").glob("*.jpg"))[:10]
    for path in good:
        shutil.copy(path, folder)
    Image.open(good[0]).convert("L").save(folder / "grey.png")
    deep = np.asarray(Image.open(good[1]).convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    data = good[2].read_bytes()
    (folder / "truncated.jpg").write_bytes(data[: len(data) // 2])
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    (folder / "notes.jpg").write_text("to do: download this galaxy\n" * 10)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "noise.png").write_bytes(os.urandom(400))
    return folder


def test_a_row_for_every_image_and_errors_said(
    messy: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out.parquet"
    with caplog.at_level(logging.INFO):
        invoke(messy, out, "--model", model)
    table = pd.read_parquet(out).set_index("id_str")
    assert len(table) == 17
    bad = table["error"].notna()
    assert sorted(table.index[bad]) == ["empty", "noise", "notes", "tiny", "truncated"]
    assert table.loc[bad, [*CHALLENGE.prediction_columns, *FIVE.prediction_columns, "five_class"]].isna().all(axis=None)
    good = table[~bad].reset_index()
    check_labels(as_labels(good, CHALLENGE), CHALLENGE, "predictions")
    np.testing.assert_allclose(good[list(FIVE.prediction_columns)].sum(axis=1), 1, atol=1e-5)
    assert "text" in table.loc["notes", "error"]
    assert "5 of 17 images could not be read" in caplog.text
    assert "greyscale" in caplog.text
    assert "16 bits" in caplog.text
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("ending", ["csv", "fits", "vot"])
def test_every_ending_holds_the_same_table(messy: Path, model: Path, tmp_path: Path, ending: str) -> None:
    reference = pd.read_parquet(predict(messy, tmp_path / "out.parquet", model=model))
    table = read_table(predict(messy, tmp_path / f"out.{ending}", model=model))
    assert table["id_str"].tolist() == reference["id_str"].tolist()
    columns = [*CHALLENGE.prediction_columns, *FIVE.prediction_columns]
    np.testing.assert_allclose(table[columns].astype(float), reference[columns].astype(float), rtol=1e-5, atol=1e-7)
    for text in ("five_class", "error", "gz_challenge_most_likely"):
        assert table[text].fillna("").tolist() == reference[text].fillna("").tolist()


def test_the_submission_has_the_challenge_layout(galaxies: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "submission.csv"
    invoke(galaxies, out, "--model", model, "--format", "kaggle")
    table = pd.read_csv(out)
    assert table.columns.tolist() == ["GalaxyID", *CHALLENGE.columns]
    assert len(table) == 120
    check_labels(table.assign(id_str=table["GalaxyID"]), CHALLENGE, "submission")


def test_images_a_catalog_and_a_pack_agree(galaxies: Path, pack: Path, model: Path, tmp_path: Path) -> None:
    columns = [*CHALLENGE.prediction_columns, *FIVE.prediction_columns]
    sources = {
        "folder": galaxies.parent / "images",
        "catalog": galaxies,
        "pack": pack,
        "glob": galaxies.parent / "images/*.jpg",
    }
    tables = {
        name: pd.read_parquet(predict(source, tmp_path / f"{name}.parquet", model=model))
        for name, source in sources.items()
    }
    for table in tables.values():
        assert table["id_str"].tolist() == tables["folder"]["id_str"].tolist()
        np.testing.assert_array_equal(table[columns], tables["folder"][columns])


KILLABLE = """
import sys, time
import tuningfork.inference.streaming as room, tuningfork.inference.shards as shards
shards.BATCH, shards.ROWS_A_SHARD = 4, 8
real = room._batch_rows
def slow(*arguments, **views):
    time.sleep(0.05)
    return real(*arguments, **views)
room._batch_rows = slow
room.predict(sys.argv[1], sys.argv[2], model=sys.argv[3], device="cpu")
"""


def test_killed_again_and_again_no_row_is_lost_or_doubled(
    messy: Path, galaxies: Path, model: Path, tmp_path: Path
) -> None:
    unbroken = pd.read_parquet(predict(galaxies, tmp_path / "unbroken.parquet", model=model))
    out = tmp_path / "killed.parquet"
    shards = tmp_path / ".killed.parquet.partial"
    for wanted in (2, 5, 9):
        with subprocess.Popen(
            [sys.executable, "-c", KILLABLE, galaxies, out, model], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + 120
            while len(list(shards.glob("[0-9]*.parquet"))) < wanted:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert not out.exists()
    subprocess.run([sys.executable, "-c", KILLABLE, galaxies, out, model], check=True, capture_output=True)
    resumed = pd.read_parquet(out)
    pd.testing.assert_frame_equal(resumed, unbroken, atol=1e-6, rtol=0)
    assert not shards.exists()


def test_shards_of_another_job_are_not_taken(messy: Path, galaxies: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    stale = tmp_path / ".out.parquet.partial"
    stale.mkdir()
    (stale / "job.json").write_text('{"job": "another"}')
    (stale / "000000000000.parquet").write_bytes(b"rubbish")
    with pytest.raises(OutputError, match=r"the work of another predict .* or begin anew with --overwrite"):
        predict(messy, out, model=model)
    assert (stale / "000000000000.parquet").read_bytes() == b"rubbish"
    predict(messy, out, model=model, overwrite=True)
    assert len(pd.read_parquet(out)) == 17
    assert not stale.exists()


def interrupted(images: Path, out: Path, model: Path, patch: pytest.MonkeyPatch) -> None:
    """A prediction that is killed when all its shards are there."""
    with patch.context() as killed:
        killed.setattr("tuningfork.inference.shards.BATCH", 4)
        killed.setattr("tuningfork.inference.shards.ROWS_A_SHARD", 4)
        killed.setattr("tuningfork.inference.bulk.in_order", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            predict(images, out, model=model, device="cpu", engine="torch")


def test_rows_of_images_that_have_not_changed_are_kept(
    galaxies: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One image is another by now, and some have come: only what they touch is made again."""
    images, out = tmp_path / "images", tmp_path / "out.parquet"
    images.mkdir()
    for path in sorted((galaxies.parent / "images").iterdir())[:18]:
        shutil.copy(path, images)
    interrupted(images, out, model, monkeypatch)
    shutil.copy(images / "g0000.jpg", images / "g0006.jpg")
    shutil.copy(images / "g0000.jpg", images / "g9000.jpg")
    monkeypatch.setattr("tuningfork.inference.shards.BATCH", 4)
    with caplog.at_level(logging.INFO, "tuningfork"):
        predict(images, out, model=model, device="cpu", engine="torch")
    assert "going on after the 14 rows that an earlier run left" in caplog.text
    assert "4 rows that an earlier run left are made again: their images have changed since" in caplog.text
    whole = predict(images, tmp_path / "whole.parquet", model=model, device="cpu", engine="torch")
    pd.testing.assert_frame_equal(pd.read_parquet(out), pd.read_parquet(whole), atol=1e-6, rtol=0)


def test_what_has_changed_is_said_and_nothing_removed(
    galaxies: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.parquet"
    interrupted(galaxies.parent / "images", out, model, monkeypatch)
    before = {path.name for path in (tmp_path / ".out.parquet.partial").iterdir()}
    with pytest.raises(OutputError, match=r"another predict \(views was 1, is 2\)"):
        predict(galaxies.parent / "images", out, model=model, device="cpu", engine="torch", tta=2)
    assert {path.name for path in (tmp_path / ".out.parquet.partial").iterdir()} == before


@pytest.mark.parametrize("step", ["deliver", "_empty"])
def test_a_result_that_was_whole_is_only_delivered(
    messy: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A kill before it was moved to its place, or while it was cleared up behind it; another asking is no mistake."""
    out = tmp_path / "out.parquet"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Job, step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        predict(messy, out, model=model)
    assert out.exists() == (step == "_empty")
    with monkeypatch.context() as patch:
        patch.setattr("tuningfork.inference.bulk.use_engine", None)
        predict(messy, out, model=model)
    assert len(pd.read_parquet(out)) == 17
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()
    with pytest.raises(OutputError, match="--overwrite"):
        predict(messy, out, model=model)


def test_a_file_that_stands_there_is_kept(messy: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("precious")
    with pytest.raises(OutputError, match="--overwrite"):
        invoke(messy, tmp_path / "labels.csv", "--model", model)
    assert (tmp_path / "labels.csv").read_text() == "precious"
    invoke(messy, tmp_path / "labels.csv", "--model", model, "--overwrite")
    assert len(pd.read_csv(tmp_path / "labels.csv")) == 17


def test_bad_outputs_are_refused_before_any_work(messy: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="ending"):
        invoke(messy, tmp_path / "out.xlsx", "--model", model)
    with pytest.raises(OutputError, match="is a folder"):
        (tmp_path / "out.csv").mkdir()
        invoke(messy, tmp_path / "out.csv", "--model", model)
    with pytest.raises(OutputError, match="cannot write"):
        invoke(messy, "/proc/nowhere/out.csv", "--model", model)
    with pytest.raises(OutputError, match=r"\.csv file"):
        invoke(messy, tmp_path / "out.parquet", "--model", model, "--format", "kaggle")
    with pytest.raises(OutputError, match="use table, kaggle or spreadsheet"):
        invoke(messy, tmp_path / "o.csv", "--model", model, "--format", "xml")
    with pytest.raises(ModelError, match="no device"):
        invoke(messy, tmp_path / "o.csv", "--model", model, "--device", "quantum")


def test_a_full_disk_leaves_no_half_made_output(galaxies: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = subprocess.run(
        [sys.executable, "-m", "tuningfork", "predict", galaxies, out, "--model", model, "--device", "cpu"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("error: cannot write")
    assert not out.exists()
    assert not list(tmp_path.glob("[!.]*"))


def test_a_pack_of_another_geometry_is_refused(galaxies: Path, model: Path, tmp_path: Path) -> None:
    from tuningfork.images import Geometry

    make_pack(galaxies, tmp_path / "pack", geometry=Geometry(0.5, 36, 3))
    with pytest.raises(PackError, match=r"pack again with --field 0\.9 --size 36"):
        predict(tmp_path / "pack", tmp_path / "out.parquet", model=model)


def test_a_model_without_the_challenge_cannot_make_a_submission(tmp_path: Path) -> None:
    from tuningfork.inference.output import check_output

    with pytest.raises(PredictionsError, match="gz-challenge"):
        check_output(tmp_path / "o.csv", "kaggle", [FIVE])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_most_likely_path_follows_the_tree(seed: int) -> None:
    values = np.random.default_rng(seed).random((5, 37)).astype(np.float32)
    for row, path in zip(values, likely_paths(values, CHALLENGE), strict=True):
        steps = dict(step.split("=") for step in path.split("; "))
        chosen = set()
        for question in CHALLENGE.walk:
            asked = not question.parents or bool(chosen & set(question.parents))
            assert (question.name in steps) == asked
            if asked:
                best = question.answers[int(row[CHALLENGE.slices[question.name]].argmax())]
                assert steps[question.name] == best.name
                chosen.add(best.column)


def test_a_profile_says_what_the_time_went_to(galaxies: Path, model: Path, tmp_path: Path) -> None:
    def run(verb: str, *options: str) -> str:
        command = [sys.executable, "-m", "tuningfork", verb, str(galaxies), *options]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return next((line for line in result.stderr.splitlines() if line.startswith("profile:")), "")

    used = ("--model", str(model), "--profile")
    said = run("predict", str(tmp_path / "p.parquet"), *used)
    parts = re.fullmatch(r"profile: 120 images in ([0-9.]+) s \([0-9,]+ a second\): (.*)", said)
    assert parts, said
    seconds = dict(re.findall(r"([a-z()\ ]+) ([0-9.]+) s", parts[2]))
    assert {name.strip() for name in seconds} == {"waiting for images", "decoding (in threads)", "model", "writing"}
    assert sum(float(s) for name, s in seconds.items() if "threads" not in name) <= float(parts[1]) + 0.3
    assert "model" in run("embed", str(tmp_path / "e.parquet"), *used)
    assert "waiting for the disk" in run("pack", str(tmp_path / "pack"), "--size", "24", "--profile")
    assert run("pack", str(tmp_path / "quiet"), "--size", "24") == ""


NATIVE = Path(__file__).parents[2] / "shared" / "data" / "galaxy-zoo-challenge" / "native" / "images_training_rev1"


@pytest.mark.skipif(not NATIVE.is_dir(), reason="the challenge's images are not here")
def test_many_images_out_of_distribution_are_said_and_a_few_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, rng = sorted(NATIVE.glob("*.jpg"))[:60], np.random.default_rng(0)
    for folder, noise in (("many", 20), ("few", 11)):  # 11 of 71 are more than ten, but less than a fifth
        (tmp_path / folder).mkdir()
        for path in good:
            shutil.copy(path, tmp_path / folder)
        for number in range(noise):
            pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"noise-{number}.png")
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            table = pd.read_parquet(predict(tmp_path / folder, tmp_path / f"{folder}.parquet"))
        flagged = int(table["ood"].sum())
        assert noise <= flagged <= noise + 3
        said = [line for line in caplog.messages if line.startswith(f"{flagged} of {len(table)} images")]
        assert len(said) == (folder == "many"), caplog.messages
        assert all("order of their bands" in line for line in said)


def test_no_text_of_a_spreadsheet_is_a_formula(galaxies: Path, model: Path, tmp_path: Path) -> None:
    good = sorted((galaxies.parent / "images").glob("*.jpg"))[:5]
    names = ["=1+1", "+cmd", "-2", "@sum", "plain=1"]
    rows = pd.DataFrame(
        {"id_str": names, "file_loc": list(map(str, good)), "remark": ["=HYPERLINK(A1)", None, "", "-", "x"]}
    )
    rows.to_csv(tmp_path / "c.csv", index=False)
    invoke(tmp_path / "c.csv", tmp_path / "sheet.csv", "--model", model, "--format", "spreadsheet")
    invoke(tmp_path / "c.csv", tmp_path / "plain.csv", "--model", model)
    sheet, plain = (
        pd.read_csv(tmp_path / f"{name}.csv", dtype=str, keep_default_na=False) for name in ("sheet", "plain")
    )
    assert sheet["id_str"].tolist() == ["'=1+1", "'+cmd", "'-2", "'@sum", "plain=1"]
    assert sheet["remark"].tolist() == ["'=HYPERLINK(A1)", "", "", "'-", "x"]
    assert plain["id_str"].tolist() == names
    same = [name for name in plain if name not in ("id_str", "remark")]
    pd.testing.assert_frame_equal(sheet[same], plain[same])
    with pytest.raises(OutputError, match="a table for a spreadsheet"):
        invoke(tmp_path / "c.csv", tmp_path / "sheet.parquet", "--model", model, "--format", "spreadsheet")
