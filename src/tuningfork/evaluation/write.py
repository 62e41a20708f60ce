"""The evaluation folder: plots and evaluated rows first, `evaluation.json` last. No manifest, no evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.errors import PredictionsError
from tuningfork.evaluation.draw import Pixels, draw
from tuningfork.evaluation.tables import join
from tuningfork.files import output_errors, read_json, sha256, stamp, whole_file, write_json
from tuningfork.plotting.style import save, styled
from tuningfork.schemas import Schema

FORMAT = "tuningfork-evaluation"
VERSION = 1
MANIFEST = "evaluation.json"


def write_evaluation(
    out: Path,
    evaluation: dict[str, Any],
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    schemas: Sequence[Schema],
    pixels: Pixels | None = None,
) -> Path:
    """Write what `evaluate_predictions` found into the folder `out`, from the same tables and schemas; returns `out`.

    `pixels` gives the picture of a galaxy by its id, (H, W, C) uint8; with it the galaxies of largest loss are drawn.

    Raises
    ------
    OutputError
        If the folder can't be written.
    """
    kept, known, _ = join(predictions, labels, schemas, evaluation["where"])
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / MANIFEST).unlink(missing_ok=True)  # the old one must not speak for new plots
    captions = {}
    with styled():
        for plot in draw(evaluation, kept, known, schemas, pixels):
            save(plot.figure, out / plot.name)
            captions[plot.name] = plot.caption
    with whole_file(out / "predictions.parquet") as temporary:
        kept.to_parquet(temporary, index=False)
    manifest = {
        **stamp(FORMAT, VERSION),
        **evaluation,
        "plots": list(captions),
        "captions": captions,
        "sha256": {name: sha256(out / name) for name in (*captions, "predictions.parquet")},
    }
    write_json(out / MANIFEST, manifest)
    return out


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The manifest of an evaluation folder.

    Raises
    ------
    PredictionsError
        If there is none, or it is not an evaluation's, or of a version this software can't read.
    """
    path = folder / MANIFEST
    manifest: dict[str, Any] = read_json(path, PredictionsError)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise PredictionsError(f"{path} is not the manifest of an evaluation")
    if manifest.get("version") != VERSION:
        raise PredictionsError(
            f"{path} has format version {manifest.get('version')}; this software reads {VERSION}: update it"
        )
    return manifest
