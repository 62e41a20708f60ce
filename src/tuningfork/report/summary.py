"""The one-screen summary of an evaluation: what was asked, how good, how sure, where it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuningfork.evaluation.evaluate import main_figures
from tuningfork.evaluation.text import in_words, lower_is_better, number
from tuningfork.plotting.style import words
from tuningfork.report.blocks import Card, Summary

ASKED, GOOD, SURE, BREAKS = "What was asked", "How good", "How sure", "Where it breaks"
NOTHING = "nothing known"


def evaluation_summary(manifest: dict[str, Any]) -> Summary:
    """From the figures of an evaluation."""
    counts, schemas = manifest.get("n") or {}, manifest["schemas"]
    evaluated = f"{counts['evaluated']:,} galaxies" if "evaluated" in counts else str(manifest["where"])
    asked = [str(schema.get("title", name)) for name, schema in schemas.items()]
    good = [line for name in schemas for line in _good(manifest, name)]
    sure = [line for schema in schemas.values() for line in _sure(schema["figures"], schema.get("quantities", {}))]
    breaks = [line for schema in schemas.values() for line in _breaks(schema)]
    if counts.get("errors"):
        breaks.append(f"{counts['errors']:,} images could not be read")
    cards = [Card(ASKED, evaluated, [*asked, str(manifest["where"])])]
    cards += [
        Card(title, *_headed(lines, empty))
        for title, lines, empty in (
            (GOOD, good, NOTHING),
            (SURE, sure, "not known: no probabilities, no intervals"),
            (BREAKS, breaks, NOTHING),
        )
    ]
    return Summary(cards)


def _headed(lines: list[str], empty: str) -> tuple[str, list[str]]:
    """The first line up to its semicolon as the answer, and what follows."""
    if not lines:
        return empty, []
    head, _, rest = lines[0].partition("; ")
    return head, [*([rest] if rest else []), *lines[1:]]


def with_range(figure: dict[str, Any], digits: int = 3) -> str:
    """A figure's interval and number of galaxies in words."""
    ends = figure.get("interval")
    said = f"95 %: {ends[0]:.{digits}f} to {ends[1]:.{digits}f}, " if ends else ""
    return f"{said}n = {figure['n']:,}"


def _good(manifest: dict[str, Any], name: str) -> Iterator[str]:
    """The main figure of a schema, and what predicting the mean would give."""
    figures = manifest["schemas"][name]["figures"]
    main = [(key, figure) for schema, key, figure in main_figures(manifest) if schema == name]
    for key, figure in main[:1]:
        if figure["value"] is None:
            continue
        yield f"{in_words(key)} {figure['value']:.3f}; {name}, {with_range(figure)}"
        baseline = figures.get(f"baseline_{key}")
        if baseline and baseline["value"] is not None:
            yield f"predicting the mean: {baseline['value']:.3f}"
    balanced = figures.get("balanced_accuracy")
    if balanced and balanced["value"] is not None:
        yield f"every class alike (balanced): {balanced['value']:.3f}"


def _sure(figures: dict[str, Any], quantities: dict[str, Any]) -> Iterator[str]:
    """Coverage of the intervals, and calibration of the probabilities."""
    covered = [("", figures.get("coverage")), *((f" of {q}", entry.get("coverage")) for q, entry in quantities.items())]
    for of, figure in covered:
        if figure and figure["value"] is not None:
            yield f"{figure['value']:.1%} of the labels lie in the 90 % intervals{of}; {with_range(figure)}"
    if (width := figures.get("interval_width")) and width["value"] is not None:
        yield f"the intervals are {number(width['value'])} wide on average"
    if (ece := figures.get("ece")) and ece["value"] is not None:
        yield f"calibration error {ece['value']:.3f}; {with_range(ece)}"


def _breaks(schema: dict[str, Any]) -> Iterator[str]:
    """The worst question or class, and the most frequent confusion."""
    questions = {q: entry["rmse"] for q, entry in (schema.get("questions") or {}).items()}
    classes = {c: entry["recall"] for c, entry in (schema.get("classes") or {}).items()}
    for entries, key in ((questions, "rmse"), (classes, "recall")):
        known = {name: figure for name, figure in entries.items() if figure["value"] is not None}
        if known:
            worst = (max if lower_is_better(key) else min)(known, key=lambda name: known[name]["value"])
            named = f"{in_words(key)} {known[worst]['value']:.3f}"
            yield f"{words(worst)}: {named}; {with_range(known[worst])}"
    for pair in (schema.get("most_confused") or [])[:1]:
        taken = f"{words(pair['true'])} taken for {words(pair['predicted']).lower()}"
        yield f"{taken}: {pair['count']:,} ({pair['share']:.0%})"
