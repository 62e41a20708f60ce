"""The plug-in is found by its entry point, answers as PyTorch does, and is refused where it does not."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
import torch

from tuningfork.engines import choose, engine_class, engine_names, load_engine
from tuningfork.engines.agree import TOLERANCE, differences, largest
from tuningfork.errors import ModelError
from tuningfork.images import Geometry
from tuningfork.models import GalaxyModel, HeadSpec, ModelSpec, View
from tuningfork.schemas import load_schema
from tuningfork_fused import FusedEngine

CPU = torch.device("cpu")
NETWORKS = {
    "equivariant": {"width": 2},
    "resnet18": {},
    "convnext_atto": {"depths": [1, 1, 1, 1]},
    "conv-dense": {"stages": [[4]], "dense": [8]},
}


def network(encoder: str) -> GalaxyModel:
    """A network with norms that have seen images."""
    torch.manual_seed(0)
    head, schema = HeadSpec(schema="gz-challenge", kind="tree"), load_schema("gz-challenge")
    geometry, view = Geometry(1.0, 40, 3), View(0.8, 32)
    spec = ModelSpec(encoder, NETWORKS[encoder], geometry, view, (0.1, 0.2, 0.3), (0.2, 0.3, 0.4), (head,), (schema,))
    model = GalaxyModel(spec).train()
    with torch.no_grad():
        for _ in range(5):
            model(torch.rand(16, 3, 32, 32))
    return model.eval()


def galaxies(n: int) -> torch.Tensor:
    """Smooth blots of light, pack pixels (N, 40, 40, 3)."""
    coarse = torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    fine = torch.nn.functional.interpolate(coarse, size=40, mode="bilinear")
    return (255 * fine).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def test_it_is_installed_as_a_plug_in() -> None:
    assert "fused" in {entry.name for entry in entry_points(group="tuningfork.engines")}
    assert "fused" in engine_names()
    assert engine_class("fused") is FusedEngine


@pytest.mark.parametrize("encoder", ["equivariant", "resnet18", "convnext_atto"])
def test_it_answers_as_the_network_does(encoder: str) -> None:
    model, pixels = network(encoder), galaxies(67)
    expected = model.infer(pixels, 2)
    load_engine(model, "fused", CPU)
    seen = model.infer(pixels, 2)
    assert largest(differences(model, seen, expected)) < TOLERANCE
    scale = expected.features.square().mean().sqrt()
    torch.testing.assert_close(seen.features / scale, expected.features / scale, atol=1e-3, rtol=0)


def test_a_wrong_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = FusedEngine.run
    monkeypatch.setattr(FusedEngine, "run", lambda self, images: [2 * result for result in right(self, images)])
    model = network("resnet18")
    with pytest.raises(ModelError, match="the engine fused gives other answers than PyTorch"):
        load_engine(model, "fused", CPU)
    assert model.engine is None


def test_weights_that_are_no_numbers_are_refused() -> None:
    model = network("resnet18")
    with torch.no_grad():
        next(model.encoder.parameters())[0] = torch.nan
    with pytest.raises(ModelError, match=r"weights that are no numbers"):
        load_engine(model, "fused", CPU)


def test_it_is_tried_where_there_are_convolutions_and_work() -> None:
    assert "fused" in choose._worth_trying(network("resnet18"), 50, CPU)
    assert "fused" not in choose._worth_trying(network("resnet18"), 15, CPU)
    assert "fused" not in choose._worth_trying(network("conv-dense"), 50, CPU)  # it has one convolution
