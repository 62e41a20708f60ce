"""The section of an evaluation: galaxies and a summary, then charts, plots, and every figure with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuningfork.evaluation.evaluate import main_figures
from tuningfork.evaluation.examples import STRIP
from tuningfork.evaluation.text import in_words, interval, number
from tuningfork.plotting.style import words
from tuningfork.report.blocks import Block, Dot, Dots, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.pictures import file_uri, strip_uris
from tuningfork.report.provenance import provenance
from tuningfork.report.summary import evaluation_summary

FIRST = 8  # galaxies that the section begins with
WRONG = 8  # of each schema
LARGE = ("-reliability.png", "-fractions.png", "-scatter.png")  # plots of many panels
COUNTS = {
    "evaluated": "Galaxies evaluated",
    "predictions": "In the predictions",
    "labels": "With labels",
    "errors": "Left out, not readable",
    "only_in_predictions": "Left out, without label",
    "only_in_labels": "Left out, without prediction",
}


def evaluation_section(folder: Path, manifest: dict[str, Any], *, brief: bool = False) -> Section:
    """Galaxies, summary, charts, plots, figures, and where they come from; a `brief` one has no plots."""
    galaxies = _galaxies(folder, manifest)
    blocks: list[Block] = [*_beginning(galaxies), evaluation_summary(manifest)]
    for name, schema in manifest["schemas"].items():
        blocks += _charts(name, schema)
        blocks += _wrong(galaxies, name)
    blocks += _plots(folder, manifest, brief=brief)
    blocks.append(_main(manifest))
    for name, schema in manifest["schemas"].items():
        blocks += _details(name, schema)
        blocks += _losses(name, schema.get("top_losses") or [])
    blocks += [_counts(manifest), provenance(manifest)]
    return Section("Evaluation", folder.name, str(manifest.get("where", "")), blocks, folded=brief)


def first_galaxies(folder: Path, manifest: dict[str, Any]) -> Iterator[Pictures]:
    """The galaxies that a section begins with: some that the model is right about, and some it is most wrong about."""
    yield from _beginning(_galaxies(folder, manifest))


def _galaxies(folder: Path, manifest: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Each galaxy of the strip with its picture."""
    listed = manifest.get("galaxies") or []
    uris = strip_uris(folder / STRIP) if listed else []
    return list(zip(listed, uris, strict=True)) if len(uris) == len(listed) else []


def _beginning(galaxies: list[tuple[dict[str, Any], str]]) -> Iterator[Pictures]:
    if not galaxies:
        return
    first = galaxies[0][0]["schema"]
    right = [entry for entry in galaxies if entry[0]["right"]]
    wrong = [entry for entry in galaxies if not entry[0]["right"] and entry[0]["schema"] == first]
    shown = right[: FIRST - min(3, len(wrong))]
    shown += wrong[: FIRST - len(shown)]
    pictures = [_picture(entry, uri, "right: " if entry["right"] else "wrong: ") for entry, uri in shown]
    yield Pictures(pictures, note="Galaxies that were measured on, with what the model said of them.", thumbnails=True)


def _picture(entry: dict[str, Any], uri: str, before: str = "") -> Picture:
    return Picture(uri, f"{before}{entry['said']} · {entry['id_str']}")


def _wrong(galaxies: list[tuple[dict[str, Any], str]], name: str) -> Iterator[Pictures]:
    shown = [_picture(*pair) for pair in galaxies if pair[0]["schema"] == name and not pair[0]["right"]]
    if shown:
        note = "The galaxies of largest loss: odd, mislabelled, or the model's own faults."
        yield Pictures(shown[:WRONG], f"Most wrong of {name}", note, thumbnails=True)


def _charts(name: str, schema: dict[str, Any]) -> Iterator[Dots]:
    """What is asked, each with its main figure and interval."""
    if schema.get("questions"):
        dots = [
            _dot(words(question), entry["rmse"], entry["baseline_rmse"]["value"])
            for question, entry in schema["questions"].items()
            if entry["rmse"]["value"] is not None
        ]
        note = "RMSE of the vote fractions with its 95 % interval; tick: predicting the mean. Left is better."
        if dots:
            yield Dots(f"Error by question of {name}", dots, note)
    if schema.get("classes"):
        dots = [
            _dot(label, entry["recall"])
            for label, entry in schema["classes"].items()
            if entry["recall"]["value"] is not None
        ]
        note = "Recall: the share of each true class that is found, with its 95 % interval. Right is better."
        if dots:
            yield Dots(f"Recall by class of {name}", dots, note)


def _dot(name: str, figure: dict[str, Any], tick: float | None = None) -> Dot:
    return Dot(name, figure["value"], f"{figure['value']:.3f}, n = {figure['n']:,}", figure["interval"], tick=tick)


def _main(manifest: dict[str, Any]) -> Table:
    rows = [
        (f"{in_words(key)}\n{schema}", number(figure["value"]), interval(figure), f"{figure['n']:,}")
        for schema, key, figure in main_figures(manifest)
    ]
    return Table("Figures", ("figure", "value", "95 % interval", "galaxies"), rows)


