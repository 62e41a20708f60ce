"""Disturbances do what they say, and the curves are those of a plain loop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import PackError
from tuningfork.images import Geometry
from tuningfork.models import load_model
from tuningfork.packs import open_pack
from tuningfork.report import write_report
from tuningfork.robustness import measure_robustness
from tuningfork.robustness.disturbances import DISTURBANCES

GEOMETRY = Geometry(1.0, 32, 3)


def frames(n: int = 3) -> np.ndarray:
    rough = np.random.default_rng(0).normal(100, 60, (n, 32, 32, 3))
    return np.clip(gaussian_filter(rough, (0, 2, 2, 0)) * 1.2, 0, 255).astype(np.uint8)


def test_the_first_amount_leaves_images_alone_and_the_last_does_not() -> None:
    for way in DISTURBANCES.values():
        assert np.array_equal(way.apply(frames(), GEOMETRY, way.levels[0]), frames())
        changed = way.apply(frames(), GEOMETRY, way.levels[-1])
        assert changed.shape == frames().shape and changed.dtype == np.uint8
        assert np.abs(changed.astype(int) - frames()).mean() > 0.5


def test_quarter_turns_are_exact_and_shifts_go_as_far_as_they_say() -> None:
    pixels = frames()
    turned = DISTURBANCES["rotation"].apply(pixels, GEOMETRY, 180)
    assert np.abs(turned.astype(int) - pixels[:, ::-1, ::-1]).max() <= 1
    shifted = DISTURBANCES["shift"].apply(pixels, GEOMETRY, 4 / 32)
    inner = slice(6, 26)
    left, right = shifted[:, inner, 6:22].astype(int), pixels[:, inner, 10:26]
    other = pixels[:, inner, 2:18]
    assert min(np.abs(left - right).max(), np.abs(left - other).max()) <= 1


def test_noise_blur_and_coarsening_have_their_size() -> None:
    flat = np.full((4, 32, 32, 3), 128, np.uint8)
    assert DISTURBANCES["noise"].apply(flat, GEOMETRY, 0.04).std() == pytest.approx(255 * 0.04, rel=0.03)
    point = np.zeros((1, 33, 33, 3), np.uint8)
    point[0, 16, 16] = 255
    blurred = DISTURBANCES["blur"].apply(point, Geometry(1.0, 33, 3), 1.0)
    assert blurred[0, 16, 16, 0] == pytest.approx(255 / (2 * np.pi), abs=3)
    stripes = np.tile(np.array([0, 255], np.uint8).repeat(1), 16)[None, None, :, None].repeat(32, 1).repeat(3, 3)
    assert np.ptp(DISTURBANCES["resolution"].apply(stripes, GEOMETRY, 2.0)) <= 1


def test_the_curves_are_those_of_a_plain_loop(model: Path, pack: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(build(), ["robustness", str(model), str(pack), str(tmp_path / "r"), "--limit", "15"])
    assert result.exception is None, result.exception
    content = json.loads((tmp_path / "r" / "robustness.json").read_text())
    assert content["n"] == 15
    data, network = open_pack(pack), load_model(model)
    rows = np.sort(np.random.default_rng(0).permutation(data.rows("val"))[:15])
    truth = data.catalog.iloc[rows]
    names = network.schemas[0].columns
    base = network.predict(torch.from_numpy(data.pixels[rows]))["gz-challenge"].numpy()
    for name in ("blur", "jpeg"):
        curve = content["curves"]["gz-challenge"][name]
        assert [point["level"] for point in curve["points"]] == list(DISTURBANCES[name].levels)
        point = curve["points"][-1]
        pixels = DISTURBANCES[name].apply(data.pixels[rows], data.geometry, point["level"])
        given = network.predict(torch.from_numpy(pixels))["gz-challenge"].numpy()
        assert point["value"] == pytest.approx(np.sqrt(np.mean((given - truth[list(names)].to_numpy()) ** 2)), rel=1e-5)
        assert point["change"] == pytest.approx(np.sqrt(np.mean((given - base) ** 2)), rel=1e-4)
        assert curve["points"][0]["change"] == 0
    page = write_report([tmp_path / "r"], tmp_path / "page.html").read_text()
    assert "Lower resolution" in page and page.count("data:image/webp") == 3
    assert page.index("One of the galaxies") < page.index("Where it breaks") < page.index("Curves")


def test_no_labelled_galaxy_is_said(model: Path, pack: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no labelled galaxies in its val split and five_class=square"):
        measure_robustness(model, pack, tmp_path / "r", where=["five_class=square"])
