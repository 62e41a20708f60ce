"""Train and evaluate every run of a study, then compare them; one that fails is a row with its error."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.errors import PackError, TuningforkError
from tuningfork.evaluation import main_figures, paired_difference, read_evaluation
from tuningfork.files import write_text
from tuningfork.inference import evaluate_into
from tuningfork.manifests import StudyManifest
from tuningfork.models import read_manifest
from tuningfork.packs import Pack, open_pack
from tuningfork.report import write_report
from tuningfork.study.curves import draw_curves
from tuningfork.study.study import Rows, Study, study_job
from tuningfork.training import fingerprint, prepare, resolve, train

log = logging.getLogger(__name__)


def run_study(
    study: Study,
    pack: str | Path,
    out: str | Path,
    *,
    changes: Sequence[str] = (),
    split: str = "val",
    where: Sequence[str] = (),
) -> Path:
    """Run a study on a pack and write the comparison to the folder `out`.

    Each run has its model in `models`, its evaluation in `evaluations`; beside them lie `comparison.csv`, the curves,
    `study.json` and `report.html`. The same call on a killed study goes on where it stopped.

    Parameters
    ----------
    study : Study
        Of `load_study`.
    pack : str or path
        Labelled galaxies, packed.
    out : str or path
        The folder to write.
    changes : sequence of str
        Changes to every recipe, after the run's own, such as ``optim.epochs=5``.
    split : {'val', 'test', 'train', 'all'}
        The split to evaluate on. Figures on val flatter, for the epoch was chosen there; one looks at test to report,
        never to choose.
    where : sequence of str
        Of it the rows that have these values, each written ``column=value``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RecipeError, PackError, CatalogError
        If a recipe can't be used with this pack, or there is nothing to evaluate on; nothing has been trained then. A
        run that fails later is a row with its error.
    OutputError
        If `out` holds something else, or the study of other recipes or another pack.
    """
    folder, recipes, data = Path(out), study.recipes(changes), open_pack(pack)
    given = [resolve(recipe) for recipe in recipes]
    for recipe, named in zip(recipes, given, strict=True):
        prepare(recipe, data, named)
    if not len(data.rows(split, where)):
        raise PackError(f"{data.path} has no galaxies in its {' and '.join([f'{split} split', *where])}")
    runs = [fingerprint(recipe, data, named) for recipe, named in zip(recipes, given, strict=True)]
    job = study_job(runs, Rows(split, where), folder)
    job.refuse_others()
    with job.run():
        rows = []
        for index, (run, recipe) in enumerate(zip(study.run, recipes, strict=True)):
            log.info("%d of %d: %s", index + 1, len(recipes), run.label)
            row: dict[str, Any] = {"label": run.label, "recipe": run.recipe, "changes": study.changes(run, changes)}
            row["reported"] = [entry.model_dump() for entry in recipe.reported]
            name = f"{index + 1:02d}-{re.sub(r'[^a-z0-9]+', '-', run.label.lower()).strip('-')}"
            places = folder / "models" / name, folder / "evaluations" / name
            try:
                train(recipe, data.path, places[0])
                evaluate_into(places[0], data, places[1], split=split, where=where)
                row |= {"folder": name} | _outcome(*places)
            except TuningforkError as error:
                log.warning("%s failed: %s", run.label, error)
                row |= {"error": str(error)}
            rows.append(row)
        _write(study, folder, data, rows, split, where)
        job.finish()
    return folder


def _write(
    study: Study, folder: Path, data: Pack, rows: list[dict[str, Any]], split: str, where: Sequence[str]
) -> None:
    """Compare the runs, and write table, curves, manifest and report."""
    done = {row["label"]: row["folder"] for row in rows if "folder" in row}
    _compare(rows, folder, data)
    _write_comparison(folder / "comparison.csv", rows, " and ".join([split, *where]))
    histories = {label: pd.read_csv(folder / "models" / name / "history.csv") for label, name in done.items()}
    content = {
        "title": study.title,
        "source": study.source,
        "split": split,
        "rows": list(where),
        "pack": data.path.name,
        "inputs": {"pack": data.manifest["sha256"]},
        "plots": draw_curves(histories, folder) if histories else [],
        "runs": rows,
    }
    StudyManifest.write(folder, content)
    parts = [folder / kind / name for name in done.values() for kind in ("evaluations", "models")]
    write_report([folder, *parts, data.path], folder / "report.html", title=study.title, overwrite=True)


def _compare(rows: Sequence[dict[str, Any]], folder: Path, data: Pack) -> None:
    """Give each finished run its differences from the first of them, on the same galaxies."""
    done = [row for row in rows if "folder" in row]
    tables = [pd.read_parquet(folder / "evaluations" / row["folder"] / "predictions.parquet") for row in done]
    for row, table in zip(done[1:], tables[1:], strict=True):
        shared = {entry["schema"] for entry in row["figures"]} & {entry["schema"] for entry in done[0]["figures"]}
        row["differences"] = [
            {"schema": schema.name, "figure": name, **figure}
            for schema in data.schemas
            if schema.name in shared
            for name, figure in paired_difference(tables[0], table, data.catalog, schema).items()
            if not name.startswith("baseline")  # the same for both
        ]


def _outcome(model: Path, evaluation: Path) -> dict[str, Any]:
    """What a run came to: its figures on the split, its size and its time."""
    manifest = read_manifest(model)
    history = pd.read_csv(model / "history.csv")
    training = manifest["training"]
    return {
        "parameters": training["parameters"],
        "galaxies": manifest["data"]["n"]["train"],
        "lr": training["lr"],
        "batch_size": training["batch_size"],
        "epochs": len(history),
        "best_epoch": manifest["figures"]["epoch"],
        "seconds": training["seconds"],
        "device": training["device"],
        "figures": [
            {"schema": schema, "figure": name, **figure}
            for schema, name, figure in main_figures(read_evaluation(evaluation))
        ],
    }


def _write_comparison(path: Path, rows: Sequence[dict[str, Any]], split: str) -> None:
    """One line a run: what it was, each figure with its interval and number of galaxies, and its error if any."""
    text = io.StringIO()
    table = [_line(row) | {"split": split} for row in rows]
    columns = list(dict.fromkeys(key for line in table for key in line))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(path, text.getvalue())


def _line(row: dict[str, Any]) -> dict[str, Any]:
    line = {key: value for key, value in row.items() if not isinstance(value, list)}
    line["changes"] = " ".join(row["changes"])
    line["reported"] = "; ".join(f"{entry['figure']} {entry['value']:g} ({entry['on']})" for entry in row["reported"])
    for kind, text in (("figures", ""), ("differences", " minus the first's")):
        for figure in row.get(kind, []):
            name = f"{figure['schema']} {figure['figure']}{text}"
            low, high = figure["interval"] or (None, None)
            line |= {name: figure["value"], f"{name} low": low, f"{name} high": high, f"{name} n": figure["n"]}
    return line
