"""Galaxies are looked for in their frames: where one is moved to and how wide its frame is changes little."""

from __future__ import annotations

import logging
import shutil
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
from tuningfork.adaptation import adapt
from tuningfork.engines.engine import Graph
from tuningfork.errors import ModelError, PackError
from tuningfork.explain.features import network_view
from tuningfork.images import Geometry, decode
from tuningfork.inference import calibrate, draw_preview, evaluate_model, export_model, predict, predict_pack
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
    model_folder,
    read_manifest,
    save_model,
    share_seen,
)
from tuningfork.models.locator import SIDE, Locator, Places
from tuningfork.models.views import sides
from tuningfork.packs import Pack, PackSource, make_pack
from tuningfork.robustness import measure_robustness
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


class Middle(Locator):
    """Finds the middle of the light, and takes it to be twenty times as far off as it is."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        across = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
        light = images.sum(dim=1)
        total = light.sum(dim=(1, 2))
        x, y = (light.sum(dim=axis) @ across / total for axis in (1, 2))
        return torch.stack([torch.full_like(x, 9.0), 20 * x, 20 * y], dim=1)


def test_what_is_found_keeps_within_what_was_learned() -> None:
    found = Middle(3).eval().locate(tensor(blobs(1.0, 0.1, -0.1)), WHOLE)
    assert [round(float(value), 3) for value in (found.width, found.x, found.y)] == [0.312, 0.35, -0.35]
    assert Locator(3)(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, 3)


@pytest.fixture(scope="module")
def bundled() -> GalaxyModel:
    return load_uncalibrated("default").members[0]


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.2, 0.0), (0.0, -0.2)])
def test_the_bundled_one_finds_where_a_galaxy_is(bundled: GalaxyModel, x: float, y: float) -> None:
    found = bundled.places(tensor(blobs(1.0, x, y, size=bundled.spec.geometry.size)))
    assert found is not None
    assert (float(found.x), float(found.y)) == pytest.approx((x, y), abs=0.03)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.6, 1.8), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.integers(0, 3), st.booleans())
def test_a_turned_square_has_its_galaxy_turned(width: float, x: float, y: float, turns: int, mirrored: bool) -> None:
    locator = load_uncalibrated("default").members[0].locator
    assert locator is not None
    square = blobs(width, x, y)
    turned = np.ascontiguousarray(np.rot90(square[:, ::-1] if mirrored else square, turns))
    found, again = locator.locate(tensor(square), WHOLE), locator.locate(tensor(turned), WHOLE)
    right, down = -found.x if mirrored else found.x, found.y
    for _ in range(turns):
        right, down = down, -right
    torch.testing.assert_close(again.width, found.width, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.stack([again.x, again.y]), torch.stack([right, down]), atol=1e-5, rtol=0)


@pytest.mark.skipif(not GALAXIES.is_dir(), reason="the shared real galaxies are not on this machine")
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_the_bundled_one_finds_how_wide_a_frame_is(bundled: GalaxyModel, width: float) -> None:
    images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(GALAXIES.glob("*.jpg"))[:24]]
    cut = round(424 * (1 - width) / 2)
    framed = [
        image[cut:-cut, cut:-cut] if cut > 0 else np.pad(image, ((-cut, -cut), (-cut, -cut), (0, 0)))
        for image in images
    ]
    found = bundled.places(torch.from_numpy(np.stack([decode(image, bundled.spec.geometry)[0] for image in framed])))
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
    table = pd.read_parquet(predict(images, tmp_path / "out.parquet")).set_index("id_str")
    assert table.loc["aside", "galaxy_x"] == pytest.approx(0.2, abs=0.03)
    assert table.loc["middle", ["galaxy_x", "galaxy_y"]].to_numpy(float) == pytest.approx(0, abs=0.03)
    assert table.loc["middle", "frame_width"] == pytest.approx(table.loc["aside", "frame_width"], rel=0.2)
    assert table.loc["not", ["frame_width", "galaxy_x", "galaxy_y"]].isna().all()
    assert "272 x 212 pixels: the galaxy is looked for in the square in the middle alone" in table.loc["long", "note"]
    assert not table["note"].str.contains("is the galaxy centred").any()


def test_a_model_that_does_not_look_asks_whether_the_galaxy_is_centred(model: Path, tmp_path: Path) -> None:
    image = tmp_path / "aside.png"
    Image.fromarray(blobs(x=0.2, size=212)).save(image)
    table = pd.read_parquet(predict([image], tmp_path / "out.parquet", model=model))
    assert table.loc[0, "note"].endswith("is the galaxy centred?")
    assert not {"frame_width", "galaxy_x", "galaxy_y"} & set(table)


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
    assert said == "the frame was found to be 2.9 times as wide as usual; only 0.5 to 2 was measured"
    assert place_notes(Places(0.5 * each, 0 * each, 0 * each), spec) == [None]


def test_explanations_and_sheets_show_what_the_network_sees(bundled: GalaxyModel, tmp_path: Path) -> None:
    aside = blobs(x=0.2, size=bundled.spec.geometry.size)
    shown = network_view(bundled, aside[None])[0].sum(dim=0)
    across = (torch.arange(shown.shape[1]) + 0.5) / shown.shape[1] - 0.5
    assert abs(float((shown.sum(dim=0) * across).sum() / shown.sum())) < 0.1
    sheet = draw_preview([aside], tmp_path / "out.parquet", n=1, model="default")
    assert sheet.name == "out-look.png"


def test_a_model_keeps_what_looks_for_galaxies(bundled: GalaxyModel, tmp_path: Path) -> None:
    made = GalaxyModel(replace(bundled.spec))
    made.load_state_dict(bundled.state_dict())
    (tmp_path / "kept").mkdir()
    save_model(made, tmp_path / "kept", {})
    again = load_model(tmp_path / "kept")
    pixels = tensor(blobs(1.5, 0.1, size=bundled.spec.geometry.size))
    assert torch.equal(again.infer(pixels).features, made.eval().infer(pixels).features)
    (tmp_path / "without").mkdir()
    blind = GalaxyModel(replace(bundled.spec, located=False))
    save_model(blind, tmp_path / "without", {"input": bundled.spec.as_dict()["input"]})
    with pytest.raises(ModelError, match="locator"):
        load_model(tmp_path / "without")


def test_the_first_member_of_an_ensemble_looks_for_all(bundled: GalaxyModel) -> None:
    pixels = torch.from_numpy(np.stack([blobs(x=x, size=bundled.spec.geometry.size) for x in (0.0, 0.2, -0.2)]))
    both = Ensemble([bundled, bundled]).eval()
    found, alone = both.infer(pixels).first(2), bundled.infer(pixels).first(2)
    assert found.places is not None
    assert found.places.x.tolist() == pytest.approx([0, 0.2], abs=0.03)
    torch.testing.assert_close(found.answers, alone.answers)
    blind = GalaxyModel(replace(bundled.spec, located=False), bundled.encoder)
    with pytest.raises(ModelError, match="member 2 looks at the middle of the frame, the first looks for the galaxy"):
        Ensemble([bundled, blind])


@settings(max_examples=15, deadline=None)
@given(st.floats(0.7, 1.6), st.floats(-0.1, 0.1), st.sampled_from([96, 160, 212]))
def test_the_flag_is_of_what_is_seen(width: float, x: float, size: int) -> None:
    """The pixels it measures are of the galaxy in the middle, as fine as those of the pack."""
    spec = replace(load_uncalibrated("default").members[0].spec, geometry=Geometry(size=size, field=1.0, channels=3))
    network, each = GalaxyModel(spec), torch.ones(1)
    seen = network.seen(tensor(blobs(width, x, size=size)), Places(width * each, x * each, 0 * each))
    expected = network.seen(tensor(blobs(size=size)), Places(each, 0 * each, 0 * each))
    assert seen.dtype == np.uint8 and seen.shape == (1, size // 2, size // 2, 3)
    assert np.abs(seen.astype(int) - expected).mean() < 2
    middle = blobs(size=size)[size // 4 : size // 4 + size // 2, size // 4 : size // 4 + size // 2]
    assert np.abs(expected[0].astype(int) - middle).max() <= 1


def test_one_that_does_not_look_sees_all_pixels(model: Path) -> None:
    network = load_model(model)
    side, channels = network.spec.geometry.size, network.spec.geometry.channels
    pixels = torch.randint(256, (3, side, side, channels), dtype=torch.uint8)
    assert np.array_equal(network.seen(pixels), pixels.numpy())


@pytest.fixture(scope="module")
def packs(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pack]:
    """The same drawn galaxies, cut out in three ways."""
    folder = tmp_path_factory.mktemp("packs")
    geometries = {"whole": Geometry(1.0, 212, 3), "middle": Geometry(0.75, 120, 3), "coarse": Geometry(1.0, 100, 3)}
    return {
        name: make_pack(galaxies, folder / name, schemas=["gz-challenge"], geometry=each)
        for name, each in geometries.items()
    }


def test_packs_of_any_part_of_the_frame_are_taken(packs: dict[str, Pack], tmp_path: Path) -> None:
    rows = packs["whole"].rows("all")
    found = {name: predict_pack("default", pack, rows) for name, pack in packs.items()}
    tree = list(load_schema("gz-challenge").prediction_columns)
    for name in ("middle", "coarse"):
        apart = (found[name][tree] - found["whole"][tree]).to_numpy()
        assert np.sqrt((apart**2).mean()) < 0.05, name
    assert 0.7 < (found["middle"]["frame_width"] / found["whole"]["frame_width"]).mean() < 0.97
    written = pd.read_parquet(predict(packs["middle"].path, tmp_path / "out.parquet"))
    assert written[tree].equals(found["middle"][tree])


def test_a_pack_is_brought_to_the_size_that_is_asked_for(
    packs: dict[str, Pack], model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    coarse, spec = packs["coarse"], load_uncalibrated("default").spec
    with caplog.at_level(logging.WARNING):
        brought = PackSource(coarse, spec.geometry, located=True)
    assert "coarse: packed at 100 pixels a side, where the model was trained on 212" in caplog.text
    caplog.clear()
    PackSource(packs["middle"], spec.geometry, located=True)  # 120 pixels of three quarters: 160 of the whole
    assert not caplog.text
    assert brought.pack.pixels[3].shape == (212, 212, 3) and len(brought.pack.pixels) == 120
    assert np.array_equal(brought.pack.pixels[[3, 5]][0], brought.pack.pixels[3])
    decoded = next(iter(brought.decoded(3))).pixels
    assert decoded is not None and np.array_equal(decoded, brought.pack.pixels[3])
    assert all("pack again with --size 212" in (image.note or "") for image in brought.decoded(118))
    same = PackSource(packs["whole"], spec.geometry, located=True).pack
    assert same is packs["whole"]
    with pytest.raises(TypeError, match="rows alone"):
        brought.pack.pixels[0:2, ::2]
    with pytest.raises(PackError, match="pack again with --field 1 --size 212"):
        PackSource(coarse, spec.geometry)
    with pytest.raises(PackError, match="--channels 1"):
        PackSource(coarse, replace(spec.geometry, channels=1), located=True)


def test_all_that_takes_a_pack_takes_it(packs: dict[str, Pack], tmp_path: Path) -> None:
    pack, copy = packs["middle"].path, tmp_path / "copy"
    shutil.copytree(model_folder("default"), copy)
    calibrate(copy, pack, split="all", tta=1, overwrite=True)
    known = load_model(copy).uncertainty
    assert known is not None and known.views == 1
    assert len(evaluate_model(copy, pack, split="all", n_bootstrap=20).predictions) == 120
    measure_robustness(copy, pack, tmp_path / "steady", split="all", limit=8)
    adapted = load_model(adapt(copy, pack, tmp_path / "adapted", split="all", tta=1))
    assert adapted.spec.geometry == load_uncalibrated("default").spec.geometry
    export_model(copy, tmp_path / "exported", pack=pack)


def test_engines_run_what_comes_after_the_looking(bundled: GalaxyModel) -> None:
    assert not [name for name, _ in Graph(bundled).named_modules() if "locator" in name]
    assert bundled.locator is not None


def test_broken_weights_are_said_to_be() -> None:
    locator = Locator(3).eval()
    with torch.no_grad():
        locator.body[1].running_var.fill_(-5)
    with pytest.raises(ModelError, match="no finite number"):
        locator.locate(tensor(blobs()), WHOLE)


def test_what_it_learned_from_is_known() -> None:
    learned = list(learned_from("default"))
    assert len(learned) == 2
    assert all(each.how == "trained on" and each.sha256 for each in learned)


def test_other_heads_look_for_galaxies_as_before(bundled: GalaxyModel) -> None:
    made = bundled.with_heads([HeadSpec(schema="five-classes", kind="classes")], [load_schema("five-classes")]).eval()
    pixels = tensor(blobs(1.5, 0.1, 0.1, size=bundled.spec.geometry.size))
    assert torch.equal(made.infer(pixels).features, bundled.infer(pixels).features)
    assert made.spec.trained.looked == share_seen(read_manifest("default")) == 1
    assert "looks for in the frame" in repr(tuningfork.load_model("default"))
