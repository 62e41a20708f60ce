"""The sheet of the first images, drawn by the real command instead of an answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import CatalogError
from tuningfork.images import Geometry, decode
from tuningfork.inference import draw_preview
from tuningfork.models import View, load_model
from tuningfork.plotting.sheet import GAP, LINE, MARGIN, SIDE, TITLE
from tuningfork.sources import introduce, open_source

FIRST = (MARGIN, MARGIN + TITLE + 2 * LINE)  # the corner of the first tile


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(build(), list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def images(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look") / "images"
    folder.mkdir()
    for path in sorted((galaxies.parent / "images").glob("*.jpg"))[:8]:
        shutil.copy(path, folder)
    (folder / "g0002.jpg").write_bytes(b"\xff\xd8\xff cut short")
    return folder


def tile(sheet: Path, place: int) -> np.ndarray:
    left, top = FIRST[0] + place * (SIDE + GAP), FIRST[1]
    with Image.open(sheet) as image:
        return np.asarray(image)[top : top + SIDE, left : left + SIDE]


def shown(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_a_look_shows_what_the_model_sees_and_stops(verb: str, images: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "cat.parquet"
    said = invoke(verb, images, out, "--model", model, "--look", 5)
    assert said.strip() == f"look: {tmp_path / 'cat-look.png'}"
    assert [path.name for path in tmp_path.iterdir()] == ["cat-look.png"]
    spec = load_model(model).spec
    assert spec.geometry == Geometry(0.9, 36, 3) and spec.view == View(0.8, 32)
    pixels, _ = decode((images / "g0000.jpg").read_bytes(), spec.geometry)
    np.testing.assert_allclose(tile(tmp_path / "cat-look.png", 0), shown(pixels[2:-2, 2:-2]), atol=1)
    words = tile(tmp_path / "cat-look.png", 2)  # of the one that can't be read: an explanation on grey
    assert (words[0, 0] == words[-1, -1]).all() and 0.01 < (words.min(axis=2) < 100).mean() < 0.3
    assert (tile(tmp_path / "cat-look.png", 5) == 255).all()  # five were asked for


def test_a_look_shows_what_will_be_packed(images: Path, tmp_path: Path) -> None:
    said = invoke("pack", images, tmp_path / "pack", "--size", 40, "--field", 0.5, "--look", 3)
    assert said.strip() == f"look: {tmp_path / 'pack-look.png'}"
    assert not (tmp_path / "pack").exists()
    pixels, _ = decode((images / "g0000.jpg").read_bytes(), Geometry(0.5, 40, 3))
    np.testing.assert_allclose(tile(tmp_path / "pack-look.png", 0), shown(pixels), atol=1)


def test_training_galaxies_lie_in_the_model_and_on_the_sheet(images: Path, model: Path, tmp_path: Path) -> None:
    side = load_model(model).spec.view.size
    with Image.open(model / "training.png") as strip:
        assert strip.size == (6 * side, side)
        first = np.asarray(strip)[:, :side]
    with Image.open(draw_preview(images, tmp_path / "a.csv", n=3, model=model)) as sheet:
        rows = np.asarray(sheet)
    place = len(rows) - MARGIN - SIDE
    np.testing.assert_array_equal(rows[place : place + SIDE, MARGIN : MARGIN + SIDE], shown(first))


def test_a_model_without_training_galaxies_shows_simulated_ones(images: Path, tmp_path: Path) -> None:
    sheet = draw_preview(images, tmp_path / "b.fits", n=1)
    again = sheet.read_bytes()
    assert draw_preview(images, tmp_path / "b.fits", n=1).read_bytes() == again
    with Image.open(sheet) as drawn:
        assert drawn.width == 2 * MARGIN + 6 * (SIDE + GAP) - GAP


def test_there_must_be_something_to_look_at(images: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such file"):
        draw_preview(tmp_path / "nowhere", tmp_path / "c.csv")
    result = CliRunner().invoke(build(), ["predict", str(images), str(tmp_path / "d.csv"), "--look", "0"])
    assert result.exit_code == 2


def test_a_sheet_among_the_images_is_no_galaxy(tmp_path: Path) -> None:
    """But a picture of that name is, that others made."""
    for name in ("1", "2", "my-look"):
        Image.new("RGB", (40, 40), "grey").save(tmp_path / f"{name}.png")
    draw_preview(tmp_path, tmp_path / "out.parquet", n=2, geometry=Geometry(0.9, 12, 3))
    assert (tmp_path / "out-look.png").exists()
    source = open_source(tmp_path)
    assert source.table["id_str"].tolist() == ["1", "2", "my-look"]
    assert "1 sheet of --look" in introduce(source)
