"""Where a model lies, and what it says of itself: known without PyTorch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
    ['accurate', 'default']
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


def share_seen(manifest: dict[str, Any]) -> float:
    """How much of the side of its squares a model looks at, by its manifest: all, where it looks for the galaxy."""
    seen = manifest["input"]
    return 1.0 if seen.get("located") else float(seen["field"] / manifest["geometry"]["field"])


@dataclass(frozen=True)
class Learned:
    """Galaxies that a model, or a member of it, has learned from: `how`, and the rows of the pack of these hashes."""

    how: Literal["trained on", "adapted by"]
    sha256: dict[str, str]
    split: str
    rows: tuple[str, ...] = ()


def learned_from(model: str | Path) -> Iterator[Learned]:
    """The galaxies that a model has learned from, of an ensemble those of each member."""
    for part in read_manifest(model).get("members") or ["."]:
        manifest = read_manifest(model_folder(model) / part)
        yield Learned("trained on", manifest.get("data", {}).get("sha256", {}), "train")
        if found := manifest.get("locator"):
            yield Learned("trained on", found.get("sha256", {}), "train")
        if adapted := manifest.get("adaptation"):
            rows = tuple(adapted.get("rows", ()))
            yield Learned("adapted by", adapted.get("data", {}), adapted.get("split", "all"), rows)


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
