"""The model folder: `model.safetensors` and `model.json`, written last. No manifest, no model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tuningfork.bundled import Bundle
from tuningfork.errors import ModelError, OutputError
from tuningfork.files import sha256, whole_file
from tuningfork.manifests import SPEC, ModelManifest
from tuningfork.models.model import Ensemble, GalaxyModel, Model, ModelSpec
from tuningfork.uncertainty import read_uncertainty

SPEC_KEYS = ("encoder", "geometry", "images", "input", "heads")
DEFAULT_MODEL = "default"
UNCERTAINTY = "uncertainty.safetensors"
TRAINING = "training.png"  # a strip of galaxies it was trained on, as it sees them
FILES = (
    "model.safetensors",
    "recipe.toml",
    "history.csv",
    "lr-finder.csv",
    "augmented.png",
    TRAINING,
    "card.md",
    UNCERTAINTY,
)

BUNDLE = Bundle("model", "tuningfork.models", "bundled", "*/model.json", ModelError, own="a model folder")


def model_folder(model: str | Path) -> Path:
    """The folder of a model given by path, or by the name of one that ships with the package (``default``)."""
    return BUNDLE.find(model)


def bundled_models() -> list[str]:
    """The names of the models that ship with the package.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> import tuningfork as tf
    >>> tf.bundled_models()
    ['default']
    """
    return BUNDLE.names()


def read_manifest(model: str | Path) -> dict[str, Any]:
    """The manifest of a model.

    Raises
    ------
    ModelError
        If there is none (training did not finish), or it is not a model's, or of a version this software can't read.
    """
    return _read(model_folder(model)).content


def _read(folder: Path) -> ModelManifest:
    manifest = ModelManifest.read(folder)
    if manifest.sha256.get(SPEC) != _digest(manifest.content):
        raise ModelError(
            f"{folder / ModelManifest.NAME} has been altered: it no longer describes the model it was written for; "
            "copy it again"
        )
    return manifest


def _digest(manifest: dict[str, Any]) -> str:
    """A hash of what a model is built from, so that an altered manifest is noticed."""
    described = {key: manifest[key] for key in SPEC_KEYS if key in manifest}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def save_model(model: GalaxyModel, folder: Path, record: dict[str, Any]) -> Path:
    """Write the weights, then, last, the manifest: the spec and whatever `record` tells of how the model was made."""
    described = model.spec.as_dict()
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path = folder / "model.safetensors"
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
    hashes[SPEC] = _digest(content)
    ModelManifest.write(folder, content | {"sha256": hashes})


def load_model(model: str | Path) -> Model:
    """Load a model, ready to predict on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or its bytes are not those the manifest speaks of.
    """
    folder = model_folder(model)
    manifest = _read(folder)
    manifest.check(folder)
    built = _load_members(folder, manifest) if manifest.members else _load_network(folder, manifest.content)
    if UNCERTAINTY in manifest.sha256:
        built.uncertainty = read_uncertainty(folder / UNCERTAINTY)
    return built.eval()


def _load_members(folder: Path, manifest: ModelManifest) -> Ensemble:
    networks = []
    for name in manifest.members or ():
        manifest.file(folder, f"{name}/{ModelManifest.NAME}")
        if _read(folder / name).members:
            raise ModelError(f"{folder / name} is an ensemble, and members are single networks; copy it again")
        network = load_model(folder / name)
        assert isinstance(network, GalaxyModel)
        networks.append(network)
    return Ensemble(networks)


def _load_network(folder: Path, manifest: dict[str, Any]) -> GalaxyModel:
    try:
        built = GalaxyModel(ModelSpec.from_dict(manifest))
        built.load_state_dict(load_file(folder / "model.safetensors"))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder / 'model.json'} does not describe the weights beside it: {error}") from error
    return built