def _counts(manifest: dict[str, Any]) -> Facts:
    counts = manifest.get("n") or {}
    facts = [
        (name, f"{counts[key]:,}") for key, name in COUNTS.items() if counts.get(key) or key == "evaluated" in counts
    ]
    resamples = f"95 %, {manifest['n_bootstrap']:,} bootstrap resamples over galaxies, seed {manifest['seed']}"
    return Facts([*facts, ("Intervals", resamples)], "Which galaxies, and how intervals are made", folded=True)


def _details(name: str, schema: dict[str, Any]) -> Iterator[Block]:
    keys: tuple[str, ...]
    rows: list[list[str]]
    if "questions" in schema:
        asked = list(schema["questions"].values())
        known = any("volunteers" in entry for entry in asked)
        sure = any("coverage" in entry for entry in asked)
        keys = ("rmse", "baseline_rmse", "rmse_where_asked", "accuracy", "ece")
        keys += (*["coverage"] * sure, *["volunteers"] * known)
        rows = [
            [words(q), *(_cell(entry[key]) if key in entry else "" for key in keys)]
            for q, entry in schema["questions"].items()
        ]
        note = (
            "Where asked, as accuracy is too: on galaxies of which at least half of the volunteers were asked. "
            "Below each figure its 95 % interval and the number of galaxies."
            + " Equivalent volunteers: how many volunteers' mean is as close to the crowd as the model is."
            * known
        )
        header = ("question", *(in_words(key) for key in keys))
        yield Table(f"Questions of {name}", header, rows, note=note, folded=True)
    if "classes" in schema:
        keys = ("precision", "recall", "f1")
        rows = [
            [c, *(_cell(entry[key]) for key in keys), f"{entry['support']:,}"] for c, entry in schema["classes"].items()
        ]
        header = ("class", *(in_words(key) for key in keys), "galaxies")
        yield Table(f"Classes of {name}", header, rows, folded=True)
        pairs = [
            (p["true"], p["predicted"], f"{p['count']:,}", f"{p['share']:.1%}") for p in schema.get("most_confused", [])
        ]
        if pairs:
            header = ("true class", "taken for", "galaxies", "of the true class")
            yield Table("Most confused", header, pairs, texts=2, folded=True)
    if "quantities" in schema:
        keys = ("mae", "rmse", "median_absolute_error", "bias", "pearson", "spearman", "within_limits", "coverage")
        quantities = schema["quantities"].items()
        shown = [key for key in keys if any(key in entry for _, entry in quantities)]
        rows = [[words(q), *(_cell(entry[key]) if key in entry else "" for key in shown)] for q, entry in quantities]
        yield Table(f"Quantities of {name}", ("quantity", *(in_words(key) for key in shown)), rows)


def _losses(name: str, losses: list[dict[str, Any]]) -> Iterator[Block]:
    """The galaxies of largest loss, of a tree or of a class list."""
    if losses and "question" in losses[0]:
        header, texts = ("galaxy", "most wrong answer", "votes", "predicted", "RMSE"), 2
        rows = [
            (
                e["id_str"],
                f"{words(e['question'])}: {e['answer']}",
                *(f"{e[k]:.3f}" for k in ("true", "predicted", "loss")),
            )
            for e in losses
        ]
    else:
        header, texts = ("galaxy", "true class", "predicted class", "its probability", "loss"), 3
        rows = [(e["id_str"], e["true"], e["predicted"], f"{e['probability']:.3f}", f"{e['loss']:.3f}") for e in losses]
    if rows:
        yield Table(f"Largest losses of {name}", header, rows, texts=texts, folded=True)


def _cell(figure: dict[str, Any]) -> str:
    """A figure in one cell; a second line, after the line break, holds its interval and n."""
    if figure["value"] is None:
        return f"–\nn = {figure['n']:,}"
    bounds = f"{figure['interval'][0]:.3f}–{figure['interval'][1]:.3f}, " if figure["interval"] else ""
    return f"{figure['value']:.3f}\n{bounds}n = {figure['n']:,}"


def _plots(folder: Path, manifest: dict[str, Any], *, brief: bool) -> Iterator[Block]:
    """Confusion shown, plots of many panels folded; what the page draws itself is not shown twice."""
    captions = manifest.get("captions") or {}
    names = [str(name) for name in manifest.get("plots") or []]
    there = [name for name in names if (folder / Path(name).name).is_file()]
    for name in () if brief else there:
        if name.endswith("-questions.png") or name.startswith("top-losses"):
            continue
        caption = captions.get(name, words(Path(name).stem))
        picture = Picture(file_uri(folder / Path(name).name), caption, wide=True)
        title, _, _ = caption.partition(":" if ":" in caption else ".")
        yield Pictures([picture], title, folded=name.endswith(LARGE))
    if absent := [name for name in names if name not in there]:
        yield Note(f"Plots that are no longer there: {', '.join(absent)}; evaluate again.", warning=True)
    elif brief and names:
        yield Note(f"Plots are in {folder.parent.name}/{folder.name}.")
