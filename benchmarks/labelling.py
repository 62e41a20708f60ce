"""How much a label is worth in `tuningfork explore`, by the order of the queue: `python benchmarks/labelling.py`.

Labels of the shared galaxies are given one after the other, as the queue of each order asks for them, and a head is
refitted after every 10. It learns from galaxies of the split `train` and is judged by all of `val`: the accuracy, the
balanced accuracy (the mean share of each class that is found) and, of two classes, the average precision of the first.
Means over `--seeds` pools of `--pool` galaxies each, drawn anew; `test` is not looked at. An order by doubt begins with
20 of the most different, as the documentation advises. `--scratch` keeps the embeddings.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import table
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from tuningfork.embeddings import Embedding, read_embedding
from tuningfork.errors import TuningforkError
from tuningfork.explore import queue
from tuningfork.explore.learn import Examples, Head, Scale, learn, scale_of
from tuningfork.inference import embed

DATA = Path(__file__).parents[2] / "shared" / "data"
BATCH, BEGIN = 10, 20
SHOWN = (20, 50, 100, 200)
ORDERS = ("random", "diversity", "uncertainty")


@dataclass(frozen=True)
class Asked:
    """A question: its classes, and the answers (N,) to the galaxies of an embedding, None where not known."""

    title: str
    classes: tuple[str, ...]
    embedding: Embedding
    answers: np.ndarray


def main() -> int:
    """Print a Markdown table a question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the shared galaxies are not at {DATA}; nothing to measure", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as made:
        for asked in questions(options.scratch or Path(made)):
            print_question(asked, options.seeds, options.pool)
    return 0


def questions(folder: Path) -> list[Asked]:
    """Rings and bars of EFIGI, and the five classes of the challenge, with the features of the bundled model."""
    efigi = embedded(folder / "efigi.parquet", DATA / "efigi" / "*.parquet")
    sets = [efigi_attribute(efigi, *each) for each in (("Inner_Ring", "ring"), ("Bar_Length", "bar"))]
    five = embedded(folder / "five.parquet", DATA / "galaxy-zoo-challenge" / "[tv][ra]*.parquet")
    answers = five.table["five_class"].to_numpy(object)
    classes = tuple(sorted({answer for answer in answers if isinstance(answer, str)}))
    return [*sets, Asked("five classes (challenge)", classes, five, answers)]


def embedded(path: Path, images: Path) -> Embedding:
    """The embedding of a source, made where it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        embed(str(images), path, maps=())
    return read_embedding(path)


def efigi_attribute(efigi: Embedding, column: str, name: str) -> Asked:
    """Whether an attribute of EFIGI is at least 0.5; -1 is not known."""
    values = efigi.table[column].to_numpy(float)
    answers = np.where(values >= 0.5, name, f"no {name}").astype(object)
    answers[values < 0] = None
    return Asked(f"{column} at least 0.5 (EFIGI)", (name, f"no {name}"), efigi, answers)


def print_question(asked: Asked, seeds: int, pool: int) -> None:
    """A table of a question: a line for each order."""
    split = asked.embedding.table["split"].to_numpy(object)
    known = np.array([isinstance(answer, str) for answer in asked.answers])
    known &= np.isfinite(asked.embedding.features).all(axis=1)
    train, judged = (np.flatnonzero(known & (split == name)) for name in ("train", "val"))
    share = np.mean(asked.answers[judged] == asked.classes[0])
    print(f"\n{asked.title}: {len(judged)} of val, {share:.0%} {asked.classes[0]}; {len(train):,} of train\n")
    scale, rows = scale_of(asked.embedding.features), []
    for order in ORDERS:
        runs = [run(asked, scale, order, drawn(train, pool, seed), judged) for seed in range(seeds)]
        for index, name in enumerate(("accuracy", "balanced accuracy", "average precision")[: len(runs[0][SHOWN[0]])]):
            cells = [said([each[n][index] for each in runs]) for n in SHOWN]
            rows.append((order, name, *cells))
    everything = figures(fit(asked, scale, train), asked, judged)
    print(f"all {len(train):,} labels of train: " + ", ".join(f"{value:.3f}" for value in everything) + "\n")
    table(["order", "figure", *(f"{n} labels" for n in SHOWN)], rows)


def drawn(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` of rows at random, in an order at random."""
    return np.random.default_rng(seed).permutation(rows)[:n]


def run(asked: Asked, scale: Scale, order: str, pool: np.ndarray, judged: np.ndarray) -> dict[int, list[float]]:
    """The figures after so many labels of a pool, given in an order."""
    points, labelled, found = scale.of(asked.embedding.features[pool]), np.arange(0), {}
    head: Head | None = None
    while len(labelled) < max(SHOWN):
        left = np.setdiff1d(np.arange(len(pool)), labelled)
        by_doubt = order == "uncertainty" and len(labelled) >= BEGIN and head is not None
        if by_doubt:
            doubt = np.full(len(pool), np.nan)
            doubt[left] = queue.entropy(head.probabilities(asked.embedding.features[pool[left]]))
            chosen = queue.highest(doubt, left, BATCH)
        elif order == "random":
            chosen = left[:BATCH]
        else:
            chosen = left[queue.most_different(points[left], points[labelled], BATCH)]
        labelled = np.concatenate([labelled, chosen])
        head = fit(asked, scale, pool[labelled])
        if len(labelled) in SHOWN:
            found[len(labelled)] = figures(head, asked, judged)
    return found


def fit(asked: Asked, scale: Scale, rows: np.ndarray) -> Head | None:
    """The head that is learned from these galaxies; None where they are too few."""
    nothing = Examples(np.arange(0), [])
    train = Examples(rows, list(asked.answers[rows]))
    try:
        return learn(asked.embedding.features, scale, train, nothing, asked.classes).head
    except TuningforkError:
        return None


def figures(head: Head | None, asked: Asked, rows: np.ndarray) -> list[float]:
    """The figures of a head on galaxies it did not see; NaN where there is none."""
    truth, two = asked.answers[rows].astype(str), len(asked.classes) == 2
    if head is None:
        return [np.nan] * (3 if two else 2)
    chances = head.probabilities(asked.embedding.features[rows])
    called = np.array(head.classes)[chances.argmax(axis=1)]
    scores = [float(np.mean(called == truth)), float(balanced_accuracy_score(truth, called))]
    if two:
        first = chances[:, head.classes.index(asked.classes[0])]
        scores.append(float(average_precision_score(truth == asked.classes[0], first)))
    return scores


def said(values: Sequence[float]) -> str:
    """The mean and the scatter of the seeds in which something could be learned, and how many these are if not all."""
    some = [value for value in values if np.isfinite(value)]
    if not some:
        return "-"
    text = f"{np.mean(some):.3f} ± {np.std(some, ddof=1) if len(some) > 1 else 0:.3f}"
    return text if len(some) == len(values) else f"{text} ({len(some)} of {len(values)})"


if __name__ == "__main__":
    raise SystemExit(main())
