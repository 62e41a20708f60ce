"""How well the flag `unlike` tells images that are no galaxies: `python benchmarks/unlike.py`.

For each kind of `strangers.py` the AUROC of `unlikeness` against the galaxies of the test split with the challenge's
true mix, and the share that is flagged. The false alarms are the galaxies flagged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_auc_score
from strangers import KINDS, SIDE, stranger

from tuningfork.inference import predict

DATA = Path(__file__).parents[2] / "shared" / "data" / "galaxy-zoo-challenge"


def main() -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--n", type=int, default=200, help="images of each kind")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the shared galaxies are not at {DATA}; nothing to measure", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        table = test_originals()
        galaxies = predict_originals(options.model, table, Path(folder))["unlikeness"].to_numpy()
        print_table(galaxies, unlikeness(options.model, options.n, Path(folder), list(table["file_loc"])))
    return 0


def test_originals() -> pd.DataFrame:
    """The test galaxies of the true mix as their original files: `id_str`, `file_loc` and the labels."""
    shards = sorted(DATA.glob("test-*.parquet"))
    table = pd.concat([pd.read_parquet(shard).drop(columns="image") for shard in shards])
    table = table[table["block"] == "complete_high"].reset_index(drop=True)
    folder = DATA / "native" / "images_training_rev1"
    table.insert(1, "file_loc", [str((folder / f"{name}.jpg").resolve()) for name in table["id_str"]])
    return table


def predict_originals(model: str, table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """What the model says of them, a row each."""
    listed = folder / "originals.csv"
    table[["id_str", "file_loc"]].to_csv(listed, index=False)
    return pd.read_parquet(predict(listed, folder / "originals.parquet", model=model))


def unlikeness(model: str, n: int, folder: Path, files: Sequence[str]) -> dict[str, np.ndarray]:
    """The `unlikeness` of `n` images of each kind; artefacts spoil the galaxies in `files`."""
    found = {}
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
        for index in range(n):
            with Image.open(files[index % len(files)]) as image:
                spoilt = np.asarray(image.convert("RGB").resize((SIDE, SIDE)))
            stranger(kind, index, spoilt).save(folder / kind / f"{index}.jpg", quality=92)
        table = pd.read_parquet(predict(folder / kind, folder / f"{kind}.parquet", model=model))
        found[kind] = table["unlikeness"].to_numpy()
    return found


def print_table(galaxies: np.ndarray, strangers: dict[str, np.ndarray]) -> None:
    """AUROC and share flagged by kind, as Markdown."""
    alarm = (galaxies > 1).mean()
    print(f"\n| image | AUROC against {len(galaxies)} galaxies | flagged, % | n |\n| --- | --- | --- | --- |")
    print(f"| galaxy (false alarms) | – | {100 * alarm:.1f} | {len(galaxies)} |")
    for kind, values in [*strangers.items(), ("all of these", np.concatenate(list(strangers.values())))]:
        truth = np.r_[np.zeros(len(galaxies)), np.ones(len(values))]
        auroc = roc_auc_score(truth, np.r_[galaxies, values])
        print(f"| {kind} | {auroc:.4f} | {100 * (values > 1).mean():.1f} | {len(values)} |")


if __name__ == "__main__":
    sys.exit(main())
