"""What 10^6, 10^8 and 1.5 x 10^9 galaxies cost, from the constants of a table: the tables of docs/scale.md.

`python benchmarks/cost.py` prints them; `--write` puts them into the page.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from tuningfork.files import write_text

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "scale.md"
SURVEYS = {"10^6": 1e6, "10^8": 1e8, "1.5 x 10^9": 1.5e9}
VIEWS = 8
DAY, WEEK = 86_400, 7 * 86_400

Constants = Mapping[str, float]
Cost = Callable[[float, Constants], str]


def main() -> int:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constants", type=Path, default=HERE / "cost.toml")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    table = tomllib.loads(options.constants.read_text(encoding="utf-8"))
    constants = {name: float(entry["value"]) for name, entry in table.items()}
    tables = {"costs": costs(constants), "limits": limits(constants), "constants": listed(table)}
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        for name, lines in tables.items():
            text = re.sub(
                rf"(<!-- {name} -->\n).*?(<!-- end -->)",
                lambda found, t=lines: found[1] + t + found[2],
                text,
                flags=re.S,
            )
        write_text(PAGE, text)
    else:
        sys.stdout.write("\n".join(tables.values()))
    return 0


def costs(constants: Constants) -> str:
    """Storage, hours and network for each survey."""
    rows: dict[str, Cost] = {
        "images, JPEG": lambda n, c: size(n * c["jpeg_bytes"]),
        "pack, 128 px": lambda n, c: size(n * c["pack_bytes"]),
        "predictions with intervals": lambda n, c: size(n * c["row_bytes"]),
        "features": lambda n, c: size(n * c["feature_bytes"]),
        "core hours: decode": lambda n, c: hours(n / c["decode_rate"]),
        "core hours: model, one view": lambda n, c: hours(n / c["cpu_rate"]),
        f"core hours: model, {VIEWS} views": lambda n, c: hours(VIEWS * n / c["cpu_rate"]),
        "GPU hours: one view": lambda n, c: hours(n / gpu_rate(c, 1)),
        f"GPU hours: {VIEWS} views": lambda n, c: hours(n / gpu_rate(c, VIEWS)),
        "cores to be done in a week, one view": lambda n, c: whole(
            n * (1 / c["cpu_rate"] + 1 / c["decode_rate"]) / WEEK
        ),
        "GPUs to be done in a day, one view": lambda n, c: whole(n / gpu_rate(c, 1) / DAY),
        "network, images read once in that day": lambda n, c: f"{8 * n * c['jpeg_bytes'] / DAY / 1e9:.2g} Gbit/s",
    }
    return drawn(rows, constants)


def gpu_rate(c: Constants, views: int) -> float:
    """Images/s of a machine with one GPU: the slower of the model and of decoding on the cores beside it."""
    return min(c["gpu_rate"] / views, c["decode_rate"] * c["gpu_cores"])


def limits(constants: Constants) -> str:
    """What grows with the number of galaxies at one place, where it would break."""
    rows: dict[str, Cost] = {
        "files, where each image is one": lambda n, c: f"{n:,.0f}; looked at in {hours(n / c['stat_rate'])} h",
        "names in the driver's memory": lambda n, c: over(n * c["name_bytes"], c["driver_memory"]),
        "names in Ray's object store": lambda n, c: over(n * c["part_bytes"], c["driver_memory"] * 0.3),
        "footer of one joined Parquet file": lambda n, c: over(n / c["group_rows"] * c["footer_bytes"], 1e9),
        "files of a folder of predictions": lambda n, c: whole(n / c["part_rows"]),
        "maps: all features in memory": lambda n, c: over(n * c["n_features"] * 4, c["driver_memory"]),
        "hours of the driver to hand out parts": lambda n, c: hours(n / c["part_rows"] * c["part_overhead"]),
    }
    return drawn(rows, constants)


def listed(table: Mapping[str, Mapping[str, str | float]]) -> str:
    """The constants, and where each comes from."""
    lines = ["| constant | value | from |", "| --- | --- | --- |"]
    for name, entry in table.items():
        origin = f"measured: {entry['measured']}" if "measured" in entry else f"**assumed**: {entry['why']}"
        lines.append(f"| `{name}` | {entry['value']:,} {entry['unit']} | {origin} |")
    return "\n".join(lines) + "\n"


def drawn(rows: Mapping[str, Cost], constants: Constants) -> str:
    """A Markdown table with a column a survey."""
    lines = [f"| | {' | '.join(SURVEYS)} |", "| --- |" + " --- |" * len(SURVEYS)]
    lines += [f"| {name} | {' | '.join(cost(n, constants) for n in SURVEYS.values())} |" for name, cost in rows.items()]
    return "\n".join(lines) + "\n"


def size(value: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} PB"


def over(value: float, limit: float) -> str:
    """Bytes, in bold where they are more than there is room for."""
    return f"**{size(value)}**" if value > limit else size(value)


def hours(seconds: float) -> str:
    """Hours to two figures."""
    value = seconds / 3600
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def whole(value: float) -> str:
    """A number of things, at least one."""
    return f"{max(1, -(-value // 1)):,.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
