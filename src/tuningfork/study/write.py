"""The tables of a study: a line a training, and a line a run over its seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuningfork.files import write_text


def write_comparison(path: Path, rows: Sequence[dict[str, Any]], split: str) -> None:
    """A line a training: what it was, each figure with its interval and number of galaxies, and its error if any."""
    _write(path, [_line(row) | {"split": split} for row in rows])


def write_seeds(path: Path, summary: Sequence[dict[str, Any]], split: str) -> None:
    """A line a run: of each figure the mean over its seeds, their standard deviation, and how many there are."""
    lines: dict[str, dict[str, Any]] = {}
    for entry in summary:
        name = f"{entry['schema']} {entry['figure']}"
        line = lines.setdefault(entry["label"], {"label": entry["label"], "split": split})
        line |= {name: entry["mean"], f"{name} spread": entry["spread"], f"{name} seeds": len(entry["values"])}
    _write(path, list(lines.values()))


def _write(path: Path, table: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO()
    columns = list(dict.fromkeys(key for line in table for key in line))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(path, text.getvalue())


def _line(row: dict[str, Any]) -> dict[str, Any]:
    line = {key: value for key, value in row.items() if not isinstance(value, list)}
    line["changes"] = " ".join(row["changes"])
    line["reported"] = "; ".join(f"{entry['figure']} {entry['value']:g} ({entry['on']})" for entry in row["reported"])
    for kind, text in (("figures", ""), ("differences", " minus the first's")):
        for figure in row.get(kind, []):
            name = f"{figure['schema']} {figure['figure']}{text}"
            low, high = figure["interval"] or (None, None)
            line |= {name: figure["value"], f"{name} low": low, f"{name} high": high, f"{name} n": figure["n"]}
    return line
