"""The section of an evaluation: every figure with its interval and sample size, and the plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuningfork.evaluation.evaluate import main_figures
from tuningfork.evaluation.text import in_words, interval, number
from tuningfork.plotting.style import words
from tuningfork.report.blocks import Block, Facts, Note, Picture, Pictures, Section, Table
from tuningfork.report.pictures import file_uri, png_width
from tuningfork.report.provenance import provenance

WIDE = 1100  # pixels; a wider plot gets a row of its own
COUNTS = {
    "evaluated": "Galaxies evaluated",
    "predictions": "In the predictions",
    "labels": "With labels",
    "errors": "Left out, not readable",
    "only_in_predictions": "Left out, without label",
    "only_in_labels": "Left out, without prediction",
}


def evaluation_section(folder: Path, manifest: dict[str, Any]) -> Section:
    """Figures, then plots, then where they come from."""
    counts = manifest.get("n") or {}
    facts = [
        (name, f"{counts[key]:,}") for key, name in COUNTS.items() if counts.get(key) or key == "evaluated" in counts
    ]
    facts.append(
        ("Intervals", f"95 %, {manifest['n_bootstrap']:,} bootstrap resamples over galaxies, seed {manifest['seed']}")
    )
    blocks: list[Block] = [Facts(facts), _main(manifest)]
    for name, schema in manifest["schemas"].items():
        blocks += _details(name, schema)
        blocks += _losses(name, schema.get("top_losses") or [])
    blocks += _plots(folder, manifest)
    blocks.append(provenance(manifest))
    return Section("Evaluation", folder.name, str(manifest.get("where", "")), blocks)


def _main(manifest: dict[str, Any]) -> Table:
    rows = [
        (f"{in_words(key)}\n{schema}", number(figure["value"]), interval(figure), f"{figure['n']:,}")
        for schema, key, figure in main_figures(manifest)
    ]
    return Table("Figures", ("figure", "value", "95 % interval", "galaxies"), rows)


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
        yield Table(f"Questions of {name}", ("question", *(in_words(key) for key in keys)), rows, note=note)
    if "classes" in schema:
        keys = ("precision", "recall", "f1")
        rows = [
            [c, *(_cell(entry[key]) for key in keys), f"{entry['support']:,}"] for c, entry in schema["classes"].items()
        ]
        yield Table(f"Classes of {name}", ("class", *(in_words(key) for key in keys), "galaxies"), rows)
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


def _plots(folder: Path, manifest: dict[str, Any]) -> Iterator[Block]:
    captions = manifest.get("captions") or {}
    pictures, absent = [], []
    for name in manifest.get("plots") or []:
        path = folder / Path(name).name
        if path.is_file():
            caption = captions.get(name, words(Path(name).stem))
            pictures.append(Picture(file_uri(path), caption, wide=png_width(path) > WIDE))
        else:
            absent.append(name)
    if pictures:
        yield Pictures(pictures, "Plots")
    if absent:
        yield Note(f"Plots that are no longer there: {', '.join(absent)}; evaluate again.", warning=True)
