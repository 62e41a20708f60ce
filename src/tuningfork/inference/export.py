"""A model exported for other software, and for `predict` in 8-bit integers: a graph for each of its networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tuningfork.engines.agree import TOLERANCE, differences, largest
from tuningfork.engines.engine import CPU_BATCH
from tuningfork.engines.exported import load_export, origin
from tuningfork.engines.formats import FORMATS
from tuningfork.engines.onnx import FEATURES, INPUT
from tuningfork.errors import ModelError, OutputError, PackError, first_line
from tuningfork.files import output_errors
from tuningfork.jobs import Inputs, Job, beside
from tuningfork.manifests import ExportManifest
from tuningfork.models import GalaxyModel, Inference, Model, load_model, read_manifest
from tuningfork.packs import Pack, PackSource, open_pack
from tuningfork.progress import progress_bar
from tuningfork.schemas import ClassSchema

CALIBRATED = 300  # galaxies whose maps give the ranges of the 8-bit integers
COMPARED = 300  # galaxies on which the answers are compared with torch's
CPU = torch.device("cpu")


def export_model(
    model: str | Path, out: str | Path, *, to: str = "onnx", int8: bool = False, pack: str | Path | None = None
) -> Path:
    """Write a model as graphs that other software runs.

    Parameters
    ----------
    model : str or path
        A model folder, or the name of a bundled model.
    out : str or path
        The folder to write: `model.onnx`, or `model.xml` with `model.bin` (of an ensemble `member-1.onnx` ...), and,
        last, `export.json`, which says what goes in, what comes out and how far the answers lie from torch's.
    to : {'onnx', 'openvino'}
        The format.
    int8 : bool
        Whether weights and maps become 8-bit integers, by ranges seen on 300 galaxies of the pack. Such a folder, given
        to `predict` as its engine, is quicker there.
    pack : str or path, optional
        A pack of the model's geometry, of which the galaxies of the train and val splits, never test, are used; one
        without splits whole. Without a pack the answers are compared on noise.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        If the model can't be read or exported, or the answers of its graphs are not torch's to 1e-4 (in 32 bits).
    OutputError
        If `out` exists already or can't be written.
    PackError
        If the pack is needed and not given, can't be opened, has another geometry or too few galaxies.
    TuningforkError
        If the libraries are not installed.
    """
    target = Path(out)
    if to not in FORMATS:
        raise ModelError(f"no format {to!r} to export to; use {' or '.join(FORMATS)}")
    network, manifest = load_model(model), read_manifest(model)
    seen = _galaxies(network, pack, int8=int8)
    asked = {"to": to, "int8": int8}
    job = Job(Inputs("export", ExportManifest.VERSION, asked, seen.said, manifest["sha256"]), target, beside(target))
    if job.settled(job.fingerprint):
        return target
    if not job.made(job.fingerprint) and target.exists():
        raise OutputError(f"{target} exists; choose another folder, or remove it")
    with job.run(overwrite=True):  # of an export that was killed nothing can be used
        if not job.made(job.fingerprint):
            with job.making(job.fingerprint) as made, output_errors(target):
                folder = made / target.name
                folder.mkdir()
                content = {
                    "to": to,
                    "int8": int8,
                    "model": {"name": str(model), "sha256": origin(manifest["sha256"])},
                    "geometry": network.spec.geometry.as_dict(),
                    "networks": _write_networks(network, to, folder, seen.calibrate),
                    "heads": network.spec.as_dict()["heads"],
                    "galaxies": seen.said,
                }
                content["against_torch"] = _compare(network, folder, content, seen)
                ExportManifest.write(folder, content, sorted(path.name for path in folder.iterdir()))
        job.deliver(job.fingerprint, target.parent, target.name)
    return target


@dataclass(frozen=True)
class Galaxies:
    """Pack pixels (N, H, W, C): `calibrate` gives the ranges of integers, `compare` is compared on.

    `labels` is what is known of the latter, row for row; `said` where they are from.
    """

    calibrate: np.ndarray
    compare: np.ndarray
    labels: pd.DataFrame
    said: dict[str, Any]


def _galaxies(network: Model, pack: str | Path | None, *, int8: bool) -> Galaxies:
    geometry = network.spec.geometry
    if pack is None:
        if int8:
            raise PackError("integers need galaxies to be fitted to: name a pack with --pack")
        shape = (geometry.at_once(CPU_BATCH), geometry.size, geometry.size, geometry.channels)
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        return Galaxies(noise[:0], noise, pd.DataFrame(), {"from": "noise", "compared": len(noise)})
    data = open_pack(pack)
    data = PackSource(data, geometry, located=network.spec.located).pack
    rows = _rows(data)
    n_calibrated = min(CALIBRATED, len(rows) // 2) if int8 else 0
    calibrated, compared = np.sort(rows[:n_calibrated]), np.sort(rows[n_calibrated:][:COMPARED])
    if len(compared) == 0:
        raise PackError(f"{data.path} has {len(rows)} galaxies outside its test split; two are needed at the least")
    said = {
        "from": data.path.name,
        "sha256": data.manifest["sha256"],
        "calibrated": n_calibrated,
        "compared": len(compared),
    }
    labels = data.catalog.iloc[compared].reset_index(drop=True)
    return Galaxies(data.pixels[calibrated], data.pixels[compared], labels, said)


def _rows(data: Pack) -> np.ndarray:
    """Rows of a pack, shuffled; none that is for testing."""
    rows = np.concatenate([data.rows("train"), data.rows("val")]) if "split" in data.catalog else data.rows("all")
    return np.random.default_rng(0).permutation(rows)


def _write_networks(network: Model, to: str, folder: Path, calibrate: np.ndarray) -> list[dict[str, Any]]:
    """Write every network; what each takes and gives."""
    written = []
    for number, member in enumerate(network.members, start=1):
        name = "model" if len(network.members) == 1 else f"member-{number}"
        samples = [next(member.images(torch.from_numpy(one[None]))).contiguous().numpy() for one in calibrate]
        try:
            file = FORMATS[to].export(member, folder, name, samples or None)
        except (RuntimeError, ValueError) as error:  # what exporters and converters raise
            reason = first_line(error)
            raise ModelError(f"{member.spec.encoder} can't be exported to {to}: {reason}") from error
        written.append({"file": file, "input": _input(member), "outputs": _outputs(member)})
    return written


def _input(member: GalaxyModel) -> dict[str, Any]:
    size = member.spec.view.size
    found = "; the galaxy in the middle, its frame as wide as those of training" if member.spec.located else ""
    return {
        "name": INPUT,
        "shape": ["N", member.spec.geometry.channels, size, size],
        "type": f"float32 in 0 to 1; mean and std are taken off inside{found}",
        "field": member.spec.view.field,
    }


def _outputs(member: GalaxyModel) -> dict[str, list[Any]]:
    """The shape of each output, by name: features, and what the layers of each head give before its constraint."""
    with torch.inference_mode():
        features, raw = member.outputs(next(member.images(_blank(member))))
    return {FEATURES: ["N", features.shape[1]]} | {name: ["N", values.shape[1]] for name, values in raw.items()}


def _blank(member: GalaxyModel) -> torch.Tensor:
    geometry = member.spec.geometry
    return torch.zeros(1, geometry.size, geometry.size, geometry.channels, dtype=torch.uint8)


def _compare(network: Model, folder: Path, content: dict[str, Any], galaxies: Galaxies) -> dict[str, Any]:
    """How far the answers of the graphs lie from torch's, in 32 bits within `TOLERANCE`."""
    with progress_bar("compare", 2 * len(galaxies.compare)) as advance:
        expected = list(_inferences(network, galaxies.compare, advance))
        load_export(network, folder, content, CPU)
        seen = list(_inferences(network, galaxies.compare, advance))
    changes = _joined([differences(network, ours, theirs) for ours, theirs in zip(seen, expected, strict=True)])
    if largest(changes) > TOLERANCE and not content["int8"]:
        raise ModelError(f"the exported graph gives other answers than torch, by {largest(changes):.1g}; not written")
    return {
        "largest": largest(changes),
        "rms": {name: float(np.sqrt(np.mean(change**2))) for name, change in changes.items()},
        "rmse": _errors(network, seen, galaxies.labels),
        "rmse_of_torch": _errors(network, expected, galaxies.labels),
        "tolerance": None if content["int8"] else TOLERANCE,
        "of": "answers; quantities in units of their range",
    }


def _errors(network: Model, inferences: list[Inference], labels: pd.DataFrame) -> dict[str, float]:
    """The root mean square error of fractions and quantities against what is known of the galaxies, by schema."""
    answers = _joined([{name: values.numpy() for name, values in one.answers.items()} for one in inferences])
    found = {}
    for schema in network.schemas:
        if not isinstance(schema, ClassSchema) and set(schema.columns) & set(labels.columns):
            low, high = schema.limits.T
            errors = (answers[schema.name] - network.head(schema.name).targets(labels, "the pack")) / (high - low)
            found[schema.name] = float(np.sqrt(np.nanmean(errors**2)))
    return {name: error for name, error in found.items() if np.isfinite(error)}


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _inferences(network: Model, pixels: np.ndarray, advance: Any) -> Iterator[Inference]:
    for part in np.array_split(pixels, -(-len(pixels) // network.spec.geometry.at_once(CPU_BATCH))):
        yield network.infer(torch.from_numpy(part))
        advance(len(part))
