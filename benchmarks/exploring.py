"""How quick `tuningfork explore` is with a million galaxies: the server alone, and the page in Chromium.

    python benchmarks/exploring.py [--rows 1000000] [--without-browser]

The catalogue is simulated from real predictions: those of the bundled model for 300 of the shared galaxies, repeated
with noise (seed 0); so are their features and map. Pictures come from the same 300 JPEG files of 424 px. The server is
the command itself. Each figure is the median over questions that were not asked before, in the order of the table.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import ORIGINALS, machine, table

from tuningfork.catalogs import Origin, write_parts

COMMAND = Path(sys.executable).parent / "tuningfork"
GALAXIES, SEED, PART, NOISE = 300, 0, 1 << 14, 0.02
KEY = b"tuningfork"
CONNECTIONS = 6  # of a browser to one server
LASSO = 100_000  # galaxies


def main() -> None:
    """Simulate, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--without-browser", action="store_true")
    parser.add_argument("--scratch", type=Path, help="A folder to keep the simulated catalogue in.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = options.scratch or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        simulate(folder, options.rows)
        print(f"{machine()}; {options.rows:,} galaxies, medians of {options.rounds}\n")
        with server(folder) as running:
            table(["the server", "", "of one core", "at most"], on_server(running, options.rows, options.rounds))
        if not options.without_browser:
            from exploring_page import on_page

            with server(folder) as running:
                table(["the page", "", "at most"], on_page(running.address))


def simulate(folder: Path, rows: int) -> None:
    """Write `cat.parquet` and `emb.parquet` of so many galaxies, unless they are there."""
    if (folder / "emb.parquet").exists():
        return
    images = folder / "images"
    images.mkdir(exist_ok=True)
    for file in sorted(ORIGINALS.glob("*.jpg"))[:GALAXIES]:
        (images / file.name).symlink_to(file)
    real = {"cat": folder / "real-cat.parquet", "emb": folder / "real-emb.parquet"}
    subprocess.run([COMMAND, "predict", images, real["cat"]], check=True, capture_output=True)
    subprocess.run([COMMAND, "embed", images, real["emb"]], check=True, capture_output=True)
    for name, path in real.items():
        found = pq.read_table(path)
        origin = Origin(json.loads(found.schema.metadata[KEY]))
        write_parts(found.schema, Repeated(found, rows), folder / f"{name}.parquet", origin)


@dataclass(frozen=True)
class Repeated:
    """The rows of a table again and again, numbers with noise, each with an id and a position of its own."""

    real: pa.Table
    rows: int

    def __iter__(self) -> Iterator[pa.Table]:
        rng = np.random.default_rng(SEED)
        for start in range(0, self.rows, PART):
            numbers = np.arange(start, min(start + PART, self.rows))
            part = self.real.take(pa.array(rng.integers(0, len(self.real), len(numbers))))
            columns = [self._column(rng, entry, part[entry.name], numbers) for entry in self.real.schema]
            yield pa.Table.from_arrays(columns, schema=self.real.schema)

    def _column(self, rng: np.random.Generator, entry: pa.Field, values: pa.ChunkedArray, numbers: np.ndarray) -> Any:
        if entry.name == "id_str":
            return pa.array([f"J{number:08d}" for number in numbers])
        if entry.name in ("ra", "dec"):
            return pa.array(rng.uniform(*((0, 360) if entry.name == "ra" else (-30, 30)), len(numbers)))
        if pa.types.is_fixed_size_list(entry.type):
            flat = values.combine_chunks().flatten().to_numpy()
            noisy = flat + rng.normal(0, 0.3, len(flat)).astype(np.float32)
            return pa.FixedSizeListArray.from_arrays(pa.array(noisy, pa.float32()), entry.type.list_size)
        if entry.type != pa.float32() or not len(values) - values.null_count:
            return values
        known = values.to_numpy().astype(np.float32)
        wide = float(np.nanstd(known)) if entry.name.startswith("pca") else 1.0
        noisy = known + rng.normal(0, NOISE * wide, len(known)).astype(np.float32)
        return pa.array(np.clip(noisy, 0, 1) if known.max() <= 1 and known.min() >= 0 else noisy, from_pandas=True)


@dataclass(frozen=True)
class Running:
    """A server that runs: its process, the address of its page, and how long it took to be there."""

    process: subprocess.Popen[str]
    address: str
    seconds: float

    def connection(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection(self.address.split("/")[2], timeout=60)

    def cookie(self) -> str:
        """What the page of this start is known by."""
        connection = self.connection()
        connection.request("GET", "/" + self.address.split("/", 3)[3])
        return str(connection.getresponse().headers["set-cookie"]).partition(";")[0]

    def cpu(self) -> float:
        """Milliseconds of one core that the process has worked, in steps of ten."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> tuple[float, float]:
        """Megabytes that the process holds, and the most that it has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return tuple(int(re.search(rf"{key}:\s+(\d+)", status)[1]) / 1024 for key in ("VmRSS", "VmHWM"))


@contextmanager
def server(folder: Path) -> Iterator[Running]:
    """The command on the simulated catalogue, until the measurement ends."""
    words = [COMMAND, "explore", "cat.parquet", "--embedding", "emb.parquet", "--no-browser"]
    started = time.perf_counter()
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        try:
            yield Running(process, re.search(r"http://\S+", line)[0], seconds)
        finally:
            process.terminate()


def on_server(running: Running, rows: int, rounds: int) -> list[tuple[str, ...]]:
    """What each question costs, asked over HTTP: the time until the answer, and what the server worked for it."""
    connection, cookie = running.connection(), running.cookie()

    def ask(path: str, said: Any = None) -> bytes:
        host = running.address.split("/")[2]
        headers = {"Cookie": cookie, "Origin": f"http://{host}", "Content-Type": "application/json"}
        body = said if said is None or isinstance(said, bytes) else json.dumps(said)
        if isinstance(said, bytes):
            headers["Content-Type"] = "application/octet-stream"
        connection.request("GET" if said is None else "POST", path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {data[:200]!r}")
        return data

    rng = np.random.default_rng(SEED)
    worked = running.cpu()
    found: list[tuple[str, ...]] = [
        ("from the command to its address, ms", f"{1000 * running.seconds:.0f}", f"{worked:.0f}", "")
    ]
    first = milliseconds(lambda: (ask("/api/catalogue"), ask("/api/rows", {"limit": 60, "columns": ["file_loc"]})))
    found.append(("the catalogue and the first 60 rows, ms", f"{first:.0f}", f"{running.cpu() - worked:.0f}", "3000"))
    columns = [each for each in json.loads(ask("/api/catalogue"))["columns"] if each["role"] == "fraction"]
    names = cycle(each["name"] for each in columns)

    def chosen() -> dict[str, Any]:
        low = float(rng.uniform(0, 0.6))
        return {"all": [{"column": next(names), "min": low, "max": low + 0.3}]}

    def rows_of(said: dict[str, Any]) -> Callable[[], bytes]:
        return lambda: ask("/api/rows", {"limit": 60, "columns": ["file_loc", next(names)]} | said)

    def often(name: str, make: Callable[[], Callable[[], Any]], most: str) -> None:
        questions, before = [make() for _ in range(rounds)], running.cpu()
        spent = [milliseconds(question) for question in questions]
        each = (running.cpu() - before) / rounds
        found.append((f"{name}, ms", f"{median(spent):.0f} (largest {max(spent):.0f})", f"{each:.0f}", most))

    often("filter", lambda: rows_of({"filter": chosen()}), "300")
    often("sort", lambda: rows_of({"sort": {"column": next(names), "descending": True}}), "300")
    often("filter and sort", lambda: rows_of({"filter": chosen(), "sort": {"column": next(names)}}), "300")
    often("text, in the ids", lambda: rows_of({"filter": {"all": [contains(rng)]}}), "300")
    often("histogram", lambda: lambda: ask("/api/histogram", {"column": next(names), "filter": chosen()}), "300")
    often("points of the map", lambda: lambda: ask("/api/points", points(next(names))), "")
    often("which rows a filter keeps", lambda: lambda: ask("/api/kept", {"filter": chosen()}), "300")

    def lasso() -> Callable[[], Any]:
        picked = np.sort(rng.choice(rows, min(LASSO, rows), replace=False)).astype("<u4").tobytes()

        def work() -> None:
            name = json.loads(ask("/api/select", picked))["selection"]
            ask("/api/rows", {"limit": 60, "columns": ["file_loc"], "filter": {"all": [{"selection": name}]}})
            ask("/api/kept", {"filter": {"all": [{"selection": name}]}})

        return work

    often(f"select {LASSO:,}, their first 60 rows and bits", lasso, "500")
    often("one galaxy", lambda: lambda: ask(f"/api/galaxy/{rng.integers(rows)}"), "")
    often("its similar ones", lambda: lambda: ask(f"/api/similar/{rng.integers(rows)}"), "")
    often("60 thumbnails", lambda: lambda: thumbnails(running, cookie, rng.integers(0, rows, 60).tolist()), "300")
    now, most = running.memory()
    found.append(("memory at the end, MB", f"{now:.0f} (largest {most:.0f})", "", "1500"))
    return found


def contains(rng: np.random.Generator) -> dict[str, str]:
    """A condition on the ids."""
    return {"column": "id_str", "contains": str(rng.integers(100, 999))}


def points(colour: str) -> dict[str, str]:
    """A map in the colours of an answer."""
    return {"x": "map:pca:0", "y": "map:pca:1", "colour": colour}


def thumbnails(running: Running, cookie: str, rows: list[int]) -> None:
    """Ask for pictures as a browser does, over a few connections at once."""

    def some(mine: list[int]) -> None:
        connection = running.connection()
        for row in mine:
            connection.request("GET", f"/image/{row}?size=96", headers={"Cookie": cookie})
            answer = connection.getresponse()
            if not answer.read() or answer.status != 200:
                raise SystemExit(f"no picture of row {row}")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(some, [rows[first::CONNECTIONS] for first in range(CONNECTIONS)]))


def milliseconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
