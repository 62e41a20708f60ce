"""Warps and augmentation: a batch equals one by one, replay, exact rotations, and what may not change."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tuningfork.errors import ModelError
from tuningfork.images import Geometry
from tuningfork.models import View, Warps, crop, warp
from tuningfork.training.augmentation import augment, colour_matrices, sample_photometry, sample_warps
from tuningfork.training.tables import Augmentation, Reframing

GEOMETRY = Geometry(field=0.75, size=48, channels=3)
VIEW = View(field=0.5, size=32)
EVERYTHING = Augmentation(
    rotation=180, zoom=(0.8, 1.25), shift=0.1, flip=True, shear=10, stretch=(0.9, 1.1),
    brightness=0.2, contrast=0.2, saturation=0.3, hue=20, noise=0.02, autocontrast=0.5, grey=0.3, reframe=Reframing(),
)  # fmt: skip


def pixels(n: int, seed: int = 0, size: int = 48) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8))


def turned(n: int, **changes: float) -> Warps:
    return dataclasses.replace(Warps.identity(n), **{k: torch.full((n,), float(v)) for k, v in changes.items()})


def test_the_same_seed_replays_a_batch() -> None:
    batch = pixels(4)
    first = augment(batch, VIEW, GEOMETRY, EVERYTHING, seed=7)
    torch.testing.assert_close(first, augment(batch, VIEW, GEOMETRY, EVERYTHING, seed=7), rtol=0, atol=0)
    assert not torch.equal(first, augment(batch, VIEW, GEOMETRY, EVERYTHING, seed=8))
    assert first.shape == (4, 3, 32, 32)
    assert first.min() >= 0
    assert first.max() <= 1


@given(first=st.integers(0, 4), count=st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_part_of_a_batch_becomes_what_it_would_in_the_whole(first: int, count: int) -> None:
    batch = pixels(6)
    part = slice(first, first + count)
    whole = augment(batch, VIEW, GEOMETRY, EVERYTHING, seed=7)
    alone = augment(batch[part], VIEW, GEOMETRY, EVERYTHING, seed=7, first=first, whole=6)
    torch.testing.assert_close(alone, whole[part], rtol=0, atol=1e-6)


def test_a_batch_equals_one_by_one() -> None:
    batch = pixels(5)
    warps = sample_warps(5, EVERYTHING, torch.Generator().manual_seed(3))
    together = warp(batch, warps, VIEW, GEOMETRY)
    for index in range(5):
        one = Warps(**{f.name: getattr(warps, f.name)[index : index + 1] for f in dataclasses.fields(Warps)})
        torch.testing.assert_close(warp(batch[index : index + 1], one, VIEW, GEOMETRY)[0], together[index])


@pytest.mark.parametrize(
    ("view", "geometry"), [(VIEW, GEOMETRY), (View(0.6, 31), GEOMETRY), (View(0.75, 24), GEOMETRY)]
)
def test_no_augmentation_is_the_crop_of_prediction(view: View, geometry: Geometry) -> None:
    batch = pixels(3)
    plain = augment(batch, view, geometry, Augmentation(), seed=0)
    torch.testing.assert_close(plain, crop(batch, view, geometry), atol=1e-5, rtol=0)


def test_the_crop_is_a_slice_where_pixels_coincide() -> None:
    batch = pixels(2)
    expected = batch[:, 8:40, 8:40].permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(crop(batch, VIEW, GEOMETRY), expected)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_quarter_turns_are_exact(quarter: int) -> None:
    batch = pixels(2)
    plain = crop(batch, VIEW, GEOMETRY)
    rotated = warp(batch, turned(2, angle=quarter * math.pi / 2), VIEW, GEOMETRY)
    torch.testing.assert_close(rotated, torch.rot90(plain, quarter, dims=(2, 3)), atol=1e-4, rtol=0)


def test_flip_is_a_reflection() -> None:
    batch = pixels(2)
    mirrored = warp(batch, turned(2, flip=-1), VIEW, GEOMETRY)
    torch.testing.assert_close(mirrored, crop(batch, VIEW, GEOMETRY).flip(3), atol=1e-5, rtol=0)


def blob(a: float, b: float, angle: float, size: int = 96) -> torch.Tensor:
    """An elliptical Gaussian of axes a, b and position angle in radians, as one uint8 pack image."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    u = x * np.cos(angle) + y * np.sin(angle)
    v = -x * np.sin(angle) + y * np.cos(angle)
    image = 250 * np.exp(-0.5 * ((u / a) ** 2 + (v / b) ** 2))
    return torch.from_numpy(np.repeat(image[..., None], 3, axis=2).round().astype(np.uint8))[None]


