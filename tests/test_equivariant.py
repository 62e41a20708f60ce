"""The equivariant network: its promises hold to rounding, in double precision, and its bank is the group's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tuningfork.errors import ModelError
from tuningfork.images import Geometry
from tuningfork.models import View, encoder_stages
from tuningfork.models.encoders import build_encoder
from tuningfork.models.networks.equivariant import EquivariantCNN, GroupConv, GroupNorm
from tuningfork.models.views import sides


def turned(maps: torch.Tensor, turns: int, mirrored: bool) -> torch.Tensor:
    return torch.rot90(maps.flip(-1) if mirrored else maps, turns, (-2, -1))


@given(turns=st.integers(0, 3), mirrored=st.booleans(), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_features_are_blind_to_the_eight_turns(turns: int, mirrored: bool, seed: int) -> None:
    torch.manual_seed(seed)
    network = EquivariantCNN(3, width=2).double().eval()
    for module in network.modules():  # statistics and scales as training leaves them
        if isinstance(module, GroupNorm):
            for values in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                values.uniform_(0.3, 1.2)
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    features = network(images)
    assert features.shape == (2, 32) and features.std() > 1e-6
    torch.testing.assert_close(network(turned(images, turns, mirrored)), features, atol=1e-12, rtol=0)


@given(turns=st.integers(0, 3), mirrored=st.booleans())
@settings(max_examples=8, deadline=None)
def test_a_layer_turns_with_its_image_and_permutes_the_orientations(turns: int, mirrored: bool) -> None:
    torch.manual_seed(1)
    lift, layer = GroupConv(3, 2, lifting=True).double(), GroupConv(2, 5).double()
    images = torch.rand(1, 3, 9, 9, dtype=torch.float64)

    def maps(seen: torch.Tensor) -> torch.Tensor:
        return layer(lift(seen).relu()).unflatten(1, (8, 5))

    before, after = turned(maps(images), turns, mirrored), maps(turned(images, turns, mirrored))
    found = [[o for o in range(8) if torch.allclose(after[:, p], before[:, o], atol=1e-12)] for p in range(8)]
    assert sorted(orientation for one in found for orientation in one) == list(range(8)), (
        "each orientation is exactly one of the turned ones"
    )
    assert found[0] == [0] or (turns, mirrored) != (0, False)


def test_the_bank_is_the_group_convolution_written_out() -> None:
    """Cohen & Welling 2016, equation 11: sums over the orientations of the input, kernel by kernel."""
    torch.manual_seed(2)
    layer = GroupConv(2, 3).double()
    maps = torch.rand(1, 16, 6, 6, dtype=torch.float64)
    weight = layer.weight.view(3, 2, 8, 3, 3)
    elements = [(o % 4, o >= 4) for o in range(8)]
    grid = torch.arange(9).view(3, 3)

    def composed(g: int, h: int) -> int:
        both = turned(turned(grid, *elements[h]), *elements[g])
        return next(k for k in range(8) if torch.equal(turned(grid, *elements[k]), both))

    out = layer(maps).unflatten(1, (8, 3))
    for g in range(8):
        expected = torch.zeros(1, 3, 6, 6, dtype=torch.float64)
        for h in range(8):
            kernel = turned(weight[:, :, h], *elements[g])
            expected += torch.nn.functional.conv2d(maps.unflatten(1, (8, 2))[:, composed(g, h)], kernel, padding=1)
        torch.testing.assert_close(out[:, g], expected, atol=1e-12, rtol=0)


def test_training_keeps_one_mean_for_all_orientations() -> None:
    torch.manual_seed(3)
    norm = GroupNorm(4).train()
    maps = torch.randn(64, 32, 5, 5) * 2 + 3
    out = norm(maps).detach()
    assert out.mean().abs() < 1e-5 and abs(float(out.std()) - 1) < 1e-3
    assert norm.running_mean.shape == (4,)
    torch.testing.assert_close(norm.running_mean, 0.1 * maps.unflatten(1, (8, 4)).mean(dim=(0, 1, 3, 4)))


def test_an_invariant_encoder_looks_once_at_what_is_the_same_to_it() -> None:
    pixels = torch.randint(0, 256, (2, 24, 24, 3), dtype=torch.uint8)
    view, geometry = View(0.5, 16), Geometry(0.75, 24)
    for count, turns in ((1, 1), (8, 1), (16, 2), (32, 4)):
        assert len(list(sides(pixels, view, geometry, count, invariant=True))) == turns
        assert len(list(sides(pixels, view, geometry, count, invariant=False))) == count
    with pytest.raises(ModelError, match="12 views can't be had; choose one of 1, 2, 4, 8, 16, 32"):
        list(sides(pixels, view, geometry, 12, invariant=False))


def test_its_stages_are_found_for_transfer() -> None:
    encoder = build_encoder("equivariant", channels=3, size=32, options={"width": 2})
    assert len(encoder_stages(encoder)) > 3
    with pytest.raises(ModelError, match="does not take these options"):
        build_encoder("equivariant", channels=3, size=32, options={"wide": 2})


def test_an_average_of_the_weights_leaves_the_group_alone() -> None:
    network = EquivariantCNN(3, width=1)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for _ in range(30):
        average.update_parameters(network)
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(average.eval()(images), network.eval()(images), atol=1e-5, rtol=0)


def test_a_size_that_is_not_exact_is_refused() -> None:
    with pytest.raises(ModelError, match="must be a multiple of 8"):
        build_encoder("equivariant", channels=3, size=50, options={"width": 1})
