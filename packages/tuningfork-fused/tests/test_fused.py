"""Convolutions done at once are those they stand for, whatever the shapes, the threads and the width of a vector."""

from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numba.core.errors import TypingError
from torch import nn
from torch.nn import functional

from tuningfork_fused import convolution, stem
from tuningfork_fused.convolution import FILTERED, Direct, Filtered
from tuningfork_fused.graph import rewritten
from tuningfork_fused.kernel import (
    FAR,
    FILTER,
    NEAR,
    OUT,
    TAPS,
    TILE,
    convolve,
    enter_filters,
    register_tile,
)
from tuningfork_fused.pool import ThreadPool
from tuningfork_fused.stem import Stem
from tuningfork_fused.step import Pooling, Settings, Step

POOLS = {threads: ThreadPool(threads) for threads in range(1, 21)}  # their threads are made when they are wanted
Function = Callable[[torch.Tensor], torch.Tensor]
ARM = platform.machine() in ("aarch64", "arm64")


# Lavin & Gray 2016, at these points: what the kernel has written out.
POINTS = np.array([0, NEAR, -NEAR, FAR, -FAR])
PIXELS = np.zeros((TILE, TILE))
PIXELS[:-1, :-1] = [np.poly(np.delete(POINTS, index))[::-1] for index in range(TILE - 1)]
PIXELS[-1] = np.poly(POINTS)[::-1]
ANSWER = np.zeros((OUT, TILE))
ANSWER[:, :-1] = POINTS ** np.arange(OUT)[:, None]
ANSWER[-1, -1] = 1


@given(numbers=st.lists(st.floats(-10, 10), min_size=TILE + TAPS, max_size=TILE + TAPS))
@settings(deadline=None)
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


def filtered(weight: torch.Tensor, bias: torch.Tensor | None, relu: bool, threads: int) -> Filtered:
    """The layer for a plain 3x3 convolution."""
    return Filtered(Step(weight, bias, FILTERED, "relu" if relu else "none"), POOLS[threads])


