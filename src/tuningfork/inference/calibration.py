"""How sure a model is, measured on labelled galaxies that it was not trained on, and kept in its folder."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuningfork.engines import leave_device, use_torch
from tuningfork.errors import ModelError, PackError
from tuningfork.evaluation.votes import label_votes
from tuningfork.inference.expected_errors import Truth, expected_errors
from tuningfork.jobs import Inputs, Job, within
from tuningfork.models import Model, bundled_models, learned_from, load_uncalibrated, model_folder, read_manifest, seal
from tuningfork.models.folder import FILES, UNCERTAINTY
from tuningfork.models.views import check_views
from tuningfork.packs import Pack, PackSource, open_pack
from tuningfork.progress import progress_bar
from tuningfork.schemas import ClassSchema, TreeSchema
from tuningfork.uncertainty import (
    FEWEST,
    Mahalanobis,
    Regression,
    Uncertainty,
    fit_flag,
    fit_intervals,
    sample_framings,
    sample_renderings,
    write_uncertainty,
)

log = logging.getLogger(__name__)

BATCH = 128
ENOUGH = 4000  # galaxies that the flag is fitted to, at most


def calibrate(
    model: str | Path,
    pack: str | Path,
    *,
    split: str = "val",
    where: Sequence[str] = (),
    tta: int = 8,
    overwrite: bool = False,
) -> Path:
    """Measure how sure a model is on one split of a pack, and write it into the model's folder.

    What is written holds for predictions averaged over `tta` views (1, 2, 4 or 8 exact views; 16 or 32 with those
    between them), which `predict` then uses:
    an interval for every fraction and quantity, the temperature of class probabilities (Guo et al. 2017,
    arXiv:1706.04599, section 4.2), how unlike an image must be for a flag, and how wrong the fractions of an image are
    likely to be, also where it is disturbed. Intervals hold for galaxies like those
    they were fitted to: calibrate on galaxies of your own survey and they are those of your survey. `where` narrows
    what they are fitted to, as ``column=value``, for a split in which easy galaxies were chosen, say. What was measured
    on other galaxies is replaced only with `overwrite`.

    Raises
    ------
    ModelError, PackError
        If either can't be opened, their geometries differ, the split has too few galaxies, another run is at work on
        the model, it has been calibrated on other galaxies and `overwrite` is not set, or it is one of the package's
        own, whose folder is not yours to write.
    """
    check_views(tta)
    folder, data = model_folder(model), open_pack(pack)
    if folder.resolve() in [model_folder(name).resolve() for name in bundled_models()]:
        copy = f"cp -r {shlex.quote(str(folder.resolve()))} mine"
        raise ModelError(
            f"{str(model)!r} is the package's own; copy its folder, `{copy}`, and calibrate the copy, mine, with "
            "--overwrite"
        )
    earlier = read_manifest(folder).get("calibration")  # raises where it is no model
    if earlier and not overwrite and earlier != _record(data, split, where, tta) | {"n": earlier.get("n")}:
        raise ModelError(
            f"{folder} has been calibrated, on {earlier.get('split')} of {earlier.get('pack')}; calibrate a copy, or "
            "replace what was measured with --overwrite"
        )
    job = Job(Inputs("calibrate", 1, {}), folder, within(folder), error=ModelError)
    with job.run():
        _calibrate(folder, data, split=split, where=where, tta=tta)
        job.finish()
    return folder


def _calibrate(folder: Path, data: Pack, *, split: str, where: Sequence[str], tta: int) -> None:
    network = load_uncalibrated(folder)
    rows, chosen = data.rows(split), data.rows(split, where)
    if len(chosen) < FEWEST:
        raise PackError(
            f"{data.path} has {len(chosen)} galaxies in its {' and '.join([f'{split} split', *where])}; "
            f"{FEWEST} are needed at the least"
        )
    data = PackSource(data, network.spec.geometry, located=network.spec.located).pack
    manifest = read_manifest(folder)
    trained_on = [each.sha256 for each in learned_from(folder) if each.how == "trained on"]
    if data.manifest["sha256"] in trained_on and split in ("train", "all"):
        log.warning("the model was trained on galaxies of this split: its intervals will be too narrow")
    uncertainty = fit_uncertainty(network, data, rows, np.isin(rows, chosen), tta)
    # At no moment does the manifest speak of a file that is not the one beside it.
    seal(folder, manifest, files=[name for name in FILES if name != UNCERTAINTY])
    write_uncertainty(uncertainty, folder / UNCERTAINTY)
    manifest["calibration"] = _record(data, split, where, tta) | {"n": len(chosen)}
    seal(folder, manifest)


def _record(data: Pack, split: str, where: Sequence[str], tta: int) -> dict[str, Any]:
    """What fixes a calibration of a model, as its manifest has it."""
    return {
        "pack": data.path.name,
        "sha256": data.manifest["sha256"],
        "split": split,
        "rows": list(where),
        "views": tta,
    }


def fit_uncertainty(network: Model, pack: Pack, rows: np.ndarray, chosen: np.ndarray, views: int) -> Uncertainty:
    """The uncertainty of a network, from the labels of rows (N,) of a pack.

    What is said of the errors of trees and quantities is fitted to the `chosen`, (N,) bool, of them.
    """
    features, raw = _outputs(network, pack, rows, views)
    labels = pack.catalog.iloc[rows].reset_index(drop=True)
    temperatures, intervals, trees = {}, {}, {}
    for schema in network.schemas:
        targets = network.head(schema.name).targets(labels, str(pack.path))
        if isinstance(schema, ClassSchema):
            temperatures[schema.name] = _temperature(network, schema.name, raw[schema.name], targets[:, 0])
        else:
            answers = _joint_answers(network, schema.name, raw[schema.name], 1.0)
            observed = targets
            if isinstance(schema, TreeSchema):
                observed = trees[schema.name] = label_votes(labels, schema).fractions
            intervals[schema.name] = fit_intervals(
                answers[chosen].astype(np.float64), observed[chosen].astype(np.float64)
            )
    known = Uncertainty(views, temperatures, intervals, *flag_of(network, pack, rows, features))
    truth = {name: Truth(observed[chosen]) for name, observed in trees.items()}
    return replace(known, expected=expected_errors(network, pack, rows[chosen], truth, known))


def flag_of(
    network: Model, pack: Pack, rows: np.ndarray, features: np.ndarray
) -> tuple[Mahalanobis, Regression, Regression, float]:
    """What the flag is made of, to whose images of a pack are usual, and the share of their side that is looked at.

    `features` (N, F) are those of the network for the N rows; labels are not needed.
    """
    share = network.spec.trained.looked
    some = np.linspace(0, len(rows) - 1, min(len(rows), ENOUGH)).astype(int)
    device = use_torch(network)

    def seen(images: np.ndarray) -> np.ndarray:
        return network.seen(torch.from_numpy(images).to(device))

    renderings = sample_renderings(pack.pixels, rows[some], share, seen)
    framings = sample_framings(pack.pixels, rows[some], seen)
    leave_device(network)
    return (*fit_flag(features[some], renderings, framings), share)


def _outputs(network: Model, pack: Pack, rows: np.ndarray, views: int) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """Features (N, F), and the raw outputs of each head, (S, N, K), for every member and view."""
    device = use_torch(network)
    features: list[torch.Tensor] = []
    raw: dict[str, list[torch.Tensor]] = {schema.name: [] for schema in network.schemas}
    with torch.inference_mode(), progress_bar("calibrate", len(rows)) as advance:
        for part in np.array_split(rows, -(-len(rows) // BATCH)):
            seen, outputs = network.outputs_of_views(torch.from_numpy(pack.pixels[part]).to(device), views)
            features.append(seen.cpu())
            for name, values in outputs.items():
                raw[name].append(values.cpu())
            advance(len(part))
    leave_device(network)
    return torch.cat(features).numpy(), {name: torch.cat(parts, dim=1) for name, parts in raw.items()}


def _joint_answers(network: Model, name: str, raw: torch.Tensor, temperature: float) -> np.ndarray:
    with torch.inference_mode():
        return network.head(name).joint_answers(raw / temperature).numpy()


def _temperature(network: Model, name: str, raw: torch.Tensor, truth: np.ndarray) -> float:
    """The temperature of least log-loss, (1) where too few galaxies have a class to tell."""
    from scipy.optimize import minimize_scalar  # a quarter of a second that predictions need not wait for

    known = np.flatnonzero(~np.isnan(truth))
    if len(known) < FEWEST:
        return 1.0
    classes, outputs = truth[known].astype(int), raw[:, torch.from_numpy(known)]

    def log_loss(log_temperature: float) -> float:
        answers = _joint_answers(network, name, outputs, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(answers[np.arange(len(classes)), classes], 1e-12)).mean())

    found = minimize_scalar(log_loss, bounds=(-1.6, 1.6), method="bounded")  # a factor of five either way
    return float(np.exp(found.x))
