"""An exported model as an engine: a folder with a graph for each network, and `export.json`, written last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tuningfork.engines.engine import Engine
from tuningfork.engines.formats import FORMATS
from tuningfork.engines.load import attach
from tuningfork.errors import ModelError
from tuningfork.files import read_json, sha256
from tuningfork.models import GalaxyModel, Model

FORMAT = "tuningfork-export"
VERSION = 1
MANIFEST = "export.json"


def origin(hashes: Mapping[str, str]) -> dict[str, str]:
    """What a graph depends on, of the hashes in a model's manifest: not, say, on its calibration."""
    return {name: digest for name, digest in hashes.items() if name in ("model.safetensors", "spec") or "/" in name}


def read_export(folder: Path, hashes: Mapping[str, str]) -> dict[str, Any]:
    """The manifest of an export, checked.

    Raises
    ------
    ModelError
        If there is none, a file is not the one it speaks of, or the model of these hashes is not what was exported.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ModelError(f"{folder} holds no {MANIFEST}: it is no exported model; make one with `tuningfork export`")
    manifest = read_json(path, ModelError)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{path} is not the manifest of an exported model")
    if manifest.get("version") != VERSION:
        raise ModelError(
            f"{path} has format version {manifest.get('version')}; this software reads {VERSION}: export again"
        )
    if manifest["model"]["sha256"] != origin(hashes):
        raise ModelError(f"{folder} was exported from another model ({manifest['model']['name']}); export this one")
    for name, digest in manifest["sha256"].items():
        if not (folder / name).exists() or sha256(folder / name) != digest:
            raise ModelError(f"{folder / name} is missing or altered; export again")
    return manifest


def load_export(model: Model, folder: Path, manifest: Mapping[str, Any], device: torch.device) -> None:
    """Let every network of a model run as its graph in an exported folder does.

    Raises
    ------
    ModelError
        If the model is not on the CPU.
    TuningforkError
        If the engine that reads the graphs is not installed.
    """
    if device.type != "cpu":
        raise ModelError(f"{folder} was exported for the CPU; say --device cpu")
    engine = FORMATS[manifest["to"]].engine

    def make(member: GalaxyModel, index: int) -> Engine:
        return engine(folder / manifest["networks"][index]["file"], list(member.heads))

    attach(model, device, str(folder), make)
