"""The section of a study: the best run first, all on one scale, seeds before any difference, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuningfork.evaluation.text import in_words, interval, lower_is_better, number
from tuningfork.manifests import EvaluationManifest
from tuningfork.report.blocks import Block, Card, Dot, Dots, Note, Picture, Pictures, Section, Summary, Table
from tuningfork.report.evaluation import first_galaxies
from tuningfork.report.pictures import file_uri
from tuningfork.report.provenance import provenance
from tuningfork.report.summary import ASKED, BREAKS, GOOD, SURE, evaluation_summary

ONE_SEED = (
    "Each run was trained with one seed, and another seed moves its figures, too: no run is said to be better. "
    "Repeat the study with --seeds 3."
)
FLATTERED = "The best epoch of each run was chosen on these galaxies: the figures flatter a little."

Name = tuple[str, str]  # a schema, and a figure of it


def study_section(folder: Path, manifest: dict[str, Any]) -> Section:
    """Galaxies, summary, every run on one scale, seeds, differences; then figures, curves and how runs were made."""
    runs = manifest["runs"]
    done = [run for run in runs if any(entry["value"] is not None for entry in run.get("figures") or [])]
    blocks: list[Block] = []
    worst = ""
    if done:
        best = _ordered(manifest, _main(done))[0][0]
        evaluation = _evaluation(folder, done, best)
        if (evaluation / EvaluationManifest.NAME).is_file():
            content = EvaluationManifest.read(evaluation).content
            blocks += first_galaxies(evaluation, content)
            worst = evaluation_summary(content).cards[-1].answer
        blocks += [_summary(manifest, done, (best, worst)), *_charts(manifest, done)]
    several = manifest.get("seeds", 1) > 1
    if done and several:
        blocks += [_seeds(manifest, done), *_seed_differences(manifest, done)]
    elif len(done) > 1:
        blocks += [Note(ONE_SEED, warning=True), *_differences(done)]
    if manifest["split"] == "val":
        blocks.append(Note(FLATTERED))
    blocks += [Note(f"{_named(run, manifest)} failed: {run['error']}", warning=True) for run in runs if "error" in run]
    if done:
        blocks += [_figures(done, manifest), _made(done, manifest)]
        said = "Each run on its training images, as its augmentation made them, and on the validation split."
        shown = [name for name in manifest["plots"] if name.startswith("curves")]
        pictures = [Picture(file_uri(folder / name), said, wide=True) for name in shown]
        blocks.append(Pictures(pictures, "Training curves", folded=True))
    blocks.append(provenance(manifest))
    return Section("Study", folder.name, manifest["title"], blocks)


def _named(run: dict[str, Any], manifest: dict[str, Any]) -> str:
    return f"{run['label']}, seed {run['seed']}" if manifest.get("seeds", 1) > 1 else str(run["label"])


def _names(runs: list[dict[str, Any]]) -> list[Name]:
    """The figures of a study, each (schema, name), in the order of the runs that have them."""
    named = dict.fromkeys((entry["schema"], entry["figure"]) for run in runs for entry in run["figures"])
    return [name for name in named if not name[1].startswith(("baseline", "tree")) and not name[1].endswith("complete")]


def _find(entries: list[dict[str, Any]], name: Name) -> dict[str, Any] | None:
    return next((entry for entry in entries if (entry["schema"], entry["figure"]) == name), None)


def _main(done: list[dict[str, Any]]) -> Name:
    """The figure that the best run is the best in: the first that a run has."""
    known = [entry for run in done for entry in run["figures"] if entry["value"] is not None]
    named = [(entry["schema"], entry["figure"]) for entry in known]
    return next((name for name in _names(done) if name in named), named[0])


def _ordered(manifest: dict[str, Any], name: Name) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each run with its trainings' entries of a figure, the best mean first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in manifest["runs"]:
        entry = _find(run.get("figures", []), name)
        if entry is not None and entry["value"] is not None:
            found.setdefault(run["label"], []).append(entry)
    sign = 1 if lower_is_better(name[1]) else -1
    return sorted(found.items(), key=lambda item: sign * _mean(item[1]))


def _mean(entries: list[dict[str, Any]]) -> float:
    return float(sum(entry["value"] for entry in entries) / len(entries))


def _evaluation(folder: Path, done: list[dict[str, Any]], best: str) -> Path:
    """Where the evaluation of the best run is, if it is still there."""
    run = next(run for run in done if run["label"] == best)
    return folder / "evaluations" / str(run.get("folder", ""))


def _summary(manifest: dict[str, Any], done: list[dict[str, Any]], found: tuple[str, str]) -> Summary:
    """`found` is the best run, and where it breaks, in words."""
    best, worst = found
    runs, seeds, name = manifest["runs"], manifest.get("seeds", 1), _main(done)
    labels = list(dict.fromkeys(run["label"] for run in runs))
    rows = " and ".join([f"{manifest['split']} split", *manifest["rows"]])
    ordered = _ordered(manifest, name)
    entries = dict(ordered)[best]
    asked = [f"{seeds} seeds each" if seeds > 1 else "one seed each", f"{rows} of {manifest['pack']}"]
    asked += [f"{entries[0]['n']:,} galaxies"] + ([f"source: {manifest['source']}"] if manifest["source"] else [])
    good = [f"{in_words(name[1])} {_mean(entries):.4f} ({name[0]})"]
    last, _ = ordered[-1]
    good += [f"the last, {last}: {_mean(dict(ordered)[last]):.4f}"] if last != best else []
    over = _find_over(manifest, best, name)
    spread = over.get("spread") if over else None
    if spread is None:
        sure = ("not over seeds", ["one seed each: no difference is claimed"])
    else:
        sure = (f"± {spread:.4f} over seeds", [f"standard deviation of {seeds} trainings of the best run"])
    if entries[0]["interval"]:
        sure[1].append(f"over galaxies, 95 %: {interval(entries[0])}")
    failed = [_named(run, manifest) for run in runs if "error" in run]
    breaks = (f"{len(failed)} of {len(runs)} trainings failed", failed) if failed else ("every training finished", [])
    return Summary(
        [
            Card(ASKED, f"{len(labels)} runs", asked),
            Card(GOOD, f"best: {best}", good),
            Card(SURE, *sure),
            Card(
                BREAKS,
                breaks[0],
                [*breaks[1], *([f"the best run: {worst}"] if worst else []), *_verdict(manifest, name)],
            ),
        ]
    )


def _find_over(manifest: dict[str, Any], label: str, name: Name) -> dict[str, Any] | None:
    entries = [entry for entry in manifest.get("over_seeds", []) if entry["label"] == label]
    return _find(entries, name)


def _verdict(manifest: dict[str, Any], name: Name) -> Iterator[str]:
    """How many runs differ from the first by more than their seeds do."""
    entries = [e for e in manifest.get("over_seeds", []) if (e["schema"], e["figure"]) == name and e["interval"]]
    if entries:
        differ = sum(not entry["interval"][0] <= 0 <= entry["interval"][1] for entry in entries)
        yield f"{differ} of {len(entries)} runs differ from the first by more than seeds do"


def _charts(manifest: dict[str, Any], done: list[dict[str, Any]]) -> Iterator[Dots]:
    """Every run on one scale, for the first figure of each schema."""
    mains: dict[str, Name] = {}
    for name in _names(done):
        mains.setdefault(name[0], name)
    several = manifest.get("seeds", 1) > 1
    for name in mains.values():
        dots = [
            Dot(
                label,
                _mean(entries),
                f"{_mean(entries):.4f}" + ("" if several else f", n = {entries[0]['n']:,}"),
                _over_galaxies(entries),
                [entry["value"] for entry in entries] if several else (),
            )
            for label, entries in _ordered(manifest, name)
        ]
        better = "lower" if lower_is_better(name[1]) else "higher"
        note = "Best first. Bar: the 95 % interval over galaxies" + (
            ", at the mean of the seeds, which are the small dots." if several else "."
        )
        if dots:
            yield Dots(f"{in_words(name[1])} of {name[0]} ({better} is better)", dots, note)


def _over_galaxies(entries: list[dict[str, Any]]) -> list[float] | None:
    """The interval over galaxies of the mean of the trainings: the mean of theirs."""
    ends = [entry["interval"] for entry in entries if entry["interval"]]
    return [sum(end) / len(ends) for end in zip(*ends, strict=True)] if ends else None


def _seeds(manifest: dict[str, Any], done: list[dict[str, Any]]) -> Table:
    """Means over the seeds, and how far they spread, the best run first."""
    names, order = _names(done), [label for label, _ in _ordered(manifest, _main(done))]
    header = ["run", "seeds", *(f"{in_words(figure)}\n{schema}" for schema, figure in names)]
    rows = []
    for label in order:
        over = [_find_over(manifest, label, name) for name in names]
        cells = [
            "–"
            if e is None
            else f"{number(e['mean'])}\n" + ("one seed" if e["spread"] is None else f"± {number(e['spread'])}")
            for e in over
        ]
        rows.append([label, str(max((len(e["values"]) for e in over if e), default=0)), *cells])
    note = "The mean over the seeds; below it their standard deviation."
    return Table("Means and spreads over the seeds", header, rows, note=note)


def _with_spread(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "–"
    return f"{number(entry['mean'])}\n" + ("one seed" if entry["spread"] is None else f"± {number(entry['spread'])}")


def _seed_differences(manifest: dict[str, Any], done: list[dict[str, Any]]) -> Iterator[Table]:
    """The difference of each run's mean from the first's, with its interval over seeds, and what it shows."""
    names, first = _names(done), done[0]["label"]
    rows = []
    for label in list(dict.fromkeys(run["label"] for run in done))[1:]:
        cells = []
        for name in names:
            entry = _find_over(manifest, label, name)
            if entry is None or entry["interval"] is None:
                cells.append("–")
                continue
            low, high = entry["interval"]
            shown = "not shown" if low <= 0 <= high else ("lower" if high < 0 else "higher")
            cells.append(f"{number(entry['difference'])}, {shown}\n{number(low)} to {number(high)}")
        rows.append([label, *cells])
    if rows:
        header = ["run", *(f"{in_words(figure)}\n{schema}" for schema, figure in names)]
        note = "Of the means over seeds, with the 95 % interval over seeds (Welch); one that holds 0 shows nothing."
        yield Table(f"Difference from “{first}”", header, rows, note=note)


def _differences(runs: list[dict[str, Any]]) -> Iterator[Table]:
    """Of single trainings, on the same galaxies."""
    compared = [run for run in runs if run.get("differences")]
    if compared:
        shown = {(entry["schema"], entry["figure"]) for run in compared for entry in run["differences"]}
        names = [name for name in _names(runs) if name in shown]
        header = ["run", *(f"{in_words(figure)}\n{schema}" for schema, figure in names)]
        rows = [[run["label"], *(_cell(_find(run["differences"], name)) for name in names)] for run in compared]
        note = "The same galaxies are drawn for both. An interval without 0 may still be the seed's doing."
        yield Table(f"Difference from “{runs[0]['label']}”, one seed each", header, rows, note=note, folded=True)


def _figures(runs: list[dict[str, Any]], manifest: dict[str, Any]) -> Table:
    """All figures of each training, the best run first."""
    names = _names(runs)
    order = [label for label, _ in _ordered(manifest, _main(runs))]
    header = ["run", "reported", *(f"{in_words(figure)}\n{schema}" for schema, figure in names)]
    rows = []
    for run in sorted(runs, key=lambda run: order.index(run["label"]) if run["label"] in order else len(order)):
        reported = "\n".join(f"{entry['figure']} {entry['value']:g}\n{entry['on']}" for entry in run["reported"])
        cells = (_cell(_find(run["figures"], name)) for name in names)
        rows.append([_named(run, manifest), reported or "–", *cells])
    return Table(
        "All figures", header, rows, texts=2, note="With 95 % intervals over galaxies (bootstrap).", folded=True
    )


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    return f"{number(figure['value'])}\n{interval(figure)}, n = {figure['n']:,}"


def _made(runs: list[dict[str, Any]], manifest: dict[str, Any]) -> Table:
    header = ("run", "recipe", "galaxies", "parameters", "rate", "batch", "epochs", "best", "time", "device")
    rows = [
        (
            _named(run, manifest),
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
