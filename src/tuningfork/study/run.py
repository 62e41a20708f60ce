"""Train and evaluate every run of a study, then compare them; one that fails is a row with its error."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.errors import PackError, TuningforkError
from tuningfork.evaluation import main_figures, paired_difference, read_evaluation
from tuningfork.inference import evaluate_into
from tuningfork.manifests import StudyManifest
from tuningfork.models import read_manifest
from tuningfork.packs import Pack, open_pack
from tuningfork.plotting.style import check_format
from tuningfork.report import write_report
from tuningfork.study.curves import draw_curves
from tuningfork.study.dots import draw_runs
from tuningfork.study.repeats import repeats_of
from tuningfork.study.seeds import over_seeds
from tuningfork.study.study import Rows, Study, study_job
from tuningfork.study.write import write_comparison, write_seeds
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
    seeds: int = 1,
    plots: str = "png",
) -> Path:
    """Run a study on a pack and write the comparison to the folder `out`.

    Each training has its model in `models`, its evaluation in `evaluations`; beside them lie `comparison.csv`, a line
    each, with several seeds `seeds.csv`, a line a run with means and spreads, plots, `study.json` and `report.html`.
    The same call on a killed study goes on where it stopped.

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
    seeds : int
        How many times each run is trained: with the seed of its recipe, and the ones after it.
    plots : {'png', 'pdf', 'svg'}
        Plots are PNG, which pages show; as PDF or SVG, for a paper, they lie beside it.

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
    check_format(plots)
    folder, data, repeats = Path(out), open_pack(pack), repeats_of(study, changes, seeds)
    given = [resolve(repeat.recipe) for repeat in repeats]
    for repeat, named in zip(repeats[: len(study.run)], given, strict=False):  # another seed changes nothing here
        prepare(repeat.recipe, data, named)
    if not len(data.rows(split, where)):
        raise PackError(f"{data.path} has no galaxies in its {' and '.join([f'{split} split', *where])}")
    runs = [fingerprint(repeat.recipe, data, named) for repeat, named in zip(repeats, given, strict=True)]
    job = study_job(runs, Rows(split, where), folder)
    job.refuse_others()
    with job.run():
        rows = []
        for number, repeat in enumerate(repeats, 1):
            log.info("%d of %d: %s, seed %d", number, len(repeats), repeat.label, repeat.seed)
            row, places = repeat.row(), (folder / "models" / repeat.folder, folder / "evaluations" / repeat.folder)
            try:
                train(repeat.recipe, data.path, places[0])
                # Of a model that was lost and trained again the hashes differ: the old evaluation gives way.
                evaluate_into(places[0], data, places[1], split=split, where=where, plots=plots, overwrite=True)
                row |= {"folder": repeat.folder} | _outcome(*places)
            except TuningforkError as error:
                log.warning("%s, seed %d, failed: %s", repeat.label, repeat.seed, error)
                row |= {"error": str(error)}
            rows.append((repeat.index, row))
        ordered = [row for _, row in sorted(rows, key=lambda entry: entry[0])]  # the seeds of a run stay in order
        content = {"title": study.title, "source": study.source, "split": split, "rows": list(where), "seeds": seeds}
        _write(content, folder, data, ordered, plots)
        job.finish()
    return folder


def _write(content: dict[str, Any], folder: Path, data: Pack, rows: list[dict[str, Any]], plots: str) -> None:
    """Compare the runs, and write tables, plots, manifest and report."""
    done = {row["label"]: row["folder"] for row in reversed(rows) if "folder" in row}  # of each run the first seed
    done = {row["label"]: done[row["label"]] for row in rows if row["label"] in done}
    _compare(rows, folder, data)
    summary = over_seeds(rows)
    named = " and ".join([content["split"], *content["rows"]])
    write_comparison(folder / "comparison.csv", rows, named)
    if content["seeds"] > 1:
        write_seeds(folder / "seeds.csv", summary, named)
    histories = {label: pd.read_csv(folder / "models" / name / "history.csv") for label, name in done.items()}
    names, files = draw_curves(histories, folder, plots) if histories else ([], [])
    shown, drawn = draw_runs(rows, summary, folder, plots)
    content |= {
        "pack": data.path.name,
        "inputs": {"pack": data.manifest["sha256"]},
        "plots": [*shown, *names],
        "runs": rows,
        "over_seeds": summary,
    }
    StudyManifest.write(folder, content, [*drawn, *files])
    parts = [folder / kind / name for name in done.values() for kind in ("evaluations", "models")]
    write_report([folder, *parts, data.path], folder / "report.html", title=content["title"], overwrite=True)


def _compare(rows: Sequence[dict[str, Any]], folder: Path, data: Pack) -> None:
    """Give each finished training its differences from the first run's of the same seed, on the same galaxies."""
    done = [row for row in rows if "folder" in row]
    number = {
        row.get("folder"): sum(other["label"] == row["label"] for other in rows[:place])
        for place, row in enumerate(rows)
    }
    tables = {
        row["folder"]: pd.read_parquet(folder / "evaluations" / row["folder"] / "predictions.parquet") for row in done
    }
    firsts = {number[row["folder"]]: row for row in done if row["label"] == done[0]["label"]}
    for row in done:
        first = firsts.get(number[row["folder"]])
        if first is None or first is row:
            continue
        shared = {entry["schema"] for entry in row["figures"]} & {entry["schema"] for entry in first["figures"]}
        pair = tables[first["folder"]], tables[row["folder"]]
        row["differences"] = [
            {"schema": schema.name, "figure": name, **figure}
            for schema in data.schemas
            if schema.name in shared
            for name, figure in paired_difference(*pair, data.catalog, schema).items()
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
