"""The part of a model's section that says what adapting it has brought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from tuningfork.adaptation.card import how
from tuningfork.evaluation.text import in_words, number, with_interval
from tuningfork.manifests.models import AdaptationEntry, AdaptedEntry, BiasEntry
from tuningfork.plotting.style import BLUE, ORANGE, figure, styled
from tuningfork.report.blocks import Block, Note, Picture, Pictures, Table
from tuningfork.report.pictures import chart_uri

SHOWN = 14  # answers that are off most


def adaptation_blocks(entry: dict[str, Any]) -> Iterator[Block]:
    """Figures before and after, how far each answer is off on average, and what more labels would buy."""
    adaptation = AdaptationEntry.model_validate(entry)
    yield Note(
        f"Adapted from {adaptation.model} to the {adaptation.where}. Figures are of galaxies that neither the "
        "correction nor its penalty was fitted to (cross-validation in five folds)."
    )
    for name, head in adaptation.schemas.items():
        rows = [
            (in_words(row.figure), with_interval(row.before), with_interval(row.after), f"{row.after.n:,}")
            for row in head.figures
        ]
        yield Table(f"{name}: {how(head)}", ("figure", "before", "after", "n"), rows)
        with styled():
            pictures = [
                Picture(chart_uri(_bias(head.bias)), "How far answers are off on average, predicted minus known.")
            ]
            if len(head.curve) > 1:
                pictures.append(Picture(chart_uri(_curve(head)), _buys(head)))
        yield Pictures(pictures, "")


def _bias(entries: list[BiasEntry]) -> Figure:
    """From where it was to where it is, an answer a line, the worst on top."""
    known = [(e.answer, e.before, e.after) for e in entries if e.before is not None and e.after is not None]
    shown = sorted(known, key=lambda entry: abs(entry[1]))[-SHOWN:]
    drawn = figure("Bias", 4.6, 0.9 + 0.22 * len(shown))
    axes = drawn.subplots()
    places = range(len(shown))
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.hlines(places, [b for _, b, _ in shown], [a for _, _, a in shown], color="0.7", linewidth=1)
    axes.plot([b for _, b, _ in shown], places, "o", mfc="none", color=ORANGE, markersize=5, label="before")
    axes.plot([a for _, _, a in shown], places, "o", color=BLUE, markersize=5, label="after")
    axes.set_yticks(places, [answer.replace("_", " ") for answer, _, _ in shown], fontsize=7)
    axes.set_xlabel("predicted minus known, mean")
    axes.legend(fontsize=8)
    return drawn


def _curve(head: AdaptedEntry) -> Figure:
    drawn = figure(f"{in_words(head.curve[0].figure)} by labels", 4.2, 2.8)
    axes = drawn.subplots()
    axes.plot([p.labels for p in head.curve], [p.value for p in head.curve], "o-", color=BLUE, label="found")
    further = [head.curve[-1], *head.further]
    if head.further:
        axes.plot(
            [p.labels for p in further],
            [p.value for p in further],
            "s--",
            color=ORANGE,
            mfc="none",
            label="if it goes on so",
        )
    axes.set(xscale="log", xlabel="labelled galaxies that it is fitted to")
    axes.legend(fontsize=8)
    return drawn


def _buys(head: AdaptedEntry) -> str:
    if not head.further:
        return "More labels brought nothing here."
    first = head.further[0]
    return f"{first.labels:,} labels would bring about {number(first.value)}, if it goes on so."
