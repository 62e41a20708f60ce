"""Minimal filtering is the convolution it stands for, whatever the shapes, the threads and the width of a vector."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numba.core.errors import TypingError
from torch import nn
from torch.nn import functional

from tuningfork.inference.engines.winograd import convolution
from tuningfork.inference.engines.winograd.convolution import FILTERED, Direct, Filtered
from tuningfork.inference.engines.winograd.graph import Step, rewritten
from tuningfork.inference.engines.winograd.kernel import (
    ANSWER,
    FILTER,
    OUT,
    PIXELS,
    TAPS,
    TILE,
    convolve,
    enter_filters,
    register_tile,
)

POOL = ThreadPoolExecutor(3)
ARM = platform.machine() in ("aarch64", "arm64")


@given(numbers=st.lists(st.floats(-10, 10), min_size=TILE + TAPS, max_size=TILE + TAPS))
def test_the_matrices_filter_a_line(numbers: list[float]) -> None:
    pixels, taps = np.array(numbers[:TILE]), np.array(numbers[TILE:])
    seen = ANSWER @ ((FILTER @ taps) * (PIXELS @ pixels))
    np.testing.assert_allclose(seen, np.correlate(pixels, taps, "valid"), atol=1e-9)


def test_the_matrices_filter_a_tile() -> None:
    generator = np.random.default_rng(0)
    pixels, filters = generator.normal(size=(5, TILE, TILE)), generator.normal(size=(7, 5, TAPS, TAPS))
    entered = enter_filters(filters).reshape(TILE, TILE, 7, 5)
    products = np.einsum("abkc,ai,bj,cij->kab", entered, PIXELS, PIXELS, pixels)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (TAPS, TAPS), axis=(1, 2))
    expected = np.einsum("cyxij,kcij->kyx", windows, filters)
    assert expected.shape == (7, OUT, OUT)
    np.testing.assert_allclose(np.einsum("ya,kab,xb->kyx", ANSWER, products, ANSWER), expected, atol=1e-12)


def maps(*shape: int, seed: int) -> torch.Tensor:
    """Maps as a ReLU leaves them, channels last in memory."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).relu()
    return noise.contiguous(memory_format=torch.channels_last)


def filters(outputs: int, inputs: int) -> torch.Tensor:
    """Filters (He et al. 2015) that keep the scale of such maps."""
    generator = torch.Generator().manual_seed(outputs + inputs)
    return torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5


