"""Memory and speed of `tuningfork predict` and `pack` from a thousand images to a million: both ought to be flat.

    python benchmarks/scaling.py                                    # 1,000 and 10,000 rows
    python benchmarks/scaling.py --counts 1000 10000 1000000

Rows of a catalog that name the same 64 px JPEG files again and again, a small network, a pack of 16 px: what grows with
the number of rows shows, what each costs is left out. Each job is a process of its own; its peak memory is what the
system says of it, its speed what it says itself (--profile). One run each: the speed is of tens of seconds.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from measure import machine, table, untrained_model
from PIL import Image

FILES = 1000


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000])
    options = parser.parse_args()
    print(machine() + "\n")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        galaxies(folder / "files")
        model = untrained_model("plain", 16, folder / "model")
        for count in options.counts:
            catalog = listing(folder / "files", count)
            predicted = [
                "predict",
                str(catalog),
                str(folder / f"answers-{count}"),
                "--model",
                str(model),
                "--engine",
                "torch",
            ]
            packed = ["pack", str(catalog), str(folder / f"pack-{count}"), "--size", "16"]
            for command in (predicted, packed):
                memory, speed = measured(command)
                rows.append((command[0], f"{count:,}", f"{memory:,.0f}", f"{speed:,.0f}"))
    table(["verb", "images", "peak memory, MB", "images/s"], sorted(rows, reverse=True, key=lambda row: row[0]))


def galaxies(folder: Path) -> None:
    """JPEG files of noise."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(FILES):
        pixels = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.jpg")


def listing(folder: Path, count: int) -> Path:
    """A catalog of so many galaxies, whose files repeat."""
    path = folder / f"catalog-{count}.parquet"
    names = [f"{index % FILES}.jpg" for index in range(count)]
    pd.DataFrame({"id_str": [f"g{index:07d}" for index in range(count)], "file_loc": names}).to_parquet(path)
    return path


# A process's peak memory begins with that of the one it was started from, so a small one starts it and tells.
START = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
)


def measured(command: list[str]) -> tuple[float, float]:
    """Peak memory in MB of a verb of the command, and the images a second that it reports."""
    whole = [sys.executable, "-c", START, sys.executable, "-m", "tuningfork", *command, "--profile"]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    speed = re.search(r"\(([\d,]+) a second\)", done.stderr)
    if done.returncode or speed is None:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return int(done.stdout.split()[-1]) / 1024, float(speed[1].replace(",", ""))


if __name__ == "__main__":
    main()
