"""The model folder: `model.safetensors` and `model.json`, written last. No manifest, no model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tuningfork.errors import ModelError, OutputError
from tuningfork.files import read_json, sha256, stamp, whole_file, write_json
from tuningfork.models.model import Ensemble, GalaxyModel, Model, ModelSpec
from tuningfork.uncertainty import read_uncertainty

SPEC_KEYS = ("encoder", "geometry", "images", "input", "heads")
DEFAULT_MODEL = "default"
FORMAT = "tuningfork-model"
VERSION = 1
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


def model_folder(model: str | Path) -> Path:
    """The folder of a model given by path, or by the name of one that ships with the package (``default``)."""
    bundled = Path(str(files("tuningfork.models") / "bundled"))
    if str(model) in bundled_models():
        return bundled / str(model)
    path = Path(model)
    if not path.is_dir():
        raise ModelError(f"no model at {path}; give a model folder, or one of: {', '.join(bundled_models())}")
    return path


def bundled_models() -> list[str]:
    """The names of the models that ship with the package."""
    bundled = Path(str(files("tuningfork.models") / "bundled"))
    return sorted(manifest.parent.name for manifest in bundled.glob("*/model.json"))


def read_manifest(model: str | Path) -> dict[str, Any]:
    """The manifest of a model.

    Raises
    ------
    ModelError
        If there is none (training did not finish), or it is not a model's, or of a version this software can't read.
    """
    folder = model_folder(model)
    path = folder / "model.json"
    if not path.exists():
        raise ModelError(
            f"{folder} holds no model.json: training has not finished there; run the same train command again"
        )
    manifest: dict[str, Any] = read_json(path, ModelError)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{path} is not the manifest of a model")
    if manifest.get("version") != VERSION:
        raise ModelError(
            f"{path} has format version {manifest.get('version')}; this software reads {VERSION}: update it"
        )
    if manifest.get("sha256", {}).get("spec") != _digest(manifest):
        raise ModelError(f"{path} has been altered: it no longer describes the model it was written for; copy it again")
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
    hashes["spec"] = _digest(content)
    write_json(folder / "model.json", stamp(FORMAT, VERSION) | content | {"sha256": hashes})


def load_model(model: str | Path) -> Model:
    """Load a model, ready to predict on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or its bytes are not those the manifest speaks of.
    """
    folder = model_folder(model)
    manifest = read_manifest(folder)
    for name, digest in manifest["sha256"].items():
        path = folder / name
        if name == "spec":
            continue
        if not path.exists():
            raise ModelError(f"{path} is missing; copy the whole model folder, or train it again")
        if sha256(path) != digest:
            raise ModelError(f"{path} is not the file its manifest speaks of (altered or half copied); copy it again")
    built = _load_members(folder, manifest["members"]) if "members" in manifest else _load_network(folder, manifest)
    if UNCERTAINTY in manifest["sha256"]:
        built.uncertainty = read_uncertainty(folder / UNCERTAINTY)
    return built.eval()


def _load_members(folder: Path, names: Sequence[str]) -> Ensemble:
    networks = [load_model(folder / name) for name in names]
    return Ensemble([network for network in networks if isinstance(network, GalaxyModel)])


def _load_network(folder: Path, manifest: dict[str, Any]) -> GalaxyModel:
    try:
        built = GalaxyModel(ModelSpec.from_dict(manifest))
        built.load_state_dict(load_file(folder / "model.safetensors"))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder / 'model.json'} does not describe the weights beside it: {error}") from error
    return built
