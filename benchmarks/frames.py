"""How well a model answers where the frame is not the challenge's: other widths, off centre, one band.

    python benchmarks/frames.py                          the bundled model, on val
    python benchmarks/frames.py --model runs/mine --n 80

A frame half as wide is the middle of the whole frame; a wider one goes on beyond the rim as a mirror image of itself.
The RMSE is over the 37 fractions of galaxies of the true mix (`complete_high`), with its 95 % interval by 1,000
bootstrap samples of galaxies; beside it the share of galaxies that are flagged as out of distribution.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

import tuningfork
from tuningfork.schemas import load_schema

DATA = Path(__file__).parents[2] / "shared/data/galaxy-zoo-challenge"
SAMPLES, SEED = 1000, 0
Change = Callable[[np.ndarray], np.ndarray]


def narrower(share: float) -> Change:
    """The middle of a frame (H, H, 3)."""

    def change(image: np.ndarray) -> np.ndarray:
        rim = round(len(image) * (1 - share) / 2)
        return image[rim:-rim, rim:-rim]

    return change


def wider(times: float) -> Change:
    """The frame in the middle of one `times` as wide."""

    def change(image: np.ndarray) -> np.ndarray:
        rim = round(len(image) * (times - 1) / 2)
        return np.pad(image, ((rim, rim), (rim, rim), (0, 0)), mode="symmetric")

    return change


def off_centre(image: np.ndarray) -> np.ndarray:
    """The galaxy a fifth of the frame from the middle, the rim drawn out."""
    by = len(image) // 5
    return np.pad(image, ((0, 0), (by, 0), (0, 0)), mode="edge")[:, : len(image)]


def one_band(image: np.ndarray) -> np.ndarray:
    """The green channel, r, alone."""
    return np.repeat(image[..., 1:2], 3, axis=2)


FORMS: dict[str, Change] = {
    "as it is": lambda image: image,
    "half as wide": narrower(0.5),
    "1.5 times as wide": wider(1.5),
    "twice as wide": wider(2),
    "off centre by a fifth": off_centre,
    "r alone": one_band,
}


def main() -> None:
    """Print a row for each form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--split", choices=("train", "val", "test"), default="val")
    parser.add_argument("--n", type=int, help="galaxies; default: all")
    asked = parser.parse_args()
    images, truth = galaxies(asked.split, asked.n)
    model = tuningfork.load_model(asked.model)
    columns = list(load_schema("gz-challenge").columns)
    print(
        f"{asked.model}, {len(images)} galaxies of {asked.split}\n\n| frame | RMSE | flagged, % |\n| --- | --- | --- |"
    )
    for name, change in FORMS.items():
        table = model.predict([change(image) for image in images], columns="schema")
        squares = (table[columns].to_numpy() - truth) ** 2
        flagged = f"{100 * table['ood'].mean():.0f}" if "ood" in table else "-"
        print(f"| {name} | {said(squares)} | {flagged} |", flush=True)


def galaxies(split: str, n: int | None) -> tuple[list[np.ndarray], np.ndarray]:
    """Images (212, 212, 3) uint8 and the 37 fractions (N, 37)."""
    columns = list(load_schema("gz-challenge").columns)
    table = pq.read_table(sorted(DATA.glob(f"{split}-*.parquet")), columns=["image", "block", *columns]).to_pandas()
    table = table[(table["block"] == "complete_high") & table[columns].notna().all(axis=1)].iloc[:n]
    images = [np.asarray(Image.open(io.BytesIO(image["bytes"])).convert("RGB")) for image in table["image"]]
    return images, table[columns].to_numpy(float)


def said(squares: np.ndarray) -> str:
    """The RMSE of squared errors (N, 37), with its interval."""
    per_galaxy, rng = squares.mean(axis=1), np.random.default_rng(SEED)
    drawn = rng.integers(0, len(squares), (SAMPLES, len(squares)))
    low, high = np.percentile(np.sqrt(per_galaxy[drawn].mean(axis=1)), (2.5, 97.5))
    return f"{np.sqrt(per_galaxy.mean()):.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
