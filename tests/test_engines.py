"""Every engine gives torch's answers to a stated tolerance; the engine of a job is named, exported or tried."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.engines import Engine, choose, engine_names, load_engine, plugins
from tuningfork.engines import onnx as onnx_engine
from tuningfork.engines.agree import TOLERANCE, differences, largest, tolerance
from tuningfork.engines.engine import CPU_BATCH, Graph
from tuningfork.engines.onnx import OnnxEngine, write_onnx
from tuningfork.engines.openvino import OpenvinoEngine
from tuningfork.errors import ImageError, ModelError, TuningforkError
from tuningfork.images import Geometry
from tuningfork.inference import predict
from tuningfork.models import Ensemble, GalaxyModel, HeadSpec, ModelSpec, View
from tuningfork.models.model import GALAXIES
from tuningfork.models.networks.equivariant import GroupConv, GroupNorm
from tuningfork.schemas import load_schema

CPU = torch.device("cpu")
NETWORKS = {
    "small": ("conv-dense", {"stages": [[4]], "dense": [8]}),
    "plain": ("plain", {"width": 4}),
    "equivariant": ("equivariant", {"width": 2}),
    "resnet": ("resnet18", {}),
    "convnext": ("convnext_atto", {"depths": [1, 1, 1, 1]}),
}


def network(name: str, seed: int = 0) -> GalaxyModel:
    """A network as training leaves it: with statistics of its own, and answers that differ between galaxies."""
    torch.manual_seed(seed)
    encoder, options = NETWORKS[name]
    schemas = (load_schema("gz-challenge"), load_schema("five-classes"))
    heads = (HeadSpec(schema="gz-challenge", kind="tree"), HeadSpec(schema="five-classes", kind="classes"))
    spec = ModelSpec(
        encoder, options, Geometry(1.0, 40, 3), View(0.8, 32), (0.1, 0.2, 0.3), (0.2, 0.3, 0.4), heads, schemas
    )
    model = GalaxyModel(spec).train()
    with torch.no_grad():
        images = next(model.images(galaxies(16, seed=100)))
        for _ in range(5):
            model(images)
        features = model.eval().features(images)
        for head in model.heads.values():
            last = head.layers[-1]
            last.weight.div_(head(features).std(dim=0)[:, None])
            last.bias.copy_(-features.mean(dim=0) @ last.weight.T)
    return model


def galaxies(n: int, seed: int = 0) -> torch.Tensor:
    """Smooth blots of light: what noise would look alike to every network."""
    coarse = torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=40, mode="bilinear")
    return (255 * fine).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@pytest.fixture
def once_written(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each network's ONNX file is written once for all tests, which takes seconds."""
    folder = tmp_path_factory.getbasetemp() / "graphs"
    folder.mkdir(exist_ok=True)

    def write(network: GalaxyModel, path: Path) -> None:
        weights = b"".join(value.numpy().tobytes() for value in network.state_dict().values())
        kept = folder / hashlib.sha256(weights).hexdigest()
        if not kept.exists():
            write_onnx(network, kept)
        shutil.copyfile(kept, path)

    monkeypatch.setattr(onnx_engine, "write_onnx", write)


@pytest.mark.parametrize(
    ("engine", "name"),
    [*product(["torch", "onnxruntime", "openvino"], ["plain", "equivariant", "resnet", "convnext"])],
)
def test_an_engine_answers_as_the_network_does(name: str, engine: str, once_written: None) -> None:
    model, pixels = network(name), galaxies(CPU_BATCH + 3)
    expected = model.infer(pixels, 2)
    assert expected.answers["gz-challenge"].std(dim=0).max() > 100 * TOLERANCE
    load_engine(model, engine, CPU)
    seen = model.infer(pixels, 2)
    assert largest(differences(model, seen, expected)) < TOLERANCE
    scale = expected.features.square().mean().sqrt()
    torch.testing.assert_close(seen.features / scale, expected.features / scale, atol=1e-3, rtol=0)


