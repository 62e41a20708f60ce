"""The report: one file that needs nothing else, whatever it is made from, however little of it is there."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import TuningforkError
from tuningfork.evaluation import evaluate_file
from tuningfork.report import write_report
from tuningfork.report.answers import label_words
from tuningfork.report.provenance import flat
from tuningfork.schemas import load_schema
from tuningfork.schemas.load import schema_to_dict

FIVE = load_schema("five-classes")
TREE = load_schema("gz-challenge")
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """What a browser would find: tags closed in order, addresses, images, headings, text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.images: list[dict[str, str]] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        self.addresses += [found[key] for key in ("src", "href", "srcset", "action") if key in found]
        if tag == "img":
            self.images.append(found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def predictions(pack: Path, galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of both schemas for the pack's galaxies, one of them unreadable, beside the images."""
    table = pd.read_parquet(pack / "catalog.parquet")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"id_str": table["id_str"], "file_loc": table["file_loc"]})
    rows[list(TREE.columns)] = table[list(TREE.columns)].to_numpy(np.float32)
    probabilities = rng.dirichlet(np.ones(5), len(table)).astype(np.float32)
    rows[list(FIVE.prediction_columns)] = probabilities
    rows["five_class"] = np.array(FIVE.class_names)[probabilities.argmax(axis=1)]
    rows["error"] = pd.Series([None] * len(rows), dtype=object)
    rows.loc[0, "error"] = "truncated <JPEG>"
    rows.loc[0, [*TREE.columns, *FIVE.prediction_columns]] = np.nan
    path = galaxies.parent / "predictions.parquet"
    rows.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def evaluation(predictions: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluate_file(predictions, pack, tmp_path_factory.mktemp("evaluations") / "evaluation", n_bootstrap=40)


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A model's manifest, history and card, as training leaves them."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    manifest = {
        "format": "tuningfork-model",
        "version": 1,
        "made_by": "tuningfork 0.1.0",
        "created": "2026-01-01T00:00:00+00:00",
        "encoder": {"name": "plain", "options": {"width": 4}},
        "geometry": {"field": 0.9, "size": 36, "channels": 3},
        "input": {"field": 0.8, "size": 32, "mean": [0.1, 0.1, 0.1], "std": [0.1, 0.1, 0.1]},
        "heads": [{"spec": {"kind": "tree"}, "schema": schema_to_dict(TREE)}],
        "recipe": {
            "name": "test/tiny",
            "title": "A tiny one",
            "optim": {"lr": 0.01, "clip": None},
            "head": [{"kind": "tree"}],
        },
        "data": {"pack": "pack", "n": {"train": 72, "val": 24}, "sha256": {"pixels.npy": "abc123"}},
        "figures": {"val_loss": 0.1, "val_gz-challenge_rmse": 0.12, "epoch": 3},
        "sha256": {"model.safetensors": "def456" + 58 * "0"},
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    (folder / "history.csv").write_text(
        "epoch,train_loss,val_loss,val_gz-challenge_rmse,lr,seconds\n1,0.5,0.6,0.3,0.01,2\n2,0.3,,0.2,0.005,2\n3,0.2,0.3,0.12,0.001,2\n"
    )
    (folder / "card.md").write_text("# Model card\n\nLimits & <caveats>.")
    return folder


def test_everything_on_one_page_that_needs_nothing_else(pack, model_folder, predictions, evaluation, tmp_path):
    out = write_report([pack, model_folder, predictions, evaluation], tmp_path / "report.html", "My galaxies")
    page = Page(out)
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not re.search(r"url\(|@import|<script|<link|https?://", page.source.replace("http://www.w3.org", ""))
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= page.ids
    assert all(image.get("alt") for image in page.images)
    assert page.tags.count("h1") == 1 and page.tags.count("h2") == 4
    for said in (
        "My galaxies",
        "120 galaxies",
        "Unreadable images",
        "Encoder",
        "balanced accuracy",
        "95 %",
        "def456",
        "abc123",
    ):
        assert said in page.text
    assert "truncated <JPEG>" in page.text and "Limits & <caveats>." in page.text


def test_every_image_is_whole(pack, evaluation, tmp_path):
    page = Page(write_report([pack, evaluation], tmp_path / "report.html"))
    plots = [image for image in page.images if image["src"].startswith("data:image/webp")]
    thumbnails = [image for image in page.images if image["src"].startswith("data:image/jpeg")]
    assert len(plots) == 5 and len(thumbnails) == 24
    for image in page.images:
        data = base64.b64decode(image["src"].split(",", 1)[1], validate=True)
        target = tmp_path / "image"
        target.write_bytes(data)
        with Image.open(target) as opened:
            opened.load()
    ids = set(pd.read_parquet(pack / "catalog.parquet")["id_str"])
    assert {re.search(r"g\d{4}", image["alt"]).group() for image in thumbnails} <= ids


def test_thumbnails_are_found_beside_the_predictions(predictions, tmp_path):
    page = Page(write_report([predictions], tmp_path / "report.html"))
    assert (
        sum(
            "Galaxy: round" in image["alt"] or "Galaxy: completely round smooth" in image["alt"]
            for image in page.images
        )
        >= 1
    )
    assert "The surest of each class" in page.text
    assert "g0" in page.text


def test_predictions_without_images_are_drawn_without_thumbnails(predictions, tmp_path):
    alone = tmp_path / "predictions.csv"
    pd.read_parquet(predictions).to_csv(alone, index=False)
    page = Page(write_report([alone], tmp_path / "report.html"))
    assert page.images == []
    assert "Classes, 119 galaxies" in page.text


@pytest.mark.parametrize(("n", "says"), [(7, "not one of these7 (6 %)"), (0, "")])
def test_the_page_counts_classes_as_the_table_names_them(predictions, tmp_path, n, says):
    table = pd.read_parquet(predictions)
    read = table.index[table["error"].isna()]
    table.loc[read, "five_class"] = ["not one of these"] * n + ["round"] * (len(read) - n)
    table.to_parquet(tmp_path / "p.parquet", index=False)
    text = Page(write_report([tmp_path / "p.parquet"], tmp_path / "report.html")).text
    assert says in text and ("not one of these" in text) == bool(n)


def test_a_pack_on_the_page_lends_its_pictures(predictions, pack, tmp_path):
    alone = tmp_path / "predictions.csv"
    pd.read_parquet(predictions).drop(columns="file_loc").to_csv(alone, index=False)
    page = Page(write_report([pack, alone], tmp_path / "report.html"))
    assert len(page.images) > 24


def test_training_curves_show_losses_then_metrics(model_folder, tmp_path):
    page = Page(write_report([model_folder], tmp_path / "report.html"))
    captions = [image["alt"] for image in page.images]
    assert [caption.split(":")[0] for caption in captions] == ["Loss", "gz-challenge", "Learning rate"]
    assert captions[0] == "Loss: training from 0.5000 to 0.2000, validation from 0.6000 to 0.3000"
    assert "gz-challenge: RMSE" in page.text


@pytest.mark.parametrize("absent", ["history.csv", "card.md"])
def test_a_model_without_a_part_is_drawn_without_it(model_folder, absent, tmp_path):
    (model_folder / absent).unlink()
    assert "plain (width 4)" in Page(write_report([model_folder], tmp_path / "report.html")).text


def test_what_a_manifest_lacks_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text('{"format": "tuningfork-model", "version": 1}')
    with pytest.raises(TuningforkError, match=r"model.json: encoder: field required"):
        write_report([tmp_path / "model"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_names_from_files_are_text_never_markup(model_folder, tmp_path):
    manifest = json.loads((model_folder / "model.json").read_text())
    manifest["recipe"]["title"] = '<script>alert("x")</script>'
    (model_folder / "model.json").write_text(json.dumps(manifest))
    page = Page(write_report([model_folder], tmp_path / "report.html", "<b>title</b>"))
    assert "script" not in page.tags and "b" not in page.tags
    assert '<script>alert("x")</script>' in page.text


def test_a_lost_plot_is_said(evaluation, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "evaluation.json").write_text((evaluation / "evaluation.json").read_text())
    assert "Plots that are no longer there" in Page(write_report([copy], tmp_path / "report.html")).text


def test_bad_images_are_listed(pack, tmp_path):
    copy = tmp_path / "pack"
    copy.mkdir()
    for name in ("pixels.npy", "catalog.parquet"):
        shutil.copy(pack / name, copy / name)
    manifest = json.loads((pack / "pack.json").read_text())
    manifest["errors"] = [{"id_str": f"bad{i}", "file_loc": f"{i}.jpg", "error": "truncated JPEG"} for i in range(60)]
    (copy / "pack.json").write_text(json.dumps(manifest))
    text = Page(write_report([copy], tmp_path / "report.html")).text
    assert "bad0" in text and "bad49" in text and "bad50" not in text and "and 10 more" in text


@pytest.mark.parametrize("make", ["nothing", "folder", "text", "foreign"])
def test_what_is_nothing_of_ours_is_refused(make, tmp_path):
    path = tmp_path / "thing"
    if make == "folder":
        path.mkdir()
    elif make == "text":
        path = tmp_path / "thing.txt"
        path.write_text("hello")
    elif make == "foreign":
        path.mkdir()
        (path / "model.json").write_text('{"format": "keras"}')
    done = CliRunner().invoke(build(), ["report", str(path), "--out", str(tmp_path / "report.html")])
    assert isinstance(done.exception, TuningforkError) and str(path) in str(done.exception)
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_the_page(pack, tmp_path):
    out = tmp_path / "new" / "page.html"
    done = CliRunner().invoke(build(), ["report", str(pack), "--out", str(out), "--title", "Ours"])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(out)
    assert "<title>Ours</title>" in out.read_text()


def test_labels_in_words():
    values = dict.fromkeys(TREE.columns, 0.0)
    values |= {"Class1.2": 0.9, "Class1.1": 0.1, "Class2.2": 0.8, "Class2.1": 0.1, "Class3.1": 0.7, "Class3.2": 0.1}
    values |= {"Class4.2": 0.8, "Class5.3": 0.8, "Class6.2": 1.0, "Class7.1": 0.1, "Class9.1": 0.1}
    table = pd.DataFrame([{"id_str": "1", **values}, {"id_str": "2", **dict.fromkeys(TREE.columns, np.nan)}])
    first, second = label_words(TREE, table)
    assert set(first) == {"features or disk", "bar", "bulge prominence: obvious"}
    assert second == []


def test_nested_tables_become_dotted_lines():
    nested = {"a": 1, "b": {"c": [1, 2], "d": None}, "head": [{"kind": "tree"}, {"kind": "classes"}]}
    assert flat(nested) == [("a", "1"), ("b.c", "1, 2"), ("head[1].kind", "tree"), ("head[2].kind", "classes")]