def axis_ratio(image: torch.Tensor) -> float:
    weights = image[0, 0].double().numpy()
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]] - (weights.shape[0] - 1) / 2
    total = weights.sum()
    x, y = x - (x * weights).sum() / total, y - (y * weights).sum() / total
    moments = np.array([[(x * x * weights).sum(), (x * y * weights).sum()], [0, (y * y * weights).sum()]]) / total
    moments[1, 0] = moments[0, 1]
    low, high = np.linalg.eigvalsh(moments)
    return float(np.sqrt(low / high))


@given(angle=st.floats(-3.2, 3.2), zoom=st.floats(0.9, 1.1), flip=st.sampled_from([-1, 1]))
@settings(max_examples=25, deadline=None)
def test_our_warps_keep_the_axis_ratio(angle: float, zoom: float, flip: int) -> None:
    view, geometry = View(0.75, 72), Geometry(1.0, 96, 3)
    image = warp(blob(9, 5, 0.4), turned(1, angle=angle, zoom=zoom, flip=flip), view, geometry)
    assert axis_ratio(image) == pytest.approx(5 / 9, abs=0.02)


def test_shear_changes_the_axis_ratio_of_a_round_galaxy() -> None:
    view, geometry = View(0.75, 72), Geometry(1.0, 96, 3)
    assert axis_ratio(warp(blob(7, 7, 0), turned(1), view, geometry)) == pytest.approx(1, abs=0.01)
    assert axis_ratio(warp(blob(7, 7, 0), turned(1, shear=0.3), view, geometry)) < 0.8


def test_zoom_magnifies_and_shift_moves() -> None:
    view, geometry = View(0.75, 72), Geometry(1.0, 96, 3)
    plain = warp(blob(6, 6, 0), turned(1), view, geometry)
    larger = warp(blob(6, 6, 0), turned(1, zoom=1.3), view, geometry)
    assert float(larger.sum() / plain.sum()) == pytest.approx(1.3**2, rel=0.03)
    moved = warp(blob(6, 6, 0), turned(1, shift_x=0.1), view, geometry)[0, 0]
    columns = torch.arange(72.0)
    centre = float((moved.sum(dim=0) * columns).sum() / moved.sum())
    assert centre == pytest.approx(35.5 - 7.2, abs=0.1)


def test_a_view_sampled_down_does_not_alias() -> None:
    checker = np.indices((96, 96)).sum(axis=0) % 2 * 255
    batch = torch.from_numpy(np.repeat(checker[None, ..., None], 3, axis=3).astype(np.uint8))
    image = crop(batch, View(1.0, 48), Geometry(1.0, 96, 3))
    torch.testing.assert_close(image, torch.full_like(image, 0.5), atol=1e-3, rtol=0)