def test_a_rounding_that_crosses_a_step_is_no_other_answer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head, schema = HeadSpec(schema="efigi", kind="quantities", loss="ordinal"), load_schema("efigi")
    spec = ModelSpec(
        "plain", {"width": 4}, Geometry(1.0, 40, 3), View(1.0, 32), (0.1,) * 3, (0.3,) * 3, (head,), (schema,)
    )
    model, pixels = GalaxyModel(spec).eval(), galaxies(CPU_BATCH)
    expected = model.infer(pixels)
    with torch.no_grad():
        model.head("efigi").layers[-1].bias.add_(1e-5 * torch.randn_like(model.head("efigi").layers[-1].bias))
    levels = model.infer(pixels)
    assert 0 < largest(differences(model, levels, expected)) < TOLERANCE
    turned = replace(expected, answers={"efigi": expected.answers["efigi"] + 1})
    assert largest(differences(model, turned, expected)) == 0


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_a_compiled_network_answers_alike_and_is_compiled_once() -> None:
    model, pixels = network("small"), galaxies(CPU_BATCH + 3)
    expected = model.infer(pixels, 2)
    load_engine(model, "compile", CPU)
    with torch.compiler.set_stance("fail_on_recompile"):  # neither for fewer images nor for turned ones
        assert largest(differences(model, model.infer(pixels, 2), expected)) < TOLERANCE


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("engine", ["torch", "compile"])
def test_a_gpu_answers_alike_in_bfloat16(engine: str) -> None:
    model, pixels, device = network("resnet"), galaxies(CPU_BATCH), torch.device("cuda")
    expected = model.infer(pixels)
    load_engine(model.to(device), engine, device)
    changes = differences(model, model.infer(pixels.to(device)), expected)
    assert largest(changes) < tolerance(device)
    assert all((change**2).mean() ** 0.5 < 5e-3 for change in changes.values())


@pytest.fixture(scope="module")
def loaded() -> tuple[GalaxyModel, GalaxyModel]:
    """A network, and the same in an engine that takes no other number of images than its own."""
    quick = network("small")
    load_engine(quick, "openvino", CPU)
    return network("small"), quick


