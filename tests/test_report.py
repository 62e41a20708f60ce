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
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import TuningforkError
from tuningfork.evaluation import evaluate_file
from tuningfork.inference import evaluate_model
from tuningfork.report import write_report
from tuningfork.report.answers import label_words
from tuningfork.report.blocks import Dot, Dots, round_ticks
from tuningfork.report.histograms import histogram
from tuningfork.report.pictures import stretched
from tuningfork.report.provenance import flat
from tuningfork.report.thumbnails import Crop, middle, saturated
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
    assert len(plots) == 4 and len(thumbnails) == 16
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
    assert len(page.images) > 2 * 16


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


def test_a_page_of_an_evaluation_begins_with_galaxies_and_four_questions(model, pack, tmp_path):
    evaluate_model(model, pack, n_bootstrap=40).save(tmp_path / "evaluation")
    path = write_report([tmp_path / "evaluation"], tmp_path / "report.html")
    page, source = Page(path), path.read_text()
    first = [image["alt"] for image in page.images[:8]]
    assert sum("right: " in said for said in first) >= 3 and sum("wrong: " in said for said in first) >= 1
    places = [
        source.index(said) for said in ("What was asked", "How good", "How sure", "Where it breaks", "Error by q")
    ]
    assert places == sorted(places) and source.index('<img src="data:image/jpeg') < places[0]
    manifest = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    figure = manifest["schemas"]["gz-challenge"]["figures"]["rmse"]
    assert f"RMSE {figure['value']:.3f}" in page.text
    questions = manifest["schemas"]["gz-challenge"]["questions"]
    worst = max((q for q in questions if questions[q]["rmse"]["value"]), key=lambda q: questions[q]["rmse"]["value"])
    assert f"{worst.replace('-', ' ').capitalize()}: RMSE {questions[worst]['rmse']['value']:.3f}" in page.text
    assert path.stat().st_size < 1_500_000


def test_a_strip_that_is_gone_or_of_another_length_is_left_out(model, pack, tmp_path):
    out = evaluate_model(model, pack, n_bootstrap=40).save(tmp_path / "evaluation")
    Image.new("RGB", (64, 32)).save(out / "galaxies.png")
    assert not any("right: " in image["alt"] for image in Page(write_report([out], tmp_path / "a.html")).images)
    (out / "galaxies.png").unlink()
    assert "What was asked" in Page(write_report([out], tmp_path / "b.html")).text


def calibrated(predictions: Path, folder: Path) -> pd.DataFrame:
    """The table with intervals, two flagged images and one with a note; the images lie beside it."""
    table = pd.read_parquet(predictions)
    for column in (*TREE.prediction_columns, *TREE.columns):
        if column in table:
            table[f"{column}_low"], table[f"{column}_high"] = table[column] - 0.1, table[column] + 0.1
    table["ood_score"], table["ood"] = 0.5, False
    table.loc[3, ["Class1.1_low", "Class1.1_high"]] = 0.0, 1.0
    table["note"] = pd.Series([None] * len(table), dtype=object)
    return table


def test_predictions_show_the_flagged_the_doubtful_and_histograms_with_intervals(predictions, tmp_path):
    table = calibrated(predictions, tmp_path)
    table.loc[[5, 9], "ood"], table.loc[[5, 9], "ood_score"] = True, [1.5, 2.5]
    table.to_parquet(predictions.parent / "flagged.parquet")
    page = Page(write_report([predictions.parent / "flagged.parquet"], tmp_path / "report.html"))
    assert "2 out of distribution (1.7%)" in page.text and "not measured" in page.text
    scores = [image["alt"] for image in page.images if "OOD score" in image["alt"]]
    assert scores == ["Galaxy: OOD score 2.50 · g0009", "Galaxy: OOD score 1.50 · g0005"]
    widest = next(image["alt"] for image in page.images if "wide" in image["alt"])
    assert widest.endswith("g0003")
    assert page.source.count('class="band"') > 5 and "median 90 % interval" in page.text
    assert "The least sure of each class" in page.text


def test_the_surest_are_no_flagged_and_no_saturated_images(predictions, galaxies, tmp_path):
    table = calibrated(predictions, tmp_path)
    (tmp_path / "images").mkdir()
    star = np.zeros((72, 72, 3), np.uint8)
    star[20:52, 20:52] = 255  # a fifth of the frame: more than any galaxy
    Image.fromarray(star).save(tmp_path / "images" / "star.png")
    table["file_loc"] = [str(galaxies.parent / place) for place in table["file_loc"]]
    names = list(FIVE.prediction_columns)
    table.loc[1:4, names] = [[1.0, 0, 0, 0, 0], [0.99, 0.01, 0, 0, 0], [0.98, 0.02, 0, 0, 0], [0.97, 0.03, 0, 0, 0]]
    table.loc[1:4, "five_class"] = "round"
    table.loc[1, "file_loc"] = str(tmp_path / "images" / "star.png")
    table.loc[2, "ood"] = True
    table.loc[3, "note"] = "the brightest light is far from the middle"
    table.to_parquet(tmp_path / "p.parquet")
    page = Page(write_report([tmp_path / "p.parquet"], tmp_path / "report.html"))
    surest = [image["alt"] for image in page.images if "completely round smooth" in image["alt"]]
    left_out = {"1.00 · g0001", "0.99 · g0002", "0.98 · g0003"}
    assert not left_out & {said.partition("smooth ")[2] for said in surest}
    assert any("0.97 · g0004" in said for said in surest)


def test_thumbnails_show_what_the_model_sees_and_faint_light(tmp_path):
    pixels = np.full((60, 60, 3), 4, np.uint8)
    pixels[25:35, 25:35] = 40  # faint
    seen = stretched(pixels)
    assert seen[30, 30].min() > 90 and seen[0, 0].max() == 0
    assert (stretched(np.full((9, 9, 3), 200, np.uint8)) == 200).all()  # no sky: nothing is changed
    assert middle(pixels, 0.5).shape == (30, 30, 3)
    assert saturated(np.full((9, 9, 3), 255, np.uint8)) and not saturated(pixels)
    said = {"geometry": {"field": 0.8, "size": 36, "channels": 3}, "reading": {"looked": 0.5}}
    assert Crop.of_predictions(said).field == pytest.approx(0.4)
    for wrong in (
        {},
        {"geometry": 3, "reading": []},
        {"geometry": {"field": 9}, "reading": None},
        said | {"reading": {"looked": 7}},
    ):
        assert Crop.of_predictions(wrong) == Crop()


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_round_and_lie_between_the_ends(low, span):
    ticks = round_ticks(low, low + span)
    assert len(ticks) <= 7
    near = 1e-6 * span + 1e-12 * abs(low)
    assert all(low - near <= value <= low + span + near for value, _ in ticks)


@settings(deadline=None)
@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)))
def test_a_histogram_has_a_bar_for_every_value_and_stays_in_its_box(values):
    drawn = histogram("x", values, (values - 0.1, values + 0.1))
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", drawn.path.replace("-", " -"))]
    assert drawn.path.count("M") == len(np.unique(np.minimum((values * 20).astype(int), 19)))
    assert all(-60 <= number <= 200 for number in numbers)


@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=5))
def test_dots_of_any_numbers_have_a_scale(values):
    dots = Dots("x", [Dot("a", value, "", [value, value]) for value in values])
    low, high = dots.ends
    assert low < high and len(dots.ticks) <= 7
    assert all(np.isfinite(dots.place(value)) for value in values)
