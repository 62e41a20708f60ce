"""The pack a run learns from and the folder it writes, checked before PyTorch is imported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuningfork.errors import ModelError, TuningforkError
from tuningfork.files import read_json
from tuningfork.jobs import Inputs, Job, within
from tuningfork.manifests import ModelManifest, PackManifest
from tuningfork.training.tables import Recipe

_RECORD = "run.json"  # in a model folder: what its run was asked for


def training_job(asked: Mapping[str, Any], folder: Path) -> Job:
    """The job that trains a model; `asked` is what fixes it."""
    return Job(
        Inputs("training run", ModelManifest.VERSION, asked),
        folder,
        within(folder),
        record=folder / _RECORD,
        error=ModelError,
    )


def fixed(recipe: Recipe, pack: Mapping[str, str]) -> dict[str, Any]:
    """What a recipe and a pack, by the hashes of its files, fix of a run; keys that are not set don't count."""
    settings = recipe.model_dump(mode="json", exclude_defaults=True)
    for head in settings["head"]:
        head.get("teacher", {}).pop("answers", None)  # what they are counts, not where they lie
    text = json.dumps(settings, sort_keys=True)
    return {"recipe": hashlib.sha256(text.encode()).hexdigest(), "pack": pack}


def check_places(recipe: Recipe, pack: Path, out: Path) -> None:
    """Refuse what is no pack, and a folder to write that holds anything but a run of this recipe on this pack.

    Raises
    ------
    PackError
        If there is no pack, or packing has not finished.
    ModelError
        If `out` is a file, or holds something else.
    """
    now = fixed(recipe, PackManifest.read(pack).sha256)
    training_job(recorded(out / _RECORD, ModelError) | now, out).refuse_others()


def recorded(record: Path, error: type[TuningforkError]) -> dict[str, Any]:
    """What an earlier run was asked for, by its record."""
    found = read_json(record, error) if record.is_file() else {}
    inputs = found.get("inputs") if isinstance(found, dict) else None
    asked = inputs.get("asked") if isinstance(inputs, dict) else found  # earlier records held what was asked alone
    return asked if isinstance(asked, dict) else {}
