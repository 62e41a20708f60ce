"""A model's figures on a pack."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuningfork.errors import PackError, SchemaError
from tuningfork.evaluation import Evaluation, evaluate_predictions
from tuningfork.evaluation.place import PLOTS, Place
from tuningfork.inference.streaming import predict_pack
from tuningfork.manifests import EvaluationManifest
from tuningfork.models import learned_from, read_manifest, share_seen
from tuningfork.packs import Pack, open_pack
from tuningfork.plotting.style import check_format
from tuningfork.schemas import Schema, schema_from_dict

log = logging.getLogger(__name__)

N_BOOTSTRAP = 1000


@dataclass(frozen=True)
class _Measurement:
    """What is to be measured: a model on rows of a pack, by schemas that both know; `origin` names the rows.

    The model looks at the share `looked` of the side of the pack's squares.
    """

    model: str | Path
    pack: Pack
    rows: np.ndarray
    schemas: tuple[Schema, ...]
    origin: str
    inputs: dict[str, Any]
    looked: float


def evaluate_model(
    model: str | Path,
    pack: str | Path | Pack,
    *,
    split: str = "test",
    where: Sequence[str] = (),
    seed: int = 0,
    n_bootstrap: int = N_BOOTSTRAP,
) -> Evaluation:
    """Predict for one split of a pack, and evaluate against its labels.

    Parameters
    ----------
    model
        A model folder, or the name of a bundled model.
    pack
        A pack, or its folder.
    split
        ``train``, ``val``, ``test`` or ``all``.
    where
        Narrows the split to rows that have these values, each written ``column=value`` or ``column=one|other``.
    seed, n_bootstrap
        Of the resamples behind the 95 % intervals.

    Raises
    ------
    ModelError, PackError
        If either can't be opened, the split is empty, or their geometries differ.
    SchemaError
        If the pack has labels for none of the schemas that the model answers.
    """
    return _measured(_measurement(model, pack, split, where), seed, n_bootstrap)


def evaluate_into(
    model: str | Path,
    pack: str | Path | Pack,
    out: str | Path,
    *,
    split: str = "test",
    where: Sequence[str] = (),
    seed: int = 0,
    plots: str = "png",
    overwrite: bool = False,
) -> Path:
    """As `evaluate_model`, written to the folder `out`, which is looked at before any work; `plots` as of `Evaluation`.

    Raises
    ------
    ModelError, PackError, SchemaError
        As `evaluate_model`.
    OutputError
        If `out` can't be written, or holds another evaluation and `overwrite` is not set; if `plots` is no format.
    """
    check_format(plots)
    what = _measurement(model, pack, split, where)
    asked = {"where": what.origin, "inputs": what.inputs, "seed": seed, "n_bootstrap": N_BOOTSTRAP, PLOTS: plots}
    if not Place(EvaluationManifest, Path(out), asked, overwrite).finished():
        _measured(what, seed, N_BOOTSTRAP).save(out, plots=plots, overwrite=overwrite)
    return Path(out)


def _measurement(model: str | Path, pack: str | Path | Pack, split: str, where: Sequence[str]) -> _Measurement:
    manifest = read_manifest(model)
    if not isinstance(pack, Pack) and Path(pack).is_file():
        raise PackError(f"{pack} is no pack; a model is evaluated on one: make it with `tuningfork pack`")
    data = pack if isinstance(pack, Pack) else open_pack(pack)
    rows, chosen = data.rows(split, where), " and ".join([f"{split} split", *where])
    if len(rows) == 0:
        raise PackError(f"{data.path} has no galaxies in its {chosen}")
    held = {schema.name: schema for schema in data.schemas}  # they know most of the labels
    answered = [schema_from_dict(head["schema"], "model.json") for head in manifest["heads"]]
    answered = [held.get(schema.name, schema) for schema in answered]
    schemas = tuple(schema for schema in answered if set(schema.columns) & set(data.catalog.columns))
    if not schemas:
        names = ", ".join(schema.name for schema in answered)
        raise SchemaError(f"{data.path} has no labels for what the model answers ({names}); pack again with --schema")
    inputs = {"model": manifest["sha256"], "pack": data.manifest["sha256"], "split": split, "rows": list(where)}
    origin = f"{chosen} of {data.path.name}"
    if known := _known_already(model, data, rows):
        log.warning("%s: %s; its figures flatter", origin, known)
        origin += f" ({known})"
    return _Measurement(model, data, rows, schemas, origin, inputs, share_seen(manifest))


def _known_already(model: str | Path, data: Pack, rows: np.ndarray) -> str:
    """What the model has learned of these rows of a pack before, in words; empty where it is nothing."""
    known = [
        learned.how
        for learned in learned_from(model)
        if learned.sha256 == data.manifest["sha256"] and np.isin(rows, data.rows(learned.split, learned.rows)).any()
    ]
    return f"the model was {' and '.join(dict.fromkeys(known))} some of these galaxies" if known else ""


def _measured(what: _Measurement, seed: int, n_bootstrap: int) -> Evaluation:
    predictions = predict_pack(what.model, what.pack, what.rows)
    labels = what.pack.catalog.iloc[what.rows].reset_index(drop=True)
    evaluation = evaluate_predictions(
        predictions,
        labels,
        what.schemas,
        origin=what.origin,
        inputs=what.inputs,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    row_of = dict(zip(labels["id_str"], what.rows, strict=True))

    def pixels(id_str: str) -> np.ndarray:
        return _seen(what.pack.pixels[row_of[id_str]], what.looked)

    return Evaluation(evaluation, predictions, labels, what.schemas, pixels)


def _seen(pixels: np.ndarray, looked: float) -> np.ndarray:
    """The middle of a galaxy's pixels (H, W, C), of which the model looks at the share `looked` of the side."""
    side = max(1, round(looked * len(pixels)))
    start = (len(pixels) - side) // 2
    return np.asarray(pixels[start : start + side, start : start + side])
