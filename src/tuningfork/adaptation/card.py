"""What an adaptation has brought, in words: for the model card and the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tuningfork.errors import ModelError
from tuningfork.evaluation.text import in_words, number, with_interval
from tuningfork.manifests import ModelManifest
from tuningfork.manifests.models import AdaptationEntry, AdaptedEntry

SHOWN = 6  # answers that are off most


def card(adaptation: AdaptationEntry) -> str:
    """The model card, in Markdown."""
    lines = [
        f"# Model card: {adaptation.model}, adapted",
        "",
        f"The model `{adaptation.model}` with its heads, intervals and flag adapted to the {adaptation.where}. Its "
        "encoder is as it was. Figures are of galaxies that neither the correction nor its penalty was fitted to "
        "(cross-validation in five folds), with 95 % bootstrap intervals.",
    ]
    for name, head in adaptation.schemas.items():
        lines += ["", f"## {name}", "", *_of_head(head)]
    return "\n".join(lines) + "\n"


def how(head: AdaptedEntry) -> str:
    """What has become of a head, in words."""
    if head.new:
        learned = "the features tell nothing of it" if head.penalty is None else "before is one answer for all"
        return f"a new head, learned from {head.n} labelled galaxies; {learned}"
    kept = "as it was: no correction helped galaxies that it was not fitted to"
    return kept if head.penalty is None else f"corrected by {head.n} labelled galaxies"


def _of_head(head: AdaptedEntry) -> Iterator[str]:
    penalty = "" if head.penalty is None else f" (penalty {head.penalty:g})"
    yield f"{how(head).capitalize()}{penalty}."
    yield from ("", "| figure | before | after | n |", "| --- | --- | --- | --- |")
    for row in head.figures:
        yield f"| {in_words(row.figure)} | {with_interval(row.before)} | {with_interval(row.after)} | {row.after.n} |"
    worst = sorted(
        (entry for entry in head.bias if entry.before is not None), key=lambda entry: -abs(entry.before or 0)
    )
    yield from ("", "Answers that were off most, on average (predicted minus known):", "")
    yield from ("| answer | before | after | n |", "| --- | --- | --- | --- |")
    for entry in worst[:SHOWN]:
        yield f"| {entry.answer} | {number(entry.before)} | {number(entry.after)} | {entry.n} |"
    if head.further:
        found = ", ".join(f"{number(point.value)} by {point.labels}" for point in head.curve)
        more = ", ".join(f"{number(point.value)} by {point.labels:,}" for point in head.further)
        yield from ("", f"{in_words(head.curve[-1].figure)} by labels: {found}. With more, if it goes on so: {more}.")


def summary(model: Path) -> str:
    """What an adapted model was before and is after, as lines for a terminal."""
    adaptation = ModelManifest.read(model).adaptation
    if adaptation is None:
        raise ModelError(f"{model} was not adapted; `tuningfork adapt` makes one that is")
    lines = []
    for name, head in adaptation.schemas.items():
        lines.append(f"{name}: {how(head)}")
        lines += [
            f"  {in_words(row.figure)}: {with_interval(row.before)} before, {with_interval(row.after)} after"
            for row in head.figures
        ]
    return "\n".join(lines)