def test_colour_matrices_leave_grey_alone() -> None:
    change = sample_photometry(20, Augmentation(hue=90, saturation=0.5), torch.Generator().manual_seed(0))
    matrices = colour_matrices(change)
    torch.testing.assert_close(matrices.sum(dim=2), torch.ones(20, 3), atol=1e-5, rtol=0)
    plain = sample_photometry(3, Augmentation(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(colour_matrices(plain), torch.eye(3).expand(3, 3, 3), atol=1e-6, rtol=0)


def test_a_view_wider_than_the_pack_is_refused() -> None:
    with pytest.raises(ModelError, match=r"pack again with --field 0\.9"):
        View(0.9, 32).scale(GEOMETRY)


@given(seed=st.integers(0, 2**16), low=st.integers(0, 100), high=st.integers(110, 255))
@settings(max_examples=25, deadline=None)
def test_autocontrast_fills_the_range_of_each_channel_and_keeps_its_order(seed: int, low: int, high: int) -> None:
    batch = torch.from_numpy(np.random.default_rng(seed).integers(low, high, (3, 48, 48, 3), dtype=np.uint8))
    batch[:, :, :, 2] = 90  # a flat channel
    before = crop(batch, VIEW, GEOMETRY)
    after = augment(batch, VIEW, GEOMETRY, Augmentation(autocontrast=1), seed=seed)
    for channel in (0, 1):
        np.testing.assert_allclose(after[:, channel].amin(dim=(1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(after[:, channel].amax(dim=(1, 2)), 1, atol=1e-5)
        span = before[:, channel].amax(dim=(1, 2)) - before[:, channel].amin(dim=(1, 2))
        step = (after[:, channel, 0, 0] - after[:, channel, 5, 5]) * span
        torch.testing.assert_close(step, before[:, channel, 0, 0] - before[:, channel, 5, 5], atol=1e-4, rtol=0)
    torch.testing.assert_close(after[:, 2], before[:, 2], atol=1e-5, rtol=0)


@given(seed=st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_a_share_of_images_is_seen_in_one_band(seed: int) -> None:
    batch = pixels(12, seed)
    before, after = crop(batch, VIEW, GEOMETRY), augment(batch, VIEW, GEOMETRY, Augmentation(grey=0.5), seed=seed)
    grey = [image for image in range(12) if torch.equal(after[image, 0], after[image, 1])]
    for image in range(12):
        if image in grey:
            assert torch.equal(after[image, 1], after[image, 2])
            near = [torch.allclose(after[image, 0], before[image, band], atol=1e-5) for band in range(3)]
            assert sum(near) == 1
        else:
            torch.testing.assert_close(after[image], before[image], atol=1e-5, rtol=0)
    many = sample_photometry(3000, Augmentation(grey=0.5), torch.Generator().manual_seed(seed)).band
    assert 1350 < int((many >= 0).sum()) < 1650 and set(many.tolist()) == {-1, 0, 1, 2}


def test_images_made_smaller_do_not_alias_and_the_others_stay_sharp() -> None:
    checker = np.indices((96, 96)).sum(axis=0) % 2 * 255
    batch = torch.from_numpy(np.repeat(checker[None, ..., None], 3, axis=3).astype(np.uint8)).repeat(3, 1, 1, 1)
    warps = dataclasses.replace(turned(3), zoom=torch.tensor([1.0, 0.5, 2.0]))
    whole, smaller, larger = warp(batch, warps, View(0.5, 48), Geometry(1.0, 96, 3))
    torch.testing.assert_close(smaller, torch.full_like(smaller, 0.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(whole[None], crop(batch[:1], View(0.5, 48), Geometry(1.0, 96, 3)), atol=1e-5, rtol=0)
    assert larger.std() > 0.1


def test_beyond_the_frame_it_is_mirrored() -> None:
    batch, geometry = pixels(1), Geometry(1.0, 48, 3)
    wide = warp(batch, turned(1, shift_x=0.25), View(1.0, 48), geometry)
    plain = crop(batch, View(1.0, 48), geometry)
    torch.testing.assert_close(wide[..., :36], plain[..., 12:], atol=1e-4, rtol=0)
    torch.testing.assert_close(wide[..., 36:], plain[..., 36:].flip(3), atol=1e-4, rtol=0)


def test_half_of_the_images_are_reframed_and_the_others_left_alone() -> None:
    narrow = Augmentation(zoom=(0.9, 1.1), shift=0.02)
    wide = Augmentation(zoom=(0.9, 1.1), shift=0.02, reframe=Reframing(share=0.5, zoom=(0.5, 2.0), shift=0.2))
    before = sample_warps(4000, narrow, torch.Generator().manual_seed(0))
    after = sample_warps(4000, wide, torch.Generator().manual_seed(0))
    same = after.zoom == before.zoom
    assert float(same.float().mean()) == pytest.approx(0.5, abs=0.03)
    assert torch.equal(after.shift_x[same], before.shift_x[same])
    assert torch.equal(after.angle, before.angle)
    drawn = after.zoom[~same].log2()
    assert (float(drawn.min()), float(drawn.max())) == (pytest.approx(-1, abs=0.01), pytest.approx(1, abs=0.01))
    assert float(drawn.mean()) == pytest.approx(0, abs=0.05)
    moved = (after.shift_y * after.zoom)[~same].abs()  # in what is seen: a fifth of it, however large
    assert float(moved[drawn > 0.9].max()) == pytest.approx(0.2, abs=0.01)
    assert float(moved[drawn < -0.9].max()) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("table", [{"zoom": (2.0, 0.5)}, {"reframe": {"zoom": (0.0, 1.0)}}])
def test_a_range_the_wrong_way_round_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"\[low, high\] with 0 < low <= high"):
        Augmentation.model_validate(table)
