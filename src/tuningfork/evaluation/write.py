"""The evaluation folder: plots and evaluated rows first, `evaluation.json` last. No manifest, no evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.evaluation.draw import Pixels, draw
from tuningfork.evaluation.examples import STRIP, examples, write_strip
from tuningfork.evaluation.place import PLOTS, Place
from tuningfork.evaluation.tables import join
from tuningfork.files import whole_file
from tuningfork.manifests import EvaluationManifest
from tuningfork.plotting.style import check_format, save, styled
from tuningfork.schemas import Schema


def write_evaluation(
    out: Path,
    evaluation: dict[str, Any],
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    schemas: Sequence[Schema],
    pixels: Pixels | None = None,
    *,
    plots: str = "png",
    overwrite: bool = False,
) -> Path:
    """Write what `evaluate_predictions` found into the folder `out`, from the same tables and schemas; returns `out`.

    `pixels` gives the picture of a galaxy by its id, (H, W, C) uint8; with it the galaxies of largest loss are drawn.
    Plots are PNG; `plots` may ask for ``pdf`` or ``svg`` beside it.
    Where the folder holds this evaluation already, nothing is done.

    Raises
    ------
    OutputError
        If the folder can't be written, or holds another evaluation, or files of these names, and `overwrite` is not
        set.
    """
    check_format(plots)
    asked = evaluation | {PLOTS: plots}
    kept, known, _ = join(predictions, labels, schemas, evaluation["where"])

    def make(making: Path) -> None:
        captions, files = {}, ["predictions.parquet"]
        with styled():
            for plot in draw(evaluation, kept, known, schemas, pixels):
                files += save(plot.figure, making / plot.name, plots)
                captions[plot.name] = plot.caption
        galaxies = examples(kept, known, schemas, evaluation) if pixels is not None else []
        if pixels is not None and galaxies:
            write_strip(galaxies, pixels, making / STRIP)
            files.append(STRIP)
        with whole_file(making / "predictions.parquet") as temporary:
            kept.to_parquet(temporary, index=False)
        content = asked | {"plots": list(captions), "captions": captions, "galaxies": galaxies}
        EvaluationManifest.write(making, content, files)

    Place(EvaluationManifest, out, asked, overwrite).write(make)
    return out


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The manifest of an evaluation folder.

    Raises
    ------
    PredictionsError
        If there is none, or it is not an evaluation's, or of a version this software can't read.
    """
    return EvaluationManifest.read(folder).content
