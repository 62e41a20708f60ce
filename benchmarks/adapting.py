"""What `tuningfork adapt` brings by a hundred labels where images are unlike those that a model was trained on.

    python benchmarks/adapting.py                         the bundled model, galaxies of val
    python benchmarks/adapting.py --model mine --labels 50 --seed 1
    python benchmarks/adapting.py --classes               the five classes, by 50 to 1,000 labels

For each kind of image: the galaxies of the true mix (`complete_high`) with all fractions are put into that form, a
hundred of them drawn by the seed are what it is adapted by, and the others are what it is measured on: the RMSE over
the 37 fractions and the share of these in their 90 % interval, before and after, and the share of galaxies that are
flagged as out of distribution. Of the five classes: the accuracy and the balanced accuracy of the galaxies with a class
that are none of the 1,000, by the first of these.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from frames import COLUMNS, FORMS, Change, galaxies
from PIL import Image, ImageFilter

import tuningfork


def noisy(image: np.ndarray) -> np.ndarray:
    """Noise with a standard deviation of 6 % of white."""
    rng = np.random.default_rng(int(image.sum()))
    return np.clip(image + rng.normal(0, 0.06 * 255, image.shape), 0, 255).astype(np.uint8)


def blurred(image: np.ndarray) -> np.ndarray:
    """A Gaussian of 3.5 of 212 pixels."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(3.5)))


def stretched(image: np.ndarray) -> np.ndarray:
    """The square root of brightness."""
    return np.rint(255 * np.sqrt(image / 255)).astype(np.uint8)


LABELS = (50, 100, 300, 1000)
KINDS: dict[str, Change] = FORMS | {
    "noise of 6 %": lambda images: list(map(noisy, images)),
    "blurred": lambda images: list(map(blurred, images)),
    "square root": lambda images: list(map(stretched, images)),
}


def main() -> None:
    """Print a row for each kind of image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", action="store_true", help="the five classes instead of the fractions")
    asked = parser.parse_args()
    table = galaxies("val")
    if asked.classes:
        print_classes(asked.model, table[table["five_class"].notna()].reset_index(drop=True), asked.seed)
        return
    table = table[(table["block"] == "complete_high") & table[COLUMNS].notna().all(axis=1)].reset_index(drop=True)
    order = np.random.default_rng(asked.seed).permutation(len(table))
    split = np.where(np.isin(np.arange(len(table)), order[: asked.labels]), "train", "test")
    print(
        f"{asked.model}, {asked.labels} labels, measured on {(split == 'test').sum()} galaxies of val, seed "
        f"{asked.seed}\n\n| images | RMSE | adapted | covered, % | adapted | flagged, % | adapted |\n"
        "| --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, change in KINDS.items():
        with tempfile.TemporaryDirectory() as scratch:
            before, after = measured(asked.model, table.assign(split=split), change, Path(scratch))
        cells = [f"{a} | {b}" for a, b in zip(before, after, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def print_classes(model: str, table: pd.DataFrame, seed: int) -> None:
    """A row for each kind of image: before, and by so many labels."""
    rank = np.random.default_rng(seed).permutation(len(table))
    part = np.array([str(next((n for n in LABELS if place < n), "")) for place in rank])
    labels = table[["five_class"]].assign(id_str=table.index.astype(str), part=part)
    labels = labels.assign(split=np.where(part == "", "test", "train"))
    print(f"{model}, measured on {(part == '').sum()} galaxies of val, seed {seed}: accuracy; balanced\n")
    print(f"| images | before | {' | '.join(f'{n:,} labels' for n in LABELS)} |\n{'| --- ' * (2 + len(LABELS))}|")
    for name in ("as it is", "half as wide", "blurred"):
        with tempfile.TemporaryDirectory() as folder:
            first = tuningfork.load_model(model)
            packed = packed_for(first, KINDS[name](list(table["pixels"])), labels, ["five-classes"], Path(folder))
            cells = [accuracy(first.evaluate(packed, split="test"))]
            for number, n in enumerate(LABELS, start=1):
                chosen = f"part={'|'.join(map(str, LABELS[:number]))}"
                second = first.adapt(packed, Path(folder) / str(n), split="train", where=[chosen])
                cells.append(accuracy(second.evaluate(packed, split="test")))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def packed_for(
    model: tuningfork.TrainedModel, images: list[np.ndarray], labels: pd.DataFrame, schemas: list[str], scratch: Path
) -> tuningfork.Pack:
    """The images in the geometry of a model."""
    geometry = model.spec.geometry
    return tuningfork.pack(
        images, scratch / "pack", labels=labels, schema=schemas, size=geometry.size, field=geometry.field
    )


def accuracy(evaluation: tuningfork.Evaluation) -> str:
    """With its interval, and the balanced one, in words."""
    found = evaluation.content["schemas"]["five-classes"]["figures"]
    low, high = found["accuracy"]["interval"]
    return f"{found['accuracy']['value']:.3f} ({low:.3f} to {high:.3f}); {found['balanced_accuracy']['value']:.3f}"


def measured(model: str, table: pd.DataFrame, change: Change, scratch: Path) -> tuple[list[str], list[str]]:
    """RMSE, coverage and share flagged of the others, before and after."""
    labels = table.drop(columns="pixels").assign(id_str=[str(number) for number in range(len(table))])
    first = tuningfork.load_model(model)
    packed = packed_for(first, change(list(table["pixels"])), labels, ["gz-challenge", "five-classes"], scratch)
    second = first.adapt(packed, scratch / "adapted", split="train")
    return figures(first.evaluate(packed, split="test")), figures(second.evaluate(packed, split="test"))


def figures(evaluation: tuningfork.Evaluation) -> list[str]:
    """In words."""
    found = evaluation.content["schemas"]["gz-challenge"]["figures"]
    low, high = found["rmse"]["interval"]
    return [
        f"{found['rmse']['value']:.4f} ({low:.4f} to {high:.4f})",
        f"{100 * found['coverage']['value']:.1f}",
        f"{100 * evaluation.predictions['ood'].mean():.0f}",
    ]


if __name__ == "__main__":
    main()
