"""Plots for a paper: each verb that draws writes PDF and SVG on demand, whole, hashed, and the same every time."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.embeddings import anomalies
from tuningfork.errors import OutputError
from tuningfork.plotting.sheet import Sheet, Tile
from tuningfork.plotting.style import CYCLE, DOUBLE, FORMATS, SINGLE, STYLE, figure, save, styled

POINTS = 72  # an inch


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(build(), [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def check_whole(path: Path) -> tuple[float, float]:
    """That a plot is what its ending says, by its content; its width and height in inches."""
    data = path.read_bytes()
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            return image.width / 200, image.height / 200
    if path.suffix == ".svg":
        root = ElementTree.fromstring(data)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not re.search(rb"<dc:date>|https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", data)
        return tuple(float(root.get(side).removesuffix("pt")) / POINTS for side in ("width", "height"))
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    assert b"CreationDate" not in data and b"/Type3" not in data  # journals want outlines of real fonts
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", data)
    return float(box[1]) / POINTS, float(box[2]) / POINTS


def check_pairs(folder: Path, ending: str) -> None:
    """That beside each PNG lies a plot of the ending, as wide as a journal's column or page."""
    stems = {path.stem for path in folder.glob("*.png")} - {"galaxies"}
    assert stems and stems == {path.stem for path in folder.glob(f"*.{ending}")}
    for stem in stems:
        width, height = check_whole(folder / f"{stem}.{ending}")
        assert width == pytest.approx(SINGLE, abs=0.02) or width == pytest.approx(DOUBLE, abs=0.02)
        assert height < 11  # inches: a page


