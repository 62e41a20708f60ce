"""How much reading whole rows of chunks saves over reading image by image, on a file of Galaxy10's layout made here.

The file has the chunks that h5py guesses for Galaxy10 DECaLS, (555, 16, 16, 1) of (17736, 256, 256, 3), gzipped;
`--images` says how many of its images. Image by image is measured on a few of them, for it is as slow for each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tuningfork.simulate import DEFAULT_MIX
from tuningfork.simulate.galaxy import simulate_one
from tuningfork.sources import open_source

CHUNKS = (555, 16, 16, 1)
DIFFERENT = 64  # galaxies that are simulated; the file repeats them


def main() -> None:
    """Print both speeds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1110)
    parser.add_argument("--one-by-one", type=int, default=20, help="images to read one by one")
    options = parser.parse_args()
    galaxies = np.stack([simulate_one(0, index, 256, DEFAULT_MIX).rgb() for index in range(DIFFERENT)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "galaxies.h5"
        with h5py.File(path, "w") as file:
            shape = (options.images, *galaxies.shape[1:])
            images = file.create_dataset("images", shape, "u1", chunks=CHUNKS, compression="gzip")
            for start in range(0, options.images, CHUNKS[0]):
                rows = np.arange(start, min(start + CHUNKS[0], options.images))
                images[start : start + len(rows)] = galaxies[rows % DIFFERENT]
        aligned = _rate(item.load() for item in open_source(path).items())
        with h5py.File(path) as file:
            single = _rate(file["images"][row] for row in range(options.one_by_one))
        print(f"whole rows of chunks: {aligned:,.0f} images a second")
        print(f"image by image:       {single:,.1f} images a second")
        print(f"ratio:                {aligned / single:,.0f}")


def _rate(images: Iterator[object]) -> float:
    started = time.perf_counter()
    count = sum(1 for _ in images)
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
