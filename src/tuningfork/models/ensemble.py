"""An ensemble as a model folder: its members, each a model folder like any other, lie in `members`."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuningfork.errors import ModelError
from tuningfork.files import whole_folder, write_text
from tuningfork.models.described import SPEC_KEYS, model_folder, read_manifest
from tuningfork.models.folder import FILES, UNCERTAINTY, load_uncalibrated, seal

log = logging.getLogger(__name__)


def make_ensemble(models: Sequence[str | Path], out: str | Path) -> Path:
    """Write a model folder that answers with the mean of several models.

    Parameters
    ----------
    models : sequence of str or path
        Two or more model folders (or bundled models) of single networks, which take pixels of one field and answer the
        same schemas. Where some take fewer pixels of it than others, they are given those of the one with most, and
        resample them. The first stands for all where there can be but one: its features are the ensemble's, it
        explains, and its encoder is what others start from. They are copied, without what was measured of their
        uncertainty: that of the ensemble is another, and `calibrate` measures it.
    out : str or path
        The folder to write.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        If one can't be read or is an ensemble itself, they don't fit together, or `out` exists.
    """
    target, folders = Path(out), [model_folder(model) for model in models]
    if target.exists():
        raise ModelError(f"{target} exists; choose another folder, or remove it")
    if len(folders) < 2:
        raise ModelError("an ensemble has two models or more")
    manifests = [read_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.get("members"):
            raise ModelError(f"{folder} is an ensemble itself; name its members instead ({folder}/members/1 ...)")
        load_uncalibrated(folder)  # raises where a file is not whole
    packs = {manifest["data"].get("sha256", {}).get("pixels.npy") for manifest in manifests}
    if len(packs) > 1:
        log.warning(
            "the members come from %d packs: no galaxy of one's test split may be in another's train", len(packs)
        )
    sizes = sorted({manifest["geometry"]["size"] for manifest in manifests})
    with whole_folder(target) as made:
        _write(folders, [_of_size(sizes[-1], manifest) for manifest in manifests], made)
        load_uncalibrated(made)  # raises where they don't fit together
    if len(sizes) > 1:
        shown = ", ".join(map(str, sizes))
        log.warning("the members were trained on packs of %s pixels; all are given %d now", shown, sizes[-1])
    return target


def _of_size(size: int, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a model that takes so many pixels a side; what it was trained on stays in its data."""
    geometry = manifest["geometry"]
    if geometry["size"] == size:
        return manifest
    return manifest | {"geometry": geometry | {"size": size}, "data": manifest["data"] | {"geometry": geometry}}


def _write(folders: Sequence[Path], manifests: Sequence[dict[str, Any]], made: Path) -> None:
    names = [f"members/{number}" for number in range(1, len(folders) + 1)]
    for folder, manifest, name in zip(folders, manifests, names, strict=True):
        (made / name).mkdir(parents=True)
        kept = [file for file in FILES if file != UNCERTAINTY and (folder / file).exists()]
        for file in kept:
            shutil.copyfile(folder / file, made / name / file)
        seal(made / name, {key: value for key, value in manifest.items() if key != "calibration"}, files=kept)
    write_text(made / "card.md", _card(manifests, names))
    described = {key: manifests[0][key] for key in SPEC_KEYS if key in manifests[0]}
    seal(made, described | {"data": manifests[0].get("data", {}), "members": names})


def _card(manifests: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    lines = [
        f"- `{name}`: {_origin(manifest)}{_pixels(manifest)}" for name, manifest in zip(names, manifests, strict=True)
    ]
    return (
        f"# Model card: an ensemble of {len(names)}\n\nIts answers are the means of its members', which lie beside "
        "this card with cards of their own. Where they disagree, they don't know.\n\n" + "\n".join(lines) + "\n"
    )


def _pixels(manifest: dict[str, Any]) -> str:
    """Where a member is given more pixels than it was trained on."""
    before = manifest["data"].get("geometry")
    return f", trained on {before['size']} pixels, given {manifest['geometry']['size']}" if before else ""


def _origin(manifest: dict[str, Any]) -> str:
    """What a member was made by: a recipe, or the labels of a journal."""
    recipe = manifest.get("recipe")
    if recipe:
        return f"recipe `{recipe['name']}`, seed {recipe['run']['seed']}"
    return f"a head learned from {manifest['data'].get('n', {}).get('train', 'some')} labels"
