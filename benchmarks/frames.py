"""How well a model answers where the frame is not the challenge's: other widths, off centre, one band.

    python benchmarks/frames.py                          the bundled model, on val
    python benchmarks/frames.py --model accurate --n 80  another calibrated model
    python benchmarks/frames.py --pack frames            galaxies to calibrate on: each as it is, and in one other frame

A frame half as wide is the middle of the whole frame. A wider one goes on beyond the rim as a mirror image of itself;
where that is said, it is black there, or shows the sky around other galaxies. One band is the challenge's r.
The RMSE is over the 37 fractions of galaxies of the true mix (`complete_high`), with its 95 % interval by 1,000
bootstrap samples of galaxies; beside it the share of these fractions that lie in their 90 % interval, the share of
galaxies that are flagged as out of distribution, and, of a model that looks for the galaxy, the median of the width
of the frame that it finds.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from PIL import Image

import tuningfork
from tuningfork.schemas import load_schema

DATA = Path(__file__).parents[2] / "shared/data/galaxy-zoo-challenge"
TREE = load_schema("gz-challenge")
COLUMNS, READABLE = list(TREE.columns), list(TREE.prediction_columns)
SAMPLES, SEED = 1000, 0
Images = Sequence[np.ndarray]
Change = Callable[[Images], list[np.ndarray]]


def narrower(share: float) -> Change:
    """The middle of each frame (H, H, 3)."""

    def change(image: np.ndarray) -> np.ndarray:
        rim = round(len(image) * (1 - share) / 2)
        return image[rim:-rim, rim:-rim]

    return lambda images: [change(image) for image in images]


def wider(times: float, beyond: Literal["symmetric", "constant"] = "symmetric") -> Change:
    """Each frame in the middle of one `times` as wide: a mirror image of itself beyond its rim, or black."""

    def change(image: np.ndarray) -> np.ndarray:
        rim = round(len(image) * (times - 1) / 2)
        return np.pad(image, ((rim, rim), (rim, rim), (0, 0)), mode=beyond)

    return lambda images: [change(image) for image in images]


def among_others(images: Images) -> list[np.ndarray]:
    """Each frame in the middle of one twice as wide, beyond it the frame of the galaxy before, which is at the rim."""
    wide = []
    for before, image in zip([images[-1], *images[:-1]], images, strict=True):
        half = len(image) // 2
        around = np.tile(np.roll(before, (half, half), (0, 1)), (2, 2, 1))
        around[half:-half, half:-half] = image
        wide.append(around)
    return wide


def off_centre(images: Images) -> list[np.ndarray]:
    """Each galaxy a fifth of the frame from the middle, the rim drawn out."""
    by = len(images[0]) // 5
    return [np.pad(image, ((0, 0), (by, 0), (0, 0)), mode="edge")[:, : len(image)] for image in images]


def one_band(images: Images) -> list[np.ndarray]:
    """The green channel, r, alone."""
    return [np.repeat(image[..., 1:2], 3, axis=2) for image in images]


FORMS: dict[str, Change] = {
    "as it is": list,
    "half as wide": narrower(0.5),
    "1.5 times as wide": wider(1.5),
    "twice as wide": wider(2),
    "twice as wide, black there": wider(2, "constant"),
    "twice as wide, among others": among_others,
    "off centre by a fifth": off_centre,
    "r alone": one_band,
}


def main() -> None:
    """Print a row for each form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--split", choices=("train", "val", "test"), default="val")
    parser.add_argument("--n", type=int, help="galaxies; default: all")
    parser.add_argument("--pack", type=Path, help="make a pack of all galaxies of the split instead")
    asked = parser.parse_args()
    if asked.pack:
        pack(asked.split, asked.pack)
        return
    table = galaxies(asked.split)
    table = table[(table["block"] == "complete_high") & table[COLUMNS].notna().all(axis=1)].iloc[: asked.n]
    images, truth = table["pixels"], table[COLUMNS].to_numpy(float)
    model = tuningfork.load_model(asked.model)
    print(f"{asked.model}, {len(images)} galaxies of {asked.split}\n")
    print("| frame | RMSE | in its interval, % | flagged, % | width found |\n| --- | --- | --- | --- | --- |")
    for name, change in FORMS.items():
        seen = model.predict(change(list(images)))
        answers, low, high = (seen[[f"{name}{end}" for name in READABLE]].to_numpy() for end in ("", "_low", "_high"))
        inside = f"{100 * ((low <= truth) & (truth <= high)).mean():.1f}"
        found = f"{seen['frame_width'].median():.2f}" if "frame_width" in seen else ""
        flagged = f"{100 * seen['ood'].mean():.0f}"
        print(f"| {name} | {said((answers - truth) ** 2)} | {inside} | {flagged} | {found} |", flush=True)


def galaxies(split: str) -> pd.DataFrame:
    """The galaxies of a split, their images as `pixels` (212, 212, 3) uint8."""
    kept = ["id_str", "image", "block", "five_class", *COLUMNS]
    table = pq.read_table(sorted(DATA.glob(f"{split}-*.parquet")), columns=kept).to_pandas()
    table["pixels"] = [np.asarray(Image.open(io.BytesIO(image["bytes"])).convert("RGB")) for image in table["image"]]
    return table.drop(columns="image")


def pack(split: str, out: Path) -> None:
    """Pack each galaxy as it is and in one other frame, drawn at random, in squares that are whole frames."""
    table, rng = galaxies(split), np.random.default_rng(SEED)
    others = [change for name, change in FORMS.items() if name != "as it is"]
    drawn, changed = rng.integers(len(others), size=len(table)), dict[int, np.ndarray]()
    for number, change in enumerate(others):
        rows = np.flatnonzero(drawn == number)
        changed |= dict(zip(rows.tolist(), change(list(table["pixels"].iloc[rows])), strict=True))
    labels = pd.concat([table.drop(columns=["pixels", "id_str"])] * 2, ignore_index=True)
    labels = labels.assign(id_str=[str(number) for number in range(len(labels))], split=split)
    images, schemas = [*table["pixels"], *(changed[row] for row in range(len(table)))], ["gz-challenge", "five-classes"]
    tuningfork.pack(images, out, labels=labels, schema=schemas, size=212, field=1)


def said(squares: np.ndarray) -> str:
    """The RMSE of squared errors (N, 37), with its interval."""
    per_galaxy, rng = squares.mean(axis=1), np.random.default_rng(SEED)
    drawn = rng.integers(0, len(squares), (SAMPLES, len(squares)))
    low, high = np.percentile(np.sqrt(per_galaxy[drawn].mean(axis=1)), (2.5, 97.5))
    return f"{np.sqrt(per_galaxy.mean()):.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
