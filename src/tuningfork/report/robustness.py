"""The section of a robustness measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuningfork.evaluation.text import in_words, interval, number
from tuningfork.report.blocks import Block, Facts, Picture, Pictures, Section, Table
from tuningfork.report.pictures import file_uri
from tuningfork.report.provenance import provenance


def robustness_section(folder: Path, manifest: dict[str, Any]) -> Section:
    """The curves, then every point of them in a table."""
    facts = [
        ("Measured on", f"{manifest['n']:,} galaxies, {manifest['where']}"),
        ("Views averaged", str(manifest["views"])),
        ("Intervals", f"95 %, {manifest['n_bootstrap']:,} bootstrap resamples over galaxies, seed {manifest['seed']}"),
    ]
    blocks: list[Block] = [Facts(facts)]
    pictures = [Picture(file_uri(folder / name), caption, wide=True) for name, caption in manifest["plots"].items()]
    blocks.append(Pictures(pictures, "Curves"))
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
