"""Embedding through the real command: the encoder's own features, killed and resumed, and what is made of them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.embeddings import Embedding, anomalies, read_embedding, read_purity, similar
from tuningfork.embeddings.pictures import finder
from tuningfork.engines import use_torch
from tuningfork.errors import OutputError, TuningforkError
from tuningfork.inference import embed
from tuningfork.models import crop, load_model, read_manifest
from tuningfork.packs import make_pack, open_pack
from tuningfork.plotting.sheet import MARGIN, SIDE
from tuningfork.report import write_report


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(build(), [*map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def embedded(pack: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack, embedded by the command."""
    out = tmp_path_factory.mktemp("embedded") / "features.parquet"
    assert str(out) in invoke("embed", pack, out, "--model", model, "--maps", "pca,tsne", "--device", "cpu")
    return out


def test_features_are_those_of_the_encoder(embedded: Path, pack: Path, model: Path) -> None:
    network, packed, read = load_model(model), open_pack(pack), read_embedding(embedded)
    with torch.inference_mode():
        pixels = torch.from_numpy(np.array(packed.pixels))
        expected = network.features(crop(pixels, network.spec.view, network.spec.geometry)).numpy()
        use_torch(network)
        np.testing.assert_array_equal(read.features, network.infer(pixels).features.numpy())
    np.testing.assert_allclose(read.features, expected, rtol=0, atol=5e-7)  # norms go into the convolutions
    assert read.table["id_str"].tolist() == packed.catalog["id_str"].tolist()
    assert read.table["split"].tolist() == packed.catalog["split"].tolist()
    assert read.table["five_class"].tolist() == packed.catalog["five_class"].tolist()
    assert pq.read_schema(embedded).field("features").type.list_size == expected.shape[1]


def test_it_says_where_it_comes_from(embedded: Path, pack: Path, model: Path) -> None:
    manifest = json.loads(pq.read_schema(embedded).metadata[b"tuningfork"])
    assert (manifest["format"], manifest["version"], manifest["n"]) == ("tuningfork-embedding", 1, 120)
    assert manifest["made_by"].startswith("tuningfork ")
    assert manifest["inputs"]["model"]["sha256"] == read_manifest(model)["sha256"]
    assert manifest["inputs"]["images"]["sha256"] == open_pack(pack).manifest["sha256"]
    assert 0 < sum(manifest["maps"]["pca"]["explained_variance"]) <= 1
    assert manifest["maps"]["tsne"]["perplexity"] == 30
    assert manifest["seed"] == 0


def test_files_a_catalog_and_a_pack_agree(embedded: Path, galaxies: Path, model: Path, tmp_path: Path) -> None:
    reference = read_embedding(embedded)
    for name, source in {"folder": galaxies.parent / "images", "catalog": galaxies}.items():
        read = read_embedding(embed(source, tmp_path / f"{name}.parquet", model=model, maps=["pca"], device="cpu"))
        np.testing.assert_array_equal(read.features, reference.features)
        np.testing.assert_array_equal(read.positions("pca"), reference.positions("pca"))
        assert ("five_class" in read.table) == (name == "catalog")
        assert_same_pictures(read, reference)


def assert_same_pictures(one: Embedding, other: Embedding) -> None:
    find, also = finder(one), finder(other)
    for row in (0, 7, 119):
        first, second = find(row), also(row)
        assert first is not None
        assert second is not None
        np.testing.assert_array_equal(first, second)