# A vector of 4, 8 and 16 numbers, and as many vectors of sums as fit the channels.
@pytest.mark.parametrize(("length", "outputs", "inputs"), [(16, 64, 16), (16, 48, 32), (8, 32, 16), (4, 20, 12)])
@given(
    number=st.integers(1, 3),
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    relu=st.booleans(),
    adding=st.booleans(),
    biased=st.booleans(),
    threads=st.integers(1, 4),
)
@example(number=2, height=40, width=44, relu=True, adding=True, biased=True, threads=2)  # several blocks of tiles
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_the_convolution(
    length: int, outputs: int, inputs: int, number: int, height: int, width: int,
    relu: bool, adding: bool, biased: bool, threads: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(convolution, "vector_length", lambda: length)
    weight, bias = filters(outputs, inputs), torch.linspace(-2000, 1, outputs) if biased else None
    assert Filtered.fits(weight, FILTERED)
    images = maps(number, inputs, height, width, seed=height)
    other = maps(number, outputs, height, width, seed=width) if adding else None
    expected = functional.conv2d(images.double(), weight.double(), None if bias is None else bias.double(), padding=1)
    expected = expected + (0 if other is None else other)
    seen = Filtered(weight, bias, relu, POOL, threads)(images, other)
    torch.testing.assert_close(seen.double(), expected.relu() if relu else expected, atol=3e-5, rtol=1e-6)
    assert seen.is_contiguous(memory_format=torch.channels_last)


@given(
    threads=st.integers(1, 20),
    tiles=st.integers(1, 3000),
    outputs=st.sampled_from([16, 64, 96, 512]),
    wide=st.booleans(),
)
@settings(deadline=None)
def test_the_parts_are_the_whole(threads: int, tiles: int, outputs: int, wide: bool) -> None:
    layer = Filtered(filters(outputs, 512 if wide else 16), None, True, POOL, threads)
    done = np.zeros((tiles, layer.panels), int)
    parts = layer._parts(tiles)
    for (first, last), (left, right) in parts:
        done[first:last, left:right] += 1
    assert (done == 1).all()
    blocks = -(-tiles // layer.block)
    assert len(parts) >= min(threads, blocks * layer.panels // 2)  # few are left without work
    assert len(parts) <= 5 * threads


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_answer_does_not_hang_on_threads_or_neighbours(threads: int) -> None:
    images, weight = maps(9, 32, 17, 23, seed=0), filters(64, 32)
    together = Filtered(weight, None, False, POOL, threads)(images)
    alone = torch.cat([Filtered(weight, None, False, POOL, 1)(image) for image in images.split(1)])
    assert torch.equal(together, alone)


def test_a_bias_may_be_part_of_another() -> None:
    images, weight, numbers = maps(1, 16, 5, 5, seed=0), filters(16, 16), torch.linspace(-1, 1, 32)
    for bias in (numbers[::2], numbers[:1].expand(16)):
        seen = Filtered(weight, bias, False, POOL, 1)(images)
        torch.testing.assert_close(seen, functional.conv2d(images, weight, bias, padding=1), atol=2e-5, rtol=0)


@pytest.mark.parametrize("wrong", ["float64", "bool", "strided"])
def test_the_kernel_takes_no_other_arrays(wrong: str) -> None:
    images = np.zeros((1, 4, 4, 32), np.float32)
    layer = Filtered(filters(32, 32), None, False, POOL, 1)
    other = images[..., ::-1] if wrong == "strided" else images.astype(wrong)
    tuples = layer.lanes, layer.vectors, layer.rows
    with pytest.raises(TypingError, match=r"(float32 are wanted|contiguous array)"):
        convolve(images, layer.weights, layer.bias, layer.floor, other, True, images, (0, 1), (0, 1), 24, *tuples)


def test_what_is_no_number_stays_none() -> None:
    images = maps(1, 16, 9, 9, seed=0)
    images[0, 3, 4, 4] = torch.nan
    seen = Filtered(filters(16, 16), None, True, POOL, 1)(images)
    assert seen[0, :, 3:6, 3:6].isnan().all()


@pytest.mark.parametrize("length", [4, 8, 16])
def test_sums_are_kept_in_registers(length: int) -> None:
    for channels in range(length, 40 * length, length):
        rows, vectors = register_tile(length, channels) or (0, 0)
        assert channels % (vectors * length) == 0
        assert 12 <= rows * vectors + vectors + 1 <= (32 if length == 16 or ARM else 16)
    assert register_tile(length, length // 2) is None


class Tangle(nn.Module):
    """Convolutions followed by what may be made part of them, and by what may not."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 5, stride=2, padding=2)
        self.same = nn.Conv2d(16, 16, 3, padding="same", bias=False)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=2)
        self.dilated = nn.Conv2d(16, 16, 3, padding=2, dilation=2)
        self.plain = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1, bias=index % 2 == 0) for index in range(12))
        self.batch = nn.BatchNorm2d(16, track_running_stats=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(16, affine=index % 2 == 0) for index in range(4))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = functional.relu(self.norms[0](self.first(images)))
        maps = self.norms[1](self.plain[0](maps)).add_(maps).relu_()  # altered in place
        twice = self.plain[1](maps)  # seen by two
        maps = functional.relu6(self.norms[2](twice)) + twice
        maps = torch.add(self.plain[2](maps), maps, alpha=0.5).relu()
        maps = self.plain[3](maps) + maps.mean(dim=(2, 3), keepdim=True)  # spread over the map
        maps = functional.relu(self.plain[4](maps) + self.norms[3](self.plain[5](maps)))  # two of them, added
        maps = maps + 1
        left, right = maps.split(8, dim=1)  # an operator of Python's takes them out of a list
        maps = functional.relu(self.plain[9](maps)) + torch.cat([right, left], dim=1)
        maps = maps + functional.conv2d(maps, self.plain[9].weight * 2, padding=1)  # weights that are worked out
        maps = self.batch(self.plain[10](maps))  # statistics of the batch
        maps = self.plain[11](maps) + (maps > 0)  # truth is added to numbers
        late = self.plain[6](maps)
        maps.mul_(0.5)  # after it was seen, and before what was seen is added
        maps = functional.relu(late + maps)
        double = self.plain[7](maps)
        maps = functional.relu(double + double)
        maps = maps.add_(self.plain[8](maps))  # the other map is altered
        return maps.mean(dim=(2, 3)), self.same(maps), self.grouped(maps) + maps, self.dilated(maps).relu()


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_graph_keeps_its_meaning(number: int) -> None:
    torch.manual_seed(0)
    tangle = Tangle()
    with torch.no_grad():
        for _ in range(5):
            tangle(torch.randn(8, 3, 20, 20))
    tangle.eval().requires_grad_(False)
    images = torch.randn(number, 3, 20, 20)
    expected = tangle(images)
    steps: list[Step] = []

    def make(step: Step) -> nn.Module:
        steps.append(step)
        if Filtered.fits(step.weight, step.settings):
            return Filtered(step.weight, step.bias, step.relu, POOL, 2)
        return Direct(step.weight, step.bias, step.settings, step.relu)

    graph = rewritten(tangle, torch.zeros(2, 3, 20, 20), make)
    for seen, right in zip(graph(images), expected, strict=True):
        torch.testing.assert_close(seen, right, atol=2e-5, rtol=1e-4)
    names = [str(node.target) for node in graph.graph.nodes]
    assert names.count("aten.batch_norm.default") == 2  # one of what two have seen, and that of the batch
    weights = [name for name, _ in graph.named_parameters() if name.startswith("plain")]
    assert weights == ["plain.9.weight"]  # all others have gone into steps; this one is worked with, too
    assert len(steps) == 15
    assert sum(step.other is not None for step in steps) == 3
    assert sum(step.relu for step in steps) == 5


class Beginning(nn.Module):
    """A network that begins with a convolution and a pooling, and what may stand in the way of doing it in parts."""

    def __init__(self, hindrance: str) -> None:
        super().__init__()
        self.hindrance = hindrance
        self.first, self.second = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16, track_running_stats=hindrance != "statistics of the batch")
        self.register_buffer("mean", torch.rand(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        looked_at = (images - self.mean) / 0.3
        maps = functional.relu(self.norm(self.first(looked_at)))
        if self.hindrance == "images are set against each other":
            maps = maps - maps.mean(dim=0, keepdim=True)
        pooled = maps if self.hindrance == "no pooling" else functional.max_pool2d(maps, 3, 2, 1)
        seen = self.second(pooled).relu().mean(dim=(2, 3))
        if self.hindrance == "it is looked at again":
            seen = seen + maps.mean(dim=(2, 3))
        return seen, images.mean(dim=1)


@pytest.mark.parametrize(
    "hindrance",
    [
        "none",
        "no pooling",
        "statistics of the batch",
        "images are set against each other",
        "it is looked at again",
    ],
)
def test_what_comes_before_the_first_pooling_is_done_for_few_images(hindrance: str) -> None:
    torch.manual_seed(0)
    network = Beginning(hindrance).eval().requires_grad_(False)
    graph = rewritten(
        network,
        torch.zeros(2, 3, 20, 20).contiguous(memory_format=torch.channels_last),
        lambda step: Direct(step.weight, step.bias, step.settings, step.relu),
    )
    assert ("beginning" in dict(graph.named_children())) == (hindrance == "none")
    for number in (1, 2, 5):
        images = torch.rand(number, 3, 20, 20).contiguous(memory_format=torch.channels_last)
        for seen, right in zip(graph(images), network(images), strict=True):
            torch.testing.assert_close(seen, right, atol=2e-5, rtol=1e-4)
