"""The model folder: `model.safetensors` and `model.json`, written last. No manifest, no model."""

from __future__ import annotations

import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tuningfork.errors import ModelError
from tuningfork.files import read_json, sha256, software_version, whole_file, write_json
from tuningfork.models.model import GalaxyModel, ModelSpec

DEFAULT_MODEL = "default"
FORMAT = "tuningfork-model"
VERSION = 1


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
    return manifest


def save_model(model: GalaxyModel, folder: Path, record: dict[str, Any]) -> Path:
    """Write the weights, then the manifest: the spec and whatever `record` tells of how the model was made."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    path = folder / "model.safetensors"
    with whole_file(path) as temporary:
        save_file(weights, temporary)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"tuningfork {software_version()}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **model.spec.as_dict(),
        **record,
        "sha256": {"model.safetensors": sha256(path)},
    }
    write_json(folder / "model.json", manifest)
    return folder


def load_model(model: str | Path) -> GalaxyModel:
    """Load a model, ready to predict on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or its bytes are not those the manifest speaks of.
    """
    folder = model_folder(model)
    manifest = read_manifest(folder)
    path = folder / "model.safetensors"
    if not path.exists():
        raise ModelError(f"{path} is missing; copy the whole model folder, or train it again")
    if sha256(path) != manifest.get("sha256", {}).get("model.safetensors"):
        raise ModelError(f"{path} is not the file its manifest speaks of (altered or half copied); copy it again")
    try:
        built = GalaxyModel(ModelSpec.from_dict(manifest))
        built.load_state_dict(load_file(path))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder / 'model.json'} does not describe the weights beside it: {error}") from error
    return built.eval()
