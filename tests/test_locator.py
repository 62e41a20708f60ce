"""Galaxies are looked for in their frames: where one is moved to and how wide its frame is changes little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tuningfork
from tuningfork.engines.engine import Graph
from tuningfork.errors import ModelError
from tuningfork.explain.features import network_view
from tuningfork.images import Geometry, decode
from tuningfork.inference import draw_preview, predict
from tuningfork.inference.placed import place_notes
from tuningfork.models import (
    Ensemble,
    GalaxyModel,
    HeadSpec,
    View,
    crop,
    learned_from,
    load_model,
    load_uncalibrated,
    read_manifest,
    save_model,
    share_seen,
)
from tuningfork.models.locator import SIDE, Locator, Places
from tuningfork.models.views import sides
from tuningfork.schemas import load_schema

GALAXIES = Path(__file__).parents[2] / "shared/data/galaxy-zoo-challenge/native/images_training_rev1"
WHOLE = Geometry(size=160, field=1.0, channels=3)


def blobs(width: float = 1.0, x: float = 0.0, y: float = 0.0, *, size: int = 160) -> np.ndarray:
    """A lopsided smooth galaxy (size, size, 3), drawn where `Places` of these numbers say."""
    across = (np.arange(size) + 0.5) / size - 0.5
    right, down = np.meshgrid((across - x) * width, (across - y) * width)
    light = np.exp(-((right / 0.06) ** 2 + (down / 0.03) ** 2) / 2)
    light += 0.5 * np.exp(-(((right - 0.07) / 0.02) ** 2 + ((down + 0.03) / 0.02) ** 2) / 2)
    return np.repeat(np.rint(150 * light).astype(np.uint8)[..., None], 3, axis=2)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None]


@settings(max_examples=40, deadline=None)
@given(st.floats(0.6, 1.8), st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.sampled_from([1, 4, 16]))
def test_what_is_seen_is_the_galaxy_in_the_middle_and_of_one_size(width: float, x: float, y: float, views: int) -> None:
    view, each = View(0.4, 48), torch.ones(1)
    warps = Places(width * each, x * each, y * each).warps(view, WHOLE)
    moved = list(sides(tensor(blobs(width, x, y)), view, WHOLE, views, invariant=False, warps=warps))
    usual = list(sides(tensor(blobs()), view, WHOLE, views, invariant=False))
    assert len(moved) == len(usual) == views
    for ours, expected in zip(moved, usual, strict=True):
        assert float((ours - expected).abs().max()) < 0.05


def test_the_middle_at_the_usual_width_is_what_is_seen_without_looking() -> None:
    view, pixels = View(0.5, 64), tensor(blobs())
    still = Places(torch.ones(1), torch.zeros(1), torch.zeros(1)).warps(view, WHOLE)
    (seen,) = sides(pixels, view, WHOLE, 1, invariant=False, warps=still)
    torch.testing.assert_close(seen, crop(pixels, view, WHOLE))


def test_what_is_found_keeps_within_what_was_learned() -> None:
    locator = Locator(3).eval()
    with torch.no_grad():
        locator.head[-1].bias.copy_(torch.tensor([9.0, -9.0, 9.0]))
    found = locator.locate(tensor(blobs()), WHOLE)
    assert [round(float(value), 3) for value in (found.width, found.x, found.y)] == [0.312, -0.35, 0.35]
    assert locator(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, 3)


@pytest.fixture(scope="module")
def robust() -> GalaxyModel:
    return load_uncalibrated("robust").members[0]


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.2, 0.0), (0.0, -0.2)])
def test_the_bundled_one_finds_where_a_galaxy_is(robust: GalaxyModel, x: float, y: float) -> None:
    found = robust.places(tensor(blobs(1.0, x, y, size=robust.spec.geometry.size)))
    assert found is not None
    assert (float(found.x), float(found.y)) == pytest.approx((x, y), abs=0.03)


@pytest.mark.skipif(not GALAXIES.is_dir(), reason="the shared real galaxies are not on this machine")
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_the_bundled_one_finds_how_wide_a_frame_is(robust: GalaxyModel, width: float) -> None:
    images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(GALAXIES.glob("*.jpg"))[:24]]
    cut = round(424 * (1 - width) / 2)
    framed = [
        image[cut:-cut, cut:-cut] if cut > 0 else np.pad(image, ((-cut, -cut), (-cut, -cut), (0, 0)))
        for image in images
    ]
    found = robust.places(torch.from_numpy(np.stack([decode(image, robust.spec.geometry)[0] for image in framed])))
    assert found is not None
    assert float(found.width.median()) == pytest.approx(width, rel=0.1)
    assert float((found.width / width).log().abs().quantile(0.8)) < 0.25


def test_predictions_say_where_each_galaxy_was_found(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name, aside in (("aside", 0.2), ("middle", 0.0)):
        Image.fromarray(blobs(x=aside, size=212)).save(images / f"{name}.png")
    (images / "not.png").write_bytes(b"no picture")
    Image.fromarray(np.concatenate([np.zeros((212, 60, 3), np.uint8), blobs(size=212)], axis=1)).save(
        images / "long.png"
    )
    table = pd.read_parquet(predict(images, tmp_path / "out.parquet", model="robust")).set_index("id_str")
    assert table.loc["aside", "galaxy_x"] == pytest.approx(0.2, abs=0.03)
    assert table.loc["middle", ["galaxy_x", "galaxy_y"]].to_numpy(float) == pytest.approx(0, abs=0.03)
    assert table.loc["middle", "frame_width"] == pytest.approx(table.loc["aside", "frame_width"], rel=0.2)
    assert table.loc["not", ["frame_width", "galaxy_x", "galaxy_y"]].isna().all()
    assert "272 x 212 pixels: the galaxy is looked for in the square in the middle alone" in table.loc["long", "note"]
    assert not table["note"].str.contains("is the galaxy centred").any()
    usual = pd.read_parquet(predict(images, tmp_path / "usual.parquet"))
    assert usual.set_index("id_str").loc["aside", "note"].endswith("is the galaxy centred?")
    assert not {"frame_width", "galaxy_x", "galaxy_y"} & set(usual)


def test_what_lies_beyond_the_frame_is_sky_and_said() -> None:
    view, each = View(0.5, 64), torch.ones(1)
    corner = np.full((160, 160, 3), 9, np.uint8)
    corner[120:150, 120:150] = 200
    found = Places(0.4 * each, 0.3 * each, 0.3 * each)
    (seen,) = sides(tensor(corner), view, WHOLE, 1, invariant=False, warps=found.warps(view, WHOLE))
    assert float((seen[0, 0] > 0.5).sum()) == pytest.approx(30 * 30 * (64 / (160 * 0.5 / 0.4)) ** 2, rel=0.15)
    assert float(seen[0, :, -1, -1].mean()) == pytest.approx(9 / 255, abs=1e-3)
    spec = replace(load_uncalibrated("default").members[0].spec, geometry=WHOLE)
    (said,) = place_notes(found, spec)
    assert said == "a part of what the model sees lies beyond the frame, and was taken for empty sky"
    (said,) = place_notes(Places(2.9 * each, 0 * each, 0 * each), spec)
    assert said == "the frame was found to be 2.9 times as wide as usual; 0.5 to 2 were tried"
    assert place_notes(Places(0.5 * each, 0 * each, 0 * each), spec) == [None]


def test_explanations_and_sheets_show_what_the_network_sees(robust: GalaxyModel, tmp_path: Path) -> None:
    aside = blobs(x=0.2, size=robust.spec.geometry.size)
    shown = network_view(robust, aside[None])[0].sum(dim=0)
    across = (torch.arange(shown.shape[1]) + 0.5) / shown.shape[1] - 0.5
    assert abs(float((shown.sum(dim=0) * across).sum() / shown.sum())) < 0.1
    sheet = draw_preview([aside], tmp_path / "out.parquet", n=1, model="robust")
    assert sheet.name == "out-look.png"


def test_a_model_keeps_what_looks_for_galaxies(robust: GalaxyModel, tmp_path: Path) -> None:
    made = GalaxyModel(replace(robust.spec))
    made.load_state_dict(robust.state_dict())
    (tmp_path / "kept").mkdir()
    save_model(made, tmp_path / "kept", {})
    again = load_model(tmp_path / "kept")
    pixels = tensor(blobs(1.5, 0.1, size=robust.spec.geometry.size))
    assert torch.equal(again.infer(pixels).features, made.eval().infer(pixels).features)
    (tmp_path / "without").mkdir()
    blind = GalaxyModel(replace(robust.spec, located=False))
    save_model(blind, tmp_path / "without", {"input": robust.spec.as_dict()["input"]})
    with pytest.raises(ModelError, match="locator"):
        load_model(tmp_path / "without")


def test_the_first_member_of_an_ensemble_looks_for_all(robust: GalaxyModel) -> None:
    pixels = torch.from_numpy(np.stack([blobs(x=x, size=robust.spec.geometry.size) for x in (0.0, 0.2, -0.2)]))
    both = Ensemble([robust, robust]).eval()
    found, alone = both.infer(pixels).first(2), robust.infer(pixels).first(2)
    assert found.places is not None
    assert found.places.x.tolist() == pytest.approx([0, 0.2], abs=0.03)
    torch.testing.assert_close(found.answers, alone.answers)
    blind = GalaxyModel(replace(robust.spec, located=False), robust.encoder)
    with pytest.raises(ModelError, match="member 2 looks at the middle of the frame, the first looks for the galaxy"):
        Ensemble([robust, blind])


def test_engines_run_what_comes_after_the_looking(robust: GalaxyModel) -> None:
    assert not [name for name, _ in Graph(robust).named_modules() if "locator" in name]
    assert robust.locator is not None


def test_broken_weights_are_said_to_be() -> None:
    locator = Locator(3).eval()
    with torch.no_grad():
        locator.body[1].running_var.fill_(-5)
    with pytest.raises(ModelError, match="no finite number"):
        locator.locate(tensor(blobs()), WHOLE)


def test_what_it_learned_from_is_known() -> None:
    learned = list(learned_from("robust"))
    assert len(learned) == 2
    assert all(each.how == "trained on" and each.sha256 for each in learned)


def test_other_heads_look_for_galaxies_as_before(robust: GalaxyModel) -> None:
    made = robust.with_heads([HeadSpec(schema="five-classes", kind="classes")], [load_schema("five-classes")]).eval()
    pixels = tensor(blobs(1.5, 0.1, 0.1, size=robust.spec.geometry.size))
    assert torch.equal(made.infer(pixels).features, robust.infer(pixels).features)
    assert made.spec.trained.looked == share_seen(read_manifest("robust")) == 1
    assert share_seen(read_manifest("default")) == pytest.approx(2 / 3)
    assert "looks for in the frame" in repr(tuningfork.load_model("robust"))