# A vector of 4, 8 and 16 numbers, and as many vectors of sums as fit the channels.
@pytest.mark.parametrize(("length", "outputs", "inputs"), [(16, 64, 16), (16, 48, 32), (8, 32, 16), (4, 20, 12)])
@given(
    number=st.integers(1, 3),
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    relu=st.booleans(),
    adding=st.booleans(),
    over=st.booleans(),
    biased=st.booleans(),
    threads=st.integers(1, 4),
)
@example(number=2, height=40, width=44, relu=True, adding=True, over=True, biased=True, threads=2)  # several blocks
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_the_convolution(
    length: int, outputs: int, inputs: int, number: int, height: int, width: int,
    relu: bool, adding: bool, over: bool, biased: bool, threads: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(convolution, "vector_length", lambda: length)
    weight, bias = filters(outputs, inputs), torch.linspace(-2000, 1, outputs) if biased else None
    assert Filtered.fits(Step(weight, bias, FILTERED))
    images = maps(number, inputs, height, width, seed=height)
    other = maps(number, outputs, height, width, seed=width) if adding else None
    expected = functional.conv2d(images.double(), weight.double(), None if bias is None else bias.double(), padding=1)
    expected = expected + (0 if other is None else other)
    layer = filtered(weight, bias, relu, threads)
    layer.overwrites = over
    seen = layer(images, other)
    torch.testing.assert_close(seen.double(), expected.relu() if relu else expected, atol=3e-5, rtol=1e-6)
    assert seen.is_contiguous(memory_format=torch.channels_last)
    assert (other is not None and seen.data_ptr() == other.data_ptr()) == (adding and over)


@given(
    threads=st.integers(1, 20),
    tiles=st.integers(1, 3000),
    outputs=st.sampled_from([16, 64, 96, 512]),
    wide=st.booleans(),
)
@settings(deadline=None)
def test_the_parts_are_the_whole(threads: int, tiles: int, outputs: int, wide: bool) -> None:
    layer = filtered(filters(outputs, 512 if wide else 16), None, True, threads)
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
    together = filtered(weight, None, False, threads)(images)
    alone = torch.cat([filtered(weight, None, False, 1)(image) for image in images.split(1)])
    assert torch.equal(together, alone)


def test_a_bias_may_be_part_of_another() -> None:
    images, weight, numbers = maps(1, 16, 5, 5, seed=0), filters(16, 16), torch.linspace(-1, 1, 32)
    for bias in (numbers[::2], numbers[:1].expand(16)):
        seen = filtered(weight, bias, False, 1)(images)
        torch.testing.assert_close(seen, functional.conv2d(images, weight, bias, padding=1), atol=2e-5, rtol=0)


@pytest.mark.parametrize("wrong", ["float64", "bool", "strided"])
def test_the_kernel_takes_no_other_arrays(wrong: str) -> None:
    images = np.zeros((1, 4, 4, 32), np.float32)
    layer = filtered(filters(32, 32), None, False, 1)
    other = images[..., ::-1] if wrong == "strided" else images.astype(wrong)
    tuples = layer.lanes, layer.vectors, layer.rows
    with pytest.raises(TypingError, match=r"(float32 are wanted|contiguous array)"):
        convolve(images, layer.weights, layer.bias, layer.floor, other, True, images, (0, 1), (0, 1), 24, *tuples)


def test_what_is_no_number_stays_none() -> None:
    images = maps(1, 16, 9, 9, seed=0)
    images[0, 3, 4, 4] = torch.nan
    seen = filtered(filters(16, 16), None, True, 1)(images)
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
    graph = rewritten(tangle, torch.zeros(2, 3, 20, 20), POOLS[2])
    for seen, right in zip(graph(images), expected, strict=True):
        torch.testing.assert_close(seen, right, atol=2e-5, rtol=1e-4)
    names = [str(node.target) for node in graph.graph.nodes]
    assert names.count("aten.batch_norm.default") == 2  # one of what two have seen, and that of the batch
    weights = [name for name, _ in graph.named_parameters() if name.startswith("plain")]
    assert weights == ["plain.9.weight"]  # all others have gone into steps; this one is worked with, too
    made = [layer for layer in graph.modules() if isinstance(layer, Direct | Filtered)]
    assert len(made) == 15
    called = [node for node in graph.graph.nodes if node.op == "call_module" and node.target.endswith("_step")]
    assert sum(len(node.args) == 2 for node in called) == 3
    floors = [layer.floor == 0 if isinstance(layer, Filtered) else layer.activation == "relu" for layer in made]
    assert sum(floors) == 5


class Sums(nn.Module):
    """Sums with maps that may be written over, and with maps that are looked at again."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(16, 16, side, padding=side // 2) for _ in range(13))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        layers = self.layers
        maps = layers[0](images).relu()
        maps = (layers[2](layers[1](maps)) + maps).relu()  # may be
        maps = layers[3](maps) + maps  # what is added is also looked at
        seen = layers[4](maps)
        maps = layers[5](seen) + maps  # may be
        given = layers[6](maps)
        maps = layers[7](given) + given.flatten(2).view_as(given)  # another operator's result
        maps = layers[8](maps) + given  # given back
        mine = layers[9](maps) + images  # not its own
        first = layers[10](layers[11](mine)) + mine  # looked at by a later step
        return given, layers[12](mine) + first  # may be


@pytest.mark.parametrize("side", [1, 3])
def test_a_sum_is_written_over_what_none_looks_at_again(side: int) -> None:
    torch.manual_seed(side)
    network = Sums(side).eval().requires_grad_(False)
    images = torch.randn(3, 16, 9, 14).contiguous(memory_format=torch.channels_last)
    before, expected = images.clone(), network(images)
    graph = rewritten(network, images, POOLS[2])
    for _ in range(2):
        for seen, right in zip(graph(images), expected, strict=True):
            torch.testing.assert_close(seen, right, atol=2e-5, rtol=1e-4)
    assert torch.equal(images, before)
    steps = [node for node in graph.graph.nodes if node.op == "call_module" and node.target.endswith("_step")]
    over = [graph.get_submodule(node.target).overwrites for node in steps if len(node.args) == 2]
    assert over == [True, False, True, False, False, False, False, True]


class Beginning(nn.Module):
    """A network that begins with a convolution and a pooling, and what may stand in the way of doing both at once."""

    def __init__(self, hindrance: str) -> None:
        super().__init__()
        self.hindrance = hindrance
        self.first, self.second = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16, track_running_stats=hindrance != "statistics of the batch")
        self.register_buffer("mean", torch.rand(1, 3, 1, 1))
        self.register_buffer("deviation", torch.rand(1, 3, 1, 1) + 0.1)
        if hindrance == "one number for all channels":
            self.deviation = self.deviation[:, :1].clone()

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        looked_at = (images - self.mean) / self.deviation
        if self.hindrance == "a multiple of the mean":
            looked_at = torch.sub(images, self.mean, alpha=2) / self.deviation
        if self.hindrance == "changed in place":
            looked_at = images - self.mean
            images = images.clone()
            looked_at, images = looked_at / self.deviation, images.mul_(2)
        maps = functional.relu(self.norm(self.first(looked_at)))
        if self.hindrance == "images are set against each other":
            maps = maps - maps.mean(dim=0, keepdim=True)
        pooled = maps
        if self.hindrance == "windows that are not whole":
            pooled = functional.max_pool2d(maps, 3, 2, 1, ceil_mode=True)
        elif self.hindrance == "windows with gaps":
            pooled = functional.max_pool2d(maps, 3, dilation=2)
        elif self.hindrance == "windows side by side":
            pooled = functional.max_pool2d(maps, 2)
        elif self.hindrance == "windows that are not square":
            pooled = functional.max_pool2d(maps, (3, 2), 2)
        elif self.hindrance != "no pooling":
            pooled = functional.max_pool2d(maps, 3, 2, 1)
        seen = self.second(pooled).relu().mean(dim=(2, 3))
        if self.hindrance == "maps are looked at again":
            seen = seen + maps.mean(dim=(2, 3))
        if self.hindrance == "images brought to scale are looked at again":
            seen = seen + looked_at.mean()
        return seen, images.mean(dim=1)


@pytest.mark.parametrize(
    ("hindrance", "pooled", "scaled"),
    [
        ("none", True, True),
        ("windows side by side", True, True),
        ("one number for all channels", True, False),
        ("a multiple of the mean", True, False),
        ("changed in place", True, False),
        ("images brought to scale are looked at again", True, False),
        ("no pooling", False, False),
        ("windows that are not whole", False, False),
        ("windows that are not square", False, False),
        ("windows with gaps", False, False),
        ("statistics of the batch", False, False),
        ("images are set against each other", False, False),
        ("maps are looked at again", False, False),
    ],
)
def test_a_network_begins_with_one_step(hindrance: str, pooled: bool, scaled: bool) -> None:
    torch.manual_seed(0)
    network = Beginning(hindrance).eval().requires_grad_(False)
    sample = torch.zeros(2, 3, 21, 20).contiguous(memory_format=torch.channels_last)
    graph = rewritten(network, sample, POOLS[2])
    stems = [layer for layer in graph.modules() if isinstance(layer, Stem)]
    assert len(stems) == pooled
    assert any(stem.mean.any() for stem in stems) == scaled
    for number in (1, 2, 5):
        images = torch.rand(number, 3, 21, 20).contiguous(memory_format=torch.channels_last)
        for seen, right in zip(graph(images), network(images), strict=True):
            torch.testing.assert_close(seen, right, atol=2e-5, rtol=1e-4)


# So that a sum takes three, four, one and two steps at a time.
@pytest.mark.parametrize(
    ("length", "outputs", "channels", "taps"), [(16, 64, 3, 7), (16, 48, 2, 2), (8, 32, 1, 5), (4, 20, 5, 2)]
)
@given(
    number=st.integers(1, 3),
    sides=st.tuples(st.integers(7, 40), st.integers(7, 40)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    window=st.integers(1, 4),
    pool_stride=st.integers(1, 5),
    wide=st.booleans(),
    activation=st.sampled_from(["none", "relu"]),
    scaled=st.booleans(),
    threads=st.integers(1, 4),
)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_beginning_is_what_it_stands_for(
    length: int, outputs: int, channels: int, taps: int, number: int, sides: tuple[int, int], stride: int, padding: int,
    window: int, pool_stride: int, wide: bool, activation: str, scaled: bool, threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(stem, "vector_length", lambda: length)
    pooling = Pooling(window, pool_stride, window // 2 if wide else 0)
    generator = torch.Generator().manual_seed(taps + outputs)
    weight = torch.randn(outputs, channels, taps, taps, generator=generator) / (taps * channels**0.5)
    scaling = (torch.rand(channels, generator=generator), torch.rand(channels, generator=generator) + 0.2)
    step = Step(
        weight, torch.linspace(-2, 1, outputs), Settings((stride, stride), (padding, padding)), activation,
        scaling if scaled else None, pooling,
    )  # fmt: skip
    assert Stem.fits(step)
    images = torch.rand(number, channels, *sides, generator=generator).contiguous(memory_format=torch.channels_last)
    looked_at = images.double()
    if scaled:
        looked_at = (looked_at - scaling[0][:, None, None]) / scaling[1][:, None, None]
    made = functional.conv2d(looked_at, weight.double(), step.biases.double(), stride, padding)
    if min(made.shape[2:]) + 2 * pooling.padding < window:
        return  # nothing that a window fits in
    expected = functional.max_pool2d(made.relu() if activation == "relu" else made, *pooling)
    seen = Stem(step, POOLS[threads])(images)
    torch.testing.assert_close(seen.double(), expected, atol=3e-5, rtol=1e-5)
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_no_number_goes_through_a_beginning() -> None:
    step = Step(filters(16, 3), None, Settings(padding=(1, 1)), "relu", None, Pooling(3, 2, 1))
    images = torch.rand(1, 3, 12, 12)
    for y, x in ((0, 0), (4, 5), (5, 6), (11, 11)):
        spoilt = images.clone()
        spoilt[0, 1, y, x] = torch.nan
        made = functional.conv2d(spoilt, step.weight, padding=1).relu()
        assert torch.equal(Stem(step, POOLS[2])(spoilt).isnan(), functional.max_pool2d(made, 3, 2, 1).isnan())


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("activation", "function", "other"),
    [
        ("none", torch.clone, False),
        ("none", torch.clone, True),
        ("relu", torch.relu, False),
        ("relu", torch.relu, True),
        ("gelu", functional.gelu, False),
        ("swish", functional.silu, False),
    ],
)
def test_a_convolution_with_its_activation(
    activation: str, function: Function, other: bool, at_once: bool, over: bool
) -> None:
    step = Step(filters(8, 4), torch.linspace(-1, 1, 8), Settings((2, 2), (2, 2), (2, 2), 2), activation)
    step.weight = step.weight[:, :2]
    layer = Direct(step)
    layer.at_once, layer.overwrites = layer.at_once and at_once, over
    images, added = maps(3, 4, 15, 12, seed=1), maps(3, 8, 8, 6, seed=2)
    made = functional.conv2d(images.double(), step.weight.double(), step.biases.double(), 2, 2, 2, 2)
    expected = function(made + added if other else made)
    seen = layer(images, added) if other else layer(images)
    torch.testing.assert_close(seen.double(), expected, atol=1e-5, rtol=1e-5)
    assert (seen.data_ptr() == added.data_ptr()) == (other and over and layer.at_once)


class Modern(nn.Module):
    """Blocks as of ConvNeXt and EfficientNet: a GELU, a SiLU, a factor a channel, dropout; and look-alikes."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(4, 16, 1), nn.Conv2d(16, 4, 1)
        self.bare = nn.Conv2d(4, 4, 1, bias=False)
        self.again, self.last, self.inner = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.factor, self.line = nn.Parameter(torch.rand(4)), nn.Parameter(torch.rand(1, 1, 1, 9))
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = self.dropout(functional.gelu(self.wide(images)))
        maps = self.dropout(self.narrow(maps)) * self.factor.reshape(1, -1, 1, 1) + images
        maps = self.factor.reshape(1, -1, 1, 1) * self.bare(maps) + self.bare(maps) * self.factor.view(1, 4, 1, 1)
        other = functional.gelu(self.again(maps), approximate="tanh")
        other = self.again(other) * self.line  # a factor a column
        other = functional.gelu(self.again(other) + maps)  # after a sum
        maps = functional.silu(self.inner(maps), inplace=True) * other.sigmoid()
        return self.last(maps), functional.silu(self.last(other))


def test_what_is_left_of_modern_blocks() -> None:
    torch.manual_seed(0)
    network = Modern().eval().requires_grad_(False)
    images = torch.randn(2, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    graph = rewritten(network, images, POOLS[2])
    for seen, right in zip(graph(images), network(images), strict=True):
        torch.testing.assert_close(seen, right, atol=1e-5, rtol=1e-5)
    names = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert names.count("aten.gelu.default") == 2  # the other kind, and that after a sum
    assert names.count("aten.mul.Tensor") == 3  # a factor a column, one on the left, and maps
    assert not {"aten.dropout.default", "aten.silu.default", "aten.silu_.default", "aten.add.Tensor"} & set(names)