def check_hashes(folder: Path, name: str) -> None:
    """That the manifest vouches for every plot."""
    hashes = json.loads((folder / name).read_text())["sha256"]
    for ending in FORMATS:
        for path in folder.glob(f"*.{ending}"):
            assert hashes[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_evaluate(model: Path, pack: Path, tmp_path: Path, ending: str) -> None:
    if ending == "svg":  # what is there already is drawn again in a format that is not
        invoke("evaluate", model, pack, tmp_path / "a", "--split", "val")
        assert not list((tmp_path / "a").glob("*.svg"))
    invoke("evaluate", model, pack, tmp_path / "a", "--split", "val", "--plots", ending)
    check_pairs(tmp_path / "a", ending)
    check_hashes(tmp_path / "a", "evaluation.json")
    assert all(name.endswith(".png") for name in json.loads((tmp_path / "a" / "evaluation.json").read_text())["plots"])
    if ending == "svg":
        return
    invoke("evaluate", model, pack, tmp_path / "b", "--split", "val", "--plots", ending)
    for path in [*(tmp_path / "a").glob("*.pdf"), *(tmp_path / "a").glob("*.png")]:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_robustness(model: Path, pack: Path, tmp_path: Path) -> None:
    invoke("robustness", model, pack, tmp_path / "r", "--limit", "6", "--plots", "pdf")
    check_pairs(tmp_path / "r", "pdf")
    check_hashes(tmp_path / "r", "robustness.json")


def test_explain(model: Path, pack: Path, tmp_path: Path) -> None:
    invoke("explain", model, pack, tmp_path / "e", "--limit", "1", "--plots", "svg")
    check_pairs(tmp_path / "e", "svg")
    galaxy = json.loads((tmp_path / "e" / "explanation.json").read_text())["galaxies"][0]
    assert len(galaxy["sha256"]) == 4 and len(galaxy["plots"]) == 2
    invoke("explain", model, pack, tmp_path / "e", "--limit", "1", "--overwrite")
    assert not list((tmp_path / "e").glob("*.svg"))  # what is replaced is gone, whatever its format


def test_embed_anomalies_and_similar(model: Path, pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.parquet"
    invoke("embed", pack, out, "--model", model, "--plots", "pdf", "--device", "cpu")
    check_pairs(tmp_path, "pdf")
    hashes = json.loads((tmp_path / "f-purity.json").read_text())["sha256"]
    assert {path.name for path in tmp_path.glob("*.pdf")} < set(hashes)
    table = pd.read_parquet(out)
    assert set(table["predicted_gz-challenge"]) <= {"smooth", "features or disk", "star or artifact"}
    (tmp_path / "n").mkdir()
    invoke("anomalies", out, "--out", tmp_path / "n" / "a.csv", "-n", "7", "--plots", "pdf")
    invoke("similar", out, "g0003", "--out", tmp_path / "n" / "s.csv", "--plots", "svg")
    for name in ("a-forest.pdf", "a-distance.pdf", "s.svg"):
        assert check_whole(tmp_path / "n" / name)[0] == pytest.approx(DOUBLE, abs=0.02)
    for name in ("a.csv", "a-forest.png", "a-distance.png"):
        (tmp_path / "n" / name).unlink()
    with pytest.raises(OutputError, match=r"a-forest\.pdf exists"):  # it may be anyone's
        anomalies(out, tmp_path / "n" / "a.csv", plots="pdf")


@pytest.mark.parametrize("verb", ["evaluate", "robustness", "explain", "study"])
def test_another_format_is_refused_before_any_work(verb: str, model: Path, pack: Path, tmp_path: Path) -> None:
    first = "serrano/approaches" if verb == "study" else str(model)
    done = CliRunner().invoke(build(), [verb, first, str(pack), str(tmp_path / "out"), "--plots", "gif"])
    assert isinstance(done.exception, OutputError)
    assert str(done.exception) == "--plots gif: use png, pdf or svg"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ending", FORMATS)
def test_a_sheet_says_in_each_format_what_it_is(tmp_path: Path, ending: str) -> None:
    tiles = [Tile(np.full((9, 9, 3), 80, np.uint8), ["a $b$ <c>"], framed=True), Tile(None, missing="cut short")]
    places = []
    for number in range(2):
        place = tmp_path / str(number) / "sheet.png"
        place.parent.mkdir()
        Sheet("Two $x$", "one of them broken", [tiles, "A heading", tiles]).save(place, ending)
        places.append(place.with_suffix(f".{ending}"))
        check_whole(places[-1])
    assert places[0].read_bytes() == places[1].read_bytes()


def test_the_style_is_one_file_and_leaves_the_users_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    with styled():
        assert [entry["color"].strip("#") for entry in mpl.rcParams["axes.prop_cycle"]] == [c.strip("#") for c in CYCLE]
        drawn = figure("A title", SINGLE, 2)
        drawn.subplots().plot([0, 1])
        assert max(text.get_fontsize() for text in drawn.findobj(mpl.text.Text)) <= 9
    assert save(drawn, tmp_path / "x.png", "svg") == ["x.png", "x.svg"]
    assert dict(mpl.rcParams) == before
    assert STYLE.suffix == ".mplstyle"


@given(st.lists(st.text("abcmwW_:,", min_size=1, max_size=60), min_size=1, max_size=12).map(" ".join))
@settings(max_examples=25, deadline=None)
def test_a_title_of_any_length_is_all_in_the_figure(title: str) -> None:
    with styled():
        drawn = figure(title, DOUBLE, 4)
    text = drawn._suptitle
    assert text is not None
    drawn.draw_without_rendering()
    box = text.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= drawn.bbox.width
    assert text.get_text().replace("\n", "").replace(" ", "") == title.replace(" ", "")


def test_colours_differ_for_the_colour_blind_and_in_grey() -> None:
    """No two neighbours of the cycle look alike to a deuteranope (Viénot et al. 1999)."""
    linear = np.array([mpl.colors.to_rgb(colour) for colour in CYCLE]) ** 2.2
    seen = np.clip(linear @ np.array([[0.29275, 0.29275, -0.02234], [0.70725, 0.70725, 0.02234], [0, 0, 1]]), 0, 1)
    perceived = seen ** (1 / 2.2)
    for one in range(len(CYCLE)):
        for other in range(one):
            assert np.linalg.norm(perceived[one] - perceived[other]) > 0.12
