"""Where a model lies, and what it says of itself: known without PyTorch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tuningfork.bundled import Bundle
from tuningfork.errors import ModelError
from tuningfork.manifests import SPEC, ModelManifest

SPEC_KEYS = ("encoder", "geometry", "images", "input", "heads")
DEFAULT_MODEL = "default"
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
    ['default', 'robust']
    """
    return BUNDLE.names()


def read_manifest(model: str | Path) -> dict[str, Any]:
    """The manifest of a model.

    Raises
    ------
    ModelError
        If there is none (training did not finish), or it is not a model's, or of a version this software can't read.
    """
    return read(model_folder(model)).content


def training_packs(model: str | Path) -> list[dict[str, str]]:
    """The hashes of the pack that a model was trained on, of an ensemble those of each member's."""
    parts = read_manifest(model).get("members") or ["."]
    return [read_manifest(model_folder(model) / part).get("data", {}).get("sha256", {}) for part in parts]


def read(folder: Path) -> ModelManifest:
    """The manifest in a folder, checked to be the one that was written for its model."""
    manifest = ModelManifest.read(folder)
    if manifest.sha256.get(SPEC) != digest(manifest.content):
        raise ModelError(
            f"{folder / ModelManifest.NAME} has been altered: it no longer describes the model it was written for; "
            "copy it again"
        )
    return manifest


def digest(manifest: dict[str, Any]) -> str:
    """A hash of what a model is built from, so that an altered manifest is noticed."""
    described = {key: manifest[key] for key in SPEC_KEYS if key in manifest}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
