"""Packing 424 px JPEG files to 128 px beside decoding alone.

    python benchmarks/packing.py

The limit: libjpeg-turbo decoding whole files in threads, a thread a core, 16 files at a time, with the interpreter
passing between threads as quickly as in packing; beside it the same as one would write it at first, and Pillow. Medians
of rounds in which they take turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from measure import jpeg_files, machine, rate, table, take_turns
from PIL import Image

from tuningfork.images import Geometry
from tuningfork.packs import make_pack
from tuningfork.process import tune_process


def main() -> None:
    """Measure, then print the table."""
    tune_process()  # as the command does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; {options.images} files, medians of {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as scratch:
        files = jpeg_files(Path(scratch) / "files", options.images)
        runs = {
            "decode alone, as quick as it goes": rate(partial(decode, files, turbo, 16, 1e-4)),
            "decode alone, a plain thread pool": rate(partial(decode, files, turbo, 1, 5e-3)),
            "decode alone, Pillow in a thread pool": rate(partial(decode, files, pillow, 1, 5e-3)),
            f"tuningfork pack --size {options.size}": partial(pack, files, options.size),
        }
        rates = take_turns(runs, options.rounds)
    limit = rates["decode alone, as quick as it goes"]
    rows = [(name, f"{found / limit:.2f}", f"{found:,.0f}") for name, found in rates.items()]
    table(["", "of the limit", "images/s"], rows)


def turbo(path: Path) -> None:
    """A whole file through libjpeg-turbo."""
    simplejpeg.decode_jpeg(path.read_bytes(), colorspace="RGB", strict=True)


def pillow(path: Path) -> None:
    """A whole file through Pillow."""
    with Image.open(path) as image:
        np.asarray(image)


def decode(files: list[Path], one: Callable[[Path], None], group: int, interval: float) -> int:
    """Decode every file to its full size, `group` files handed to a thread at a time."""

    def some(part: list[Path]) -> None:
        for path in part:
            one(path)

    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(some, [files[start : start + group] for start in range(0, len(files), group)]))
    finally:
        sys.setswitchinterval(before)
    return len(files)


def pack(files: list[Path], size: int) -> float:
    """Images a second of the verb, from the folder to the finished pack; what removing that takes is not counted."""
    with tempfile.TemporaryDirectory(dir=files[0].parent.parent) as scratch:
        return rate(make, files[0].parent, Path(scratch) / "pack", size)()


def make(folder: Path, out: Path, size: int) -> int:
    """Pack a folder."""
    return len(make_pack(folder, out, geometry=Geometry(1.0, size, 3)).catalog)


if __name__ == "__main__":
    main()
