"""Pretrained weights come through timm by name, from a copied folder of Hugging Face's cache without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file, save_file

from tuningfork.models import read_manifest

NAME = "mobilenetv3_small_050.lamb_in1k"


def fill_cache(home: Path) -> dict[str, torch.Tensor]:
    """Weights of our own making, laid down as the hub's client does."""
    torch.manual_seed(11)
    weights = timm.create_model(NAME, pretrained=False).state_dict()
    repository = home / "hub" / f"models--timm--{NAME}"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    save_file(weights, snapshot / "model.safetensors")
    return weights


def test_a_copied_cache_is_enough_without_a_network(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    weights = fill_cache(tmp_path / "home")
    changes = [
        f"encoder.name={NAME}",
        "encoder.pretrained=true",
        "transfer.frozen=all",
        "optim.epochs=1",
        "input.size=32",
    ]
    result = subprocess.run(
        [
            *(sys.executable, "-m", "tuningfork", "train", str(recipe_file), str(pack), str(tmp_path / "model")),
            *(part for change in changes for part in ("--set", change)),
        ],
        env={**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    trained = load_file(tmp_path / "model" / "model.safetensors")
    ours = {name.removeprefix("encoder."): tensor for name, tensor in trained.items() if name.startswith("encoder.")}
    assert len(ours) > 100
    for name, tensor in ours.items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(tensor, weights[name], rtol=1e-5, atol=1e-7)
    assert read_manifest(tmp_path / "model")["input"]["mean"] == [0.485, 0.456, 0.406]