@given(n=st.integers(1, GALAXIES + CPU_BATCH + 1), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_any_number_of_galaxies_is_answered_in_order(
    loaded: tuple[GalaxyModel, GalaxyModel], n: int, seed: int
) -> None:
    slow, quick = loaded
    pixels = galaxies(n, seed)
    assert largest(differences(slow, quick.infer(pixels), slow.infer(pixels))) < TOLERANCE


def test_group_convolutions_become_ordinary_ones(tmp_path: Path) -> None:
    graph = Graph(network("equivariant"))
    assert not [module for module in graph.modules() if isinstance(module, GroupConv | GroupNorm)]
    path = tmp_path / "equivariant.onnx"
    write_onnx(network("equivariant"), path)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("Conv") == 8
    assert not {"Gather", "BatchNormalization", "Transpose"} & set(kinds), "bank and norm are constants of the graph"


@given(n=st.integers(1, 40), threads=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_threads_share_out_images_and_leave_torch_as_it_was(n: int, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model, pixels = network("small"), galaxies(n)
        expected = model.infer(pixels)
        load_engine(model, "torch", CPU)
        assert largest(differences(model, model.infer(pixels), expected)) < TOLERANCE
        with ThreadPoolExecutor(1) as another:
            assert another.submit(torch.get_num_threads).result() == torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_norms_go_into_the_convolutions_before_them() -> None:
    for name in ("plain", "equivariant"):
        model = network(name)
        graph = Graph(model)
        assert not [layer for layer in graph.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
        assert [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)], (
            "the network keeps its own"
        )


class Peeking(torch.nn.Module):
    """Looks at what a convolution makes before its norm."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.n_features = encoder.n_features
        self.layers = torch.nn.Sequential(torch.nn.Conv2d(3, self.n_features, 3), torch.nn.BatchNorm2d(self.n_features))
        self.layers[1].running_mean += 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers[0](images).mean(dim=(2, 3))


def test_torch_is_held_to_the_answers_of_the_network_too() -> None:
    model = network("small")
    model.encoder = Peeking(model.encoder).eval()
    with pytest.raises(ModelError, match="the engine torch gives other answers than PyTorch"):
        load_engine(model, "torch", CPU)


def test_every_member_of_an_ensemble_has_its_engine() -> None:
    model = Ensemble([network("small", 1), network("small", 2)])
    pixels = galaxies(5)
    expected = model.infer(pixels, 2)
    load_engine(model, "onnxruntime", CPU)
    seen = model.infer(pixels, 2)
    assert largest(differences(model, seen, expected)) < TOLERANCE
    torch.testing.assert_close(seen.spread, expected.spread, atol=TOLERANCE, rtol=0)
    assert model.members[0].engine is not model.members[1].engine


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(build(), list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    return result.output


def assert_alike(table: pd.DataFrame, expected: pd.DataFrame) -> None:
    numbers = expected.select_dtypes("number").columns
    assert len(numbers) > 37
    pd.testing.assert_frame_equal(table[numbers], expected[numbers], atol=TOLERANCE, rtol=0)
    assert table["id_str"].tolist() == expected["id_str"].tolist()


def test_predict_and_embed_take_an_engine(pack: Path, model: Path, tmp_path: Path) -> None:
    invoke("predict", pack, tmp_path / "torch.parquet", "--model", model, "--engine", "torch")
    invoke("predict", pack, tmp_path / "quick.parquet", "--model", model, "--engine", "openvino")
    assert_alike(pd.read_parquet(tmp_path / "quick.parquet"), pd.read_parquet(tmp_path / "torch.parquet"))
    for engine in ("torch", "onnxruntime"):
        invoke("embed", pack, tmp_path / f"{engine}-e.parquet", "--model", model, "--engine", engine, "--maps", "none")
    features = [np.stack(pd.read_parquet(tmp_path / f"{e}-e.parquet")["features"]) for e in ("torch", "onnxruntime")]
    np.testing.assert_allclose(features[1], features[0], atol=1e-4 * np.abs(features[0]).max())


def test_what_cannot_be_had_is_said(pack: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"no engine 'tensorrt'; use one of auto, torch, .*openvino"):
        invoke("predict", pack, tmp_path / "o.csv", "--model", model, "--engine", "tensorrt")
    with pytest.raises(ModelError, match="it is not an exported model"):
        invoke("predict", pack, tmp_path / "o.csv", "--model", model, "--engine", tmp_path)
    with pytest.raises(ModelError, match="openvino runs on the CPU alone; say --device cpu"):
        load_engine(network("small"), "openvino", torch.device("cuda"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TuningforkError, match=r'pip install "tuningfork\[fast\]"'):
        invoke("predict", pack, tmp_path / "o.csv", "--model", model, "--engine", "onnxruntime")
    assert not list(tmp_path.iterdir())


def test_a_network_that_an_engine_cannot_run_is_said() -> None:
    model = network("small")
    model.encoder = torch.nn.Sequential(model.encoder, Unexportable())
    with pytest.raises(ModelError, match=r"the engine onnxruntime can't run this network .*take --engine torch"):
        load_engine(model, "onnxruntime", CPU)
    assert model.engine is None


class Unexportable(torch.nn.Module):
    """Decides by the data, which no graph can."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features if float(features.sum()) > 0 else -features


@pytest.fixture
def no_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed here."""
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])


@pytest.fixture
def eager_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of ONNX Runtime and OpenVINO are repaid by any job."""
    monkeypatch.setattr(choose, "FEWEST", 1)
    for engine in (OnnxEngine, OpenvinoEngine):
        monkeypatch.setattr(engine, "repaid", 0)


def test_a_small_job_is_not_held_up_by_a_trial(
    pack: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "_timed", lambda *_: pytest.fail("a trial of 120 galaxies"))
    with caplog.at_level(logging.INFO):
        predict(pack, tmp_path / "auto.parquet", model=model)
    assert "engine" not in caplog.text


@pytest.mark.usefixtures("no_plug_ins")
def test_a_job_is_large_when_torch_would_be_long_at_it() -> None:
    model = network("resnet")
    assert choose._worth_trying(model, 50, CPU) == []
    assert choose._worth_trying(model, 250, CPU) == ["onnxruntime", "openvino"]
    assert choose._worth_trying(model, 1000, CPU) == ["onnxruntime", "openvino", "compile"]
    assert choose._worth_trying(model, 1000, torch.device("cuda")) == ["compile"]


@pytest.mark.usefixtures("eager_to_try", "no_plug_ins")
def test_auto_says_what_it_tried_and_answers_alike(
    pack: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        table = pd.read_parquet(predict(pack, tmp_path / "auto.parquet", model=model))
    said = [line for line in caplog.messages if line.startswith("engine: ")]
    assert len(said) == 1
    found = re.fullmatch(r"engine: (\w+) \(looks a second in a trial: (.*)\)", said[0])
    rates = {name: float(rate.replace(",", "")) for name, rate in (part.split() for part in found[2].split(", "))}
    assert set(rates) == {"torch", "onnxruntime", "openvino"}
    assert rates[found[1]] == max(rates.values())
    assert_alike(table, pd.read_parquet(predict(pack, tmp_path / "torch.parquet", model=model, engine="torch")))


@pytest.mark.usefixtures("eager_to_try")
def test_auto_takes_no_engine_that_is_wrong_or_broken(
    pack: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = OnnxEngine.run
    monkeypatch.setattr(OnnxEngine, "run", lambda self, images: [-result for result in right(self, images)])

    def broken(*_: object) -> None:
        raise RuntimeError("no such instruction\non this processor")

    monkeypatch.setattr(OpenvinoEngine, "__init__", broken)
    with caplog.at_level(logging.INFO):
        table = pd.read_parquet(predict(pack, tmp_path / "auto.parquet", model=model))
    assert "onnxruntime gives other answers than PyTorch (by" in caplog.text
    assert "openvino can't run this network (no such instruction)" in caplog.text
    pd.testing.assert_frame_equal(
        table, pd.read_parquet(predict(pack, tmp_path / "torch.parquet", model=model, engine="torch"))
    )


GUEST = """
from tuningfork.engines import Engine, Graph

class Guest(Engine):
    repaid = 0

    def __init__(self, network, device):
        super().__init__(list(network.heads))
        self.graph = Graph(network)

    def run(self, images):
        return {results}
"""
BROKEN = "import library_of_another_year"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Install a distribution whose engine `guest` is the class `Guest` of this code."""

    def installed(code: str) -> None:
        (tmp_path / "guest_engine.py").write_text(code)
        about = tmp_path / "guest_engine-1.5.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: guest-engine\nVersion: 1.5\n")
        (about / "entry_points.txt").write_text("[tuningfork.engines]\nguest = guest_engine:Guest\n")
        monkeypatch.syspath_prepend(tmp_path)

    monkeypatch.setattr(choose, "FEWEST", 1)
    yield installed
    sys.modules.pop("guest_engine", None)


def test_a_plug_in_is_found_and_used(
    install: Callable[[str], None], pack: Path, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = pd.read_parquet(predict(pack, tmp_path / "torch.parquet", model=model, engine="torch"))
    page = (Path(__file__).parents[1] / "docs" / "how-to-engine.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    install(f"{code}\nMyEngine.repaid = 0\nGuest = MyEngine")
    assert "guest" in engine_names()
    invoke("predict", pack, tmp_path / "guest.parquet", "--model", model, "--engine", "guest")
    assert_alike(pd.read_parquet(tmp_path / "guest.parquet"), expected)
    with caplog.at_level(logging.INFO):
        predict(pack, tmp_path / "auto.parquet", model=model)
    assert re.search(r"engine: \w+ \(looks a second in a trial: torch .*guest", caplog.text)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (BROKEN, "the engine guest of guest-engine 1.5 can't be imported (No module named 'library_of_another_year')"),
        ("Guest = 'an engine'", "the engine guest of guest-engine 1.5 is no tuningfork.engines.Engine"),
        (GUEST.format(results="images.shape.none"), "the engine guest can't run this network"),
        (GUEST.format(results="[2 * one for one in self.graph(images)]"), "guest gives other answers than PyTorch (by"),
        (GUEST.format(results="[one * float('nan') for one in self.graph(images)]"), "than PyTorch (by nan)"),
    ],
)
def test_a_plug_in_that_is_broken_or_wrong_is_refused_and_not_fatal(
    code: str, says: str, install: Callable[[str], None], pack: Path, model: Path, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    install(code)
    with pytest.raises(ModelError, match=re.escape(says)):
        predict(pack, tmp_path / "named.parquet", model=model, engine="guest")
    assert not (tmp_path / "named.parquet").exists()
    table = pd.read_parquet(predict(pack, tmp_path / "auto.parquet", model=model))
    assert len(table) == 120
    assert table["error"].isna().all()
    assert caplog.text.count(says) == 1


@pytest.mark.usefixtures("no_plug_ins")
def test_a_plug_in_that_is_not_installed_is_named(pack: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"fused is a plug-in that is not installed.*pip install ./packages/tuning"):
        invoke("predict", pack, tmp_path / "o.csv", "--model", model, "--engine", "fused")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("eager_to_try")
def test_auto_does_not_stumble_over_unreadable_images(model: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "notes.jpg").write_text("to do: download this galaxy")
    with pytest.raises(ImageError, match="none of 1 image could be read"):
        predict(tmp_path / "images", tmp_path / "auto.parquet", model=model)
    assert pd.read_parquet(tmp_path / "auto.parquet")["error"].notna().all()


class Cramped(Engine):
    """Has memory for so many images, as a GPU has."""

    room = 5

    def run(self, images: torch.Tensor) -> list[torch.Tensor]:
        if len(images) > self.room:
            raise torch.OutOfMemoryError
        return [images.flatten(1), images.sum(dim=(1, 2, 3), keepdim=True).flatten(1)]


@given(count=st.integers(1, 70), fixed=st.booleans())
@settings(deadline=None, max_examples=30)
def test_a_batch_too_large_for_the_device_is_halved(count: int, fixed: bool) -> None:
    engine = Cramped(["five-classes"])
    engine.fixed = fixed  # type: ignore[misc]
    images = torch.rand(count, 3, 4, 4)
    features, raw = engine(images)
    torch.testing.assert_close(features, images.flatten(1))
    torch.testing.assert_close(raw["five-classes"][:, 0], images.sum(dim=(1, 2, 3)))
    assert engine.batch == (4 if count > 5 or fixed else 32)


def test_an_image_that_no_memory_is_left_for_is_an_error() -> None:
    engine = Cramped(["five-classes"])
    engine.room = 0
    with pytest.raises(ModelError, match="too little memory for one image"):
        engine(torch.rand(3, 3, 4, 4))