def test_an_unreadable_image_is_a_row_with_its_error(galaxies: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "messy"
    folder.mkdir()
    for path in sorted((galaxies.parent / "images").glob("*.jpg"))[:12]:
        shutil.copy(path, folder)
    (folder / "aa.jpg").write_text("to do: download this galaxy\n" * 10)
    (folder / "g0005b.jpg").write_bytes(b"")
    read = read_embedding(embed(folder, tmp_path / "e.parquet", model=model, device="cpu"))
    bad = read.table.set_index("id_str")["error"].notna()
    assert bad[bad].index.tolist() == ["aa", "g0005b"]
    assert len(read.readable) == 12
    assert np.isnan(read.features[bad.to_numpy()]).all()
    assert np.isfinite(read.features[~bad.to_numpy()]).all()
    assert read.table.loc[bad.to_numpy(), ["pca_x", "pca_y"]].isna().all(axis=None)
    assert np.isfinite(read.positions("pca")[read.readable]).all()
    assert (tmp_path / "e-maps.png").exists()
    strange = pd.read_csv(anomalies(tmp_path / "e.parquet", tmp_path / "strange.csv"))
    assert strange["id_str"].iloc[-2:].tolist() == ["aa", "g0005b"]


KILLABLE = """
import sys, time
import tuningfork.inference.embedding as room, tuningfork.inference.shards as shards
shards.BATCH, shards.ROWS_A_SHARD = 4, 8
real, calls = room._batch_rows, []
def slow(*arguments):
    calls.append(1)
    time.sleep(0.05)
    return real(*arguments)
room._batch_rows = slow
room.embed(sys.argv[1], sys.argv[2], model=sys.argv[3], device="cpu")
print(len(calls))
"""


def test_killed_and_run_again_no_row_is_lost_or_changed(
    galaxies: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuningfork.inference.shards.BATCH", 4)
    monkeypatch.setattr("tuningfork.inference.shards.ROWS_A_SHARD", 8)
    unbroken = embed(galaxies, tmp_path / "unbroken.parquet", model=model, device="cpu")
    out, shards = tmp_path / "killed.parquet", tmp_path / ".killed.parquet.partial"
    with subprocess.Popen(
        [sys.executable, "-c", KILLABLE, galaxies, out, model], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 120
        while len(list(shards.glob("[0-9]*.parquet"))) < 5:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    last = subprocess.run([sys.executable, "-c", KILLABLE, galaxies, out, model], check=True, capture_output=True)
    assert int(last.stdout) <= 30 - 2 * 5  # batches: what the killed run had written was not made again
    assert pq.read_table(out).equals(pq.read_table(unbroken))


def test_what_stands_beside_a_labelled_embedding(embedded: Path) -> None:
    names = {path.name for path in embedded.parent.iterdir()}
    assert names == {
        "features.parquet",
        "features-maps.png",
        "features-maps-five-classes.png",
        "features-maps-predicted-five-classes.png",
        "features-maps-predicted-gz-challenge.png",
        "features-purity.json",
        *(f"features-mixing-five-classes-{split}.png" for split in ("train", "val", "test")),
    }
    found = read_purity(embedded)
    assert found is not None
    train = found["schemas"]["five-classes"]["splits"]["train"]
    assert set(train["spaces"]) == {"features", "pca", "tsne"}
    own = train["spaces"]["features"]["purity"]
    by_chance = sum(n * share for n, share in zip(train["counts"], train["chance"], strict=True) if n) / train["n"]
    assert own["interval"][0] > by_chance  # the tiny model tells round from elongated


def test_the_galaxies_asked_about_are_shown(embedded: Path, pack: Path, tmp_path: Path) -> None:
    invoke("similar", embedded, "g0003", "g0040", "--out", tmp_path / "near.csv", "-n", "4")
    assert len(pd.read_csv(tmp_path / "near.csv")) == 8
    with Image.open(tmp_path / "near.png") as sheet:
        pixels = np.asarray(sheet)
    packed = open_pack(pack)
    row = int(np.flatnonzero(packed.catalog["id_str"] == "g0003")[0])
    expected = Image.fromarray(np.array(packed.pixels[row])).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    top = next(y for y in range(len(pixels)) if (pixels[y, MARGIN] == np.asarray(expected)[0, 0]).all())
    np.testing.assert_array_equal(pixels[top : top + SIDE, MARGIN : MARGIN + SIDE], expected)


def test_the_strangest_are_ranked_and_shown(embedded: Path, tmp_path: Path) -> None:
    invoke("anomalies", embedded, "--out", tmp_path / "strange.parquet", "-n", "6")
    table = pd.read_parquet(tmp_path / "strange.parquet")
    assert len(table) == 120
    assert sorted(table["forest_rank"].astype(int)) != [0] * 120
    assert {path.name for path in tmp_path.iterdir()} == {
        "strange.parquet",
        "strange-forest.png",
        "strange-distance.png",
    }


def test_images_that_are_gone_are_said_and_left_blank(
    galaxies: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pack = make_pack(galaxies, tmp_path / "pack", geometry=load_model(model).spec.geometry).path
    path = embed(pack, tmp_path / "e.parquet", model=model, maps=[], device="cpu")
    shutil.rmtree(pack)
    make_pack(galaxies, pack, geometry=load_model(model).spec.geometry, seed=1)
    similar(path, ["g0001"], tmp_path / "near.csv", n=3)
    assert "is not the pack the embedding was made from" in caplog.text
    assert (tmp_path / "near.png").exists()


def test_the_report_shows_maps_purity_and_where_it_comes_from(embedded: Path, pack: Path, tmp_path: Path) -> None:
    page = write_report([embedded, pack], tmp_path / "report.html").read_text(encoding="utf-8")
    for text in (
        "Embedding",
        "t-SNE",
        "Purity of five-classes, train",
        "mix most",
        "tuningfork-embedding",
        "by chance",
        "Where it breaks",
        "nearest neighbours are of a galaxy",
        "From one end of",
    ):
        assert text in page
    assert page.index("From one end of") < page.index("What was asked") < page.index("Maps")
    bare = tmp_path / "alone.parquet"
    shutil.copy(embedded, bare)
    page = write_report([bare], tmp_path / "alone.html").read_text(encoding="utf-8")
    assert "is not known: embed again" in page


def test_bad_requests_are_refused_before_any_work(
    galaxies: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="ending"):
        invoke("embed", galaxies, tmp_path / "e.csv", "--model", model)
    (tmp_path / "e.parquet").write_text("precious")
    with pytest.raises(OutputError, match="--overwrite"):
        invoke("embed", galaxies, tmp_path / "e.parquet", "--model", model)
    assert (tmp_path / "e.parquet").read_text() == "precious"
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(TuningforkError, match=r"tuningfork\[maps\]"):
        invoke("embed", galaxies, tmp_path / "o.parquet", "--model", model, "--maps", "pca,tsne")
    assert not list(tmp_path.glob(".*"))
