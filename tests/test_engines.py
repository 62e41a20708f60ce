"""Every engine gives torch's answers to a stated tolerance; the engine of a job is named, exported or tried."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import ModelError, TuningforkError
from tuningfork.images import Geometry
from tuningfork.inference import embed, predict
from tuningfork.inference.engines import ENGINES, mount
from tuningfork.inference.engines.agree import TOLERANCE, differences, largest
from tuningfork.inference.engines.engine import CPU_BATCH, Graph
from tuningfork.models import Ensemble, GalaxyModel, HeadSpec, ModelSpec, View
from tuningfork.models.networks.equivariant import GroupConv, GroupNorm
from tuningfork.schemas import load_schema

CPU = torch.device("cpu")
NETWORKS = {
    "plain": ("plain", {"width": 4}),
    "equivariant": ("equivariant", {"width": 2}),
    "resnet": ("resnet18", {}),
    "convnext": ("convnext_atto", {"depths": [1, 1, 1, 1]}),
}
pytestmark = pytest.mark.filterwarnings(
    # Of torch's own modules, while it traces a network for export; nothing a caller could do otherwise.
    "ignore::DeprecationWarning:torch",
)


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


@pytest.mark.parametrize("engine", ["torch", "onnxruntime", "openvino"])
@pytest.mark.parametrize("name", NETWORKS)
def test_an_engine_answers_as_the_network_does(name: str, engine: str) -> None:
    model, pixels = network(name), galaxies(CPU_BATCH + 3)
    expected = model.look(pixels, 2)
    assert expected.answers["gz-challenge"].std(dim=0).max() > 100 * TOLERANCE
    mount(model, engine, CPU)
    seen = model.look(pixels, 2)
    assert largest(differences(model, seen, expected)) < TOLERANCE
    scale = expected.features.square().mean().sqrt()
    torch.testing.assert_close(seen.features / scale, expected.features / scale, atol=1e-3, rtol=0)
