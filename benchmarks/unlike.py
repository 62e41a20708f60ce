"""How well the flag `unlike` tells images that are no galaxies: `python benchmarks/unlike.py`.

For each kind of `strangers.py` the AUROC of `unlikeness` against the galaxies of the test split with the challenge's
true mix, and the share that is flagged. The false alarms are the galaxies flagged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
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
        print_table(unlikeness(options.model, options.n, Path(folder)))
    return 0


def unlikeness(model: str, n: int, folder: Path) -> dict[str, np.ndarray]:
    """The `unlikeness` of `n` images of each kind, and, under "galaxy", of the test galaxies of the true mix."""
    shards = sorted(DATA.glob("test-*.parquet"))
    table = pd.concat([pd.read_parquet(shard, columns=["id_str", "block"]) for shard in shards])
    mix = set(table.loc[table["block"] == "complete_high", "id_str"])
    native = DATA / "native" / "images_training_rev1"
    galaxies = sorted(path for path in native.glob("*.jpg") if path.stem in mix)
    made = folder / "strangers"
    for kind in KINDS:
        (made / kind).mkdir(parents=True)
        for index in range(n):
            with Image.open(galaxies[index % len(galaxies)]) as image:
                spoilt = np.asarray(image.convert("RGB").resize((SIDE, SIDE)))
            stranger(kind, index, spoilt).save(made / kind / f"{index}.jpg", quality=92)
    found = {
        kind: pd.read_parquet(predict(made / kind, folder / f"{kind}.parquet", model=model))["unlikeness"].to_numpy()
        for kind in KINDS
    }
    listed = folder / "galaxies.csv"
    pd.DataFrame({"id_str": [p.stem for p in galaxies], "file_loc": [str(p.resolve()) for p in galaxies]}).to_csv(
        listed, index=False
    )
    seen = pd.read_parquet(predict(listed, folder / "galaxies.parquet", model=model))
    return {"galaxy": seen["unlikeness"].to_numpy()} | found


def print_table(found: dict[str, np.ndarray]) -> None:
    """AUROC and share flagged by kind, as Markdown."""
    galaxies = found["galaxy"]
    alarm = (galaxies > 1).mean()
    print(f"\n| image | AUROC against {len(galaxies)} galaxies | flagged, % | n |\n| --- | --- | --- | --- |")
    print(f"| galaxy (false alarms) | – | {100 * alarm:.1f} | {len(galaxies)} |")
    strangers = {kind: values for kind, values in found.items() if kind != "galaxy"}
    for kind, values in [*strangers.items(), ("all of these", np.concatenate(list(strangers.values())))]:
        truth = np.r_[np.zeros(len(galaxies)), np.ones(len(values))]
        auroc = roc_auc_score(truth, np.r_[galaxies, values])
        print(f"| {kind} | {auroc:.4f} | {100 * (values > 1).mean():.1f} | {len(values)} |")


if __name__ == "__main__":
    sys.exit(main())
