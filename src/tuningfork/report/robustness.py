"""The section of a robustness measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuningfork.evaluation.text import in_words, interval, lower_is_better, number
from tuningfork.report.blocks import Block, Card, Facts, Picture, Pictures, Section, Summary, Table
from tuningfork.report.pictures import file_uri
from tuningfork.report.provenance import provenance
from tuningfork.report.summary import ASKED, BREAKS, GOOD, SURE
from tuningfork.robustness.write import EXAMPLE


def robustness_section(folder: Path, manifest: dict[str, Any]) -> Section:
    """A galaxy as it was disturbed, the summary and the curves, then every point of them in a table."""
    facts = [
        ("Measured on", f"{manifest['n']:,} galaxies, {manifest['where']}"),
        ("Views averaged", str(manifest["views"])),
        ("Intervals", f"95 %, {manifest['n_bootstrap']:,} bootstrap resamples over galaxies, seed {manifest['seed']}"),
    ]
    pictures = {
        name: Picture(file_uri(folder / name), caption, wide=True) for name, caption in manifest["plots"].items()
    }
    example = pictures.pop(EXAMPLE, None)
    blocks: list[Block] = [Pictures([example])] if example else []
    blocks += [_summary(manifest), Facts(facts), Pictures(list(pictures.values()), "Curves")]
    for schema, curves in manifest["curves"].items():
        rows = [
            (curve["title"], f"{point['level']:g}", number(point["value"]), interval(point), f"{point['change']:.4f}")
            for curve in curves.values()
            for point in curve["points"]
        ]
        figure = next(iter(curves.values()))["points"][0]["figure"]
        header = ("disturbance", "amount", in_words(figure), "95 % interval", "change of the answers (RMS)")
        blocks.append(Table(f"Points of {schema}", header, rows, folded=True))
    blocks.append(provenance(manifest))
    return Section("Robustness", folder.name, manifest["where"], blocks)


def _summary(manifest: dict[str, Any]) -> Summary:
    """The figure of the galaxies as they are, and the disturbance at which it is worst."""
    good, sure, breaks = [], [], []
    for schema, curves in manifest["curves"].items():
        points = [(curve["title"], point) for curve in curves.values() for point in curve["points"]]
        points = [(title, point) for title, point in points if point["value"] is not None]
        if not points:
            continue
        _, first = points[0]
        worst = (max if lower_is_better(first["figure"]) else min)(points, key=lambda entry: entry[1]["value"])
        good.append(f"{in_words(first['figure'])} {number(first['value'])} undisturbed ({schema})")
        sure.append(f"95 %: {interval(first)} ({schema})" if first["interval"] else f"no interval ({schema})")
        what = f"{worst[0]}, {worst[1]['level']:g}"
        breaks.append(f"{what}: {in_words(first['figure'])} {number(worst[1]['value'])} ({schema})")
    asked = [f"{len(next(iter(manifest['curves'].values()), {}))} disturbances", str(manifest["where"])]
    cards = [Card(ASKED, f"{manifest['n']:,} galaxies", asked)]
    cards += [
        Card(question, lines[0] if lines else "nothing known", lines[1:])
        for question, lines in ((GOOD, good), (SURE, sure), (BREAKS, breaks))
    ]
    return Summary(cards)
