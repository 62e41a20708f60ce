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
from tuningfork.manifests import ExportManifest
from tuningfork.models import GalaxyModel, Model


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
    manifest = ExportManifest.read(folder)
    if manifest.model.sha256 != origin(hashes):
        raise ModelError(f"{folder} was exported from another model ({manifest.model.name}); export this one")
    form = FORMATS[manifest.to]
    names = [network.file for network in manifest.networks]
    manifest.check(folder, {*manifest.sha256, *(file for name in names for file in form.files(name))})
    for name in names:
        if not name.endswith(form.suffix):
            raise ModelError(
                f"{folder / name} is no file of {manifest.to}: its name ends in {form.suffix}; export again"
            )
        form.check(folder / name)
    return manifest.content


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
    if len(manifest["networks"]) != len(model.members):
        raise ModelError(
            f"{folder} has {len(manifest['networks'])} graphs for {len(model.members)} networks; export again"
        )

    def make(member: GalaxyModel, index: int) -> Engine:
        return engine(folder / manifest["networks"][index]["file"], list(member.heads))

    attach(model, device, str(folder), make)
