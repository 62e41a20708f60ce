"""The model folder: `model.safetensors` and `model.json`, written last. No manifest, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tuningfork.errors import ModelError, OutputError, TuningforkError, one_line
from tuningfork.files import sha256, whole_file
from tuningfork.manifests import SPEC, ModelManifest
from tuningfork.models.bounds import Bounded
from tuningfork.models.described import digest, model_folder, read
from tuningfork.models.model import Ensemble, GalaxyModel, Model, ModelSpec
from tuningfork.models.views import check_views
from tuningfork.uncertainty import Uncertainty, read_uncertainty

WEIGHTS = "model.safetensors"
UNCERTAINTY = "uncertainty.safetensors"
SPARE = 1 << 26  # numbers that a network may hold beyond twice those of its weights: tables of positions, a blank image
TRAINING = "training.png"  # a strip of galaxies it was trained on, as it sees them
FILES = (
    WEIGHTS,
    "recipe.toml",
    "history.csv",
    "lr-finder.csv",
    "augmented.png",
    TRAINING,
    "card.md",
    UNCERTAINTY,
)


def save_model(model: GalaxyModel, folder: Path, record: dict[str, Any]) -> Path:
    """Write the weights, then, last, the manifest: the spec and whatever `record` tells of how the model was made."""
    described = model.spec.as_dict()
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path = folder / WEIGHTS
    try:
        with whole_file(path) as temporary:
            save_file(weights, temporary)
    except SafetensorError as error:  # what its writer makes of a full disk
        raise OutputError(f"cannot write {path}: {error}; free some space or choose another place") from error
    seal(folder, {**described, **record})
    return folder


def seal(folder: Path, content: dict[str, Any], files: Sequence[str] = FILES) -> None:
    """Write the manifest over the files of a model folder: what the model is built from, and the hash of each."""
    members = [f"{member}/model.json" for member in content.get("members", [])]
    hashes = {name: sha256(folder / name) for name in (*files, *members) if (folder / name).exists()}
    hashes[SPEC] = digest(content)
    ModelManifest.write(folder, content | {"sha256": hashes})


def load_model(model: str | Path) -> Model:
    """Load a model, ready to predict on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or its bytes are not those the manifest speaks of.
    """
    built, folder = load_uncalibrated(model), model_folder(model)
    if UNCERTAINTY in read(folder).sha256:
        built.uncertainty = _uncertainty(built, folder / UNCERTAINTY)
    return built


def load_uncalibrated(model: str | Path) -> Model:
    """As `load_model`, without what was measured of its uncertainty.

    Raises
    ------
    ModelError
        As `load_model`.
    """
    folder = model_folder(model)
    manifest = read(folder)
    manifest.check(folder, manifest.sha256 if manifest.members else {*manifest.sha256, WEIGHTS})
    built = _load_members(folder, manifest) if manifest.members else _load_network(folder, manifest.content)
    return built.eval()


def _uncertainty(model: Model, path: Path) -> Uncertainty:
    geometry = model.spec.geometry
    blank = np.zeros((1, geometry.size, geometry.size, geometry.channels), np.uint8)
    found = read_uncertainty(path)
    check_views(found.views)
    found.check(model.n_features, blank, {schema.name: schema.limits for schema in model.schemas}, path)
    return found


def _load_members(folder: Path, manifest: ModelManifest) -> Ensemble:
    networks = []
    for name in manifest.members or ():
        manifest.file(folder, f"{name}/{ModelManifest.NAME}")
        if read(folder / name).members:
            raise ModelError(f"{folder / name} is an ensemble, and members are single networks; copy it again")
        network = load_model(folder / name)
        assert isinstance(network, GalaxyModel)
        networks.append(network)
    return Ensemble(networks)


def _load_network(folder: Path, manifest: dict[str, Any]) -> GalaxyModel:
    path = folder / WEIGHTS
    try:
        weights = load_file(path)
        with Bounded(SPARE + 2 * sum(tensor.numel() for tensor in weights.values())):
            built = GalaxyModel(_spec(folder, manifest))
        _check_numbers(weights, built.state_dict(), path)
        built.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{folder / ModelManifest.NAME} does not describe the weights beside it: {one_line(error)}"
        ) from error
    return built


def _spec(folder: Path, manifest: dict[str, Any]) -> ModelSpec:
    try:
        return ModelSpec.from_dict(manifest)
    except TuningforkError as error:
        raise ModelError(f"{folder / ModelManifest.NAME}: {error}") from error


def _check_numbers(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], path: Path) -> None:
    """See that weights are of the kind of number that the network has, and that each is one."""
    for name, tensor in weights.items():
        if name in own and tensor.is_floating_point() != own[name].is_floating_point():
            raise ModelError(f"{path}: {name} holds {tensor.dtype} where {own[name].dtype} belongs; copy it again")
        if not tensor.isfinite().all():
            raise ModelError(f"{path}: {name} holds values that are no finite numbers; copy it again, or train again")
