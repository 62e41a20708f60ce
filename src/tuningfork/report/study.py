"""The section of a study: every run in one table, what it differs by from the first, and the curves on one chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuningfork.evaluation.text import in_words, interval, number
from tuningfork.report.blocks import Block, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.pictures import file_uri
from tuningfork.report.provenance import provenance


def study_section(folder: Path, manifest: dict[str, Any]) -> Section:
    """Outcomes, differences from the first run, curves, then how each run was made."""
    runs = manifest["runs"]
    done = [run for run in runs if "figures" in run]
    rows = " and ".join([f"{manifest['split']} split", *manifest["rows"]])
    facts = [("Measured on", f"{rows} of {manifest['pack']}"), ("Runs", f"{len(done)} of {len(runs)} finished")]
    blocks: list[Block] = [Facts([*facts, *([("Source", manifest["source"])] if manifest["source"] else [])])]
    if manifest["split"] == "val":
        blocks.append(Note("The best epoch of each run was chosen on these galaxies: the figures flatter a little."))
    blocks += [Note(f"{run['label']} failed: {run['error']}", warning=True) for run in runs if "error" in run]
    if done:
        blocks += [_figures(done), *_differences(done), _made(done)]
        said = "Each run on its training images, as its augmentation made them, and on the validation split."
        pictures = [Picture(file_uri(folder / name), said, wide=True) for name in manifest["plots"]]
        blocks.append(Pictures(pictures, "Training curves"))
    blocks.append(provenance(manifest))
    return Section("Study", folder.name, manifest["title"], blocks)


def _names(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The figures of a study, each (schema, name), in the order of the runs that have them."""
    named = dict.fromkeys((entry["schema"], entry["figure"]) for run in runs for entry in run["figures"])
    return [name for name in named if not name[1].startswith(("baseline", "tree")) and not name[1].endswith("complete")]


def _find(entries: list[dict[str, Any]], name: tuple[str, str]) -> dict[str, Any] | None:
    return next((entry for entry in entries if (entry["schema"], entry["figure"]) == name), None)


def _figures(runs: list[dict[str, Any]]) -> Table:
    names = _names(runs)
    header = ["run", "reported", *(f"{in_words(figure)}\n{schema}" for schema, figure in names)]
    rows = []
    for run in runs:
        reported = "\n".join(f"{entry['figure']} {entry['value']:g}\n{entry['on']}" for entry in run["reported"])
        rows.append([run["label"], reported or "–", *(_cell(_find(run["figures"], name)) for name in names)])
    return Table("Figures", header, rows, texts=2, note="With 95 % intervals (bootstrap over galaxies).")


def _differences(runs: list[dict[str, Any]]) -> Iterator[Table]:
    compared = [run for run in runs if run.get("differences")]
    if compared:
        shown = {(entry["schema"], entry["figure"]) for run in compared for entry in run["differences"]}
        names = [name for name in _names(runs) if name in shown]
        header = ["run", *(f"{in_words(figure)}\n{schema}" for schema, figure in names)]
        rows = [[run["label"], *(_cell(_find(run["differences"], name)) for name in names)] for run in compared]
        note = "The same galaxies are drawn for both: an interval without 0 is a difference that these galaxies show."
        yield Table(f"Difference from “{runs[0]['label']}”", header, rows, note=note)


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    return f"{number(figure['value'])}\n{interval(figure)}, n = {figure['n']:,}"


def _made(runs: list[dict[str, Any]]) -> Table:
    header = ("run", "recipe", "galaxies", "parameters", "rate", "batch", "epochs", "best", "time", "device")
    rows = [
        (
            run["label"],
            "\n".join([run["recipe"], *run["changes"]]),
            f"{run['galaxies']:,}",
            f"{run['parameters']:,}",
            f"{run['lr']:g}",
            str(run["batch_size"]),
            str(run["epochs"]),
            str(run["best_epoch"]),
            f"{run['seconds'] / 60:.1f} min",
            run["device"],
        )
        for run in runs
    ]
    return Table("How they were trained", header, rows, texts=2, folded=True)
