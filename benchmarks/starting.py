"""How long a user waits before anything happens: `--help`, and the first prediction, each from a cold process.

    python benchmarks/starting.py

Medians of runs of the command as a user types it; the prediction is of one 424 px JPEG file by the bundled model.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import jpeg_files, machine, table

COMMAND = Path(sys.executable).parent / "tuningfork"


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; medians of {options.rounds} runs\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        jpeg_files(folder / "one", 1)
        out = folder / "answers.csv"
        jobs = {"tuningfork --help": ["--help"], "tuningfork predict, one image": ["predict", folder / "one", out]}
        seconds: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(options.rounds):
            for name, words in jobs.items():
                out.unlink(missing_ok=True)
                started = time.perf_counter()
                subprocess.run([COMMAND, *words], check=True, capture_output=True)
                seconds[name].append(time.perf_counter() - started)
    table(["", "seconds"], [(name, f"{median(spent):.2f}") for name, spent in seconds.items()])


if __name__ == "__main__":
    main()
