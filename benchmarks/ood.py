"""How well the flag `ood` tells images that are no galaxies: `python benchmarks/ood.py`.

For each kind of `other_images.py` the AUROC of `ood_score` against the galaxies of the test split with the challenge's
true mix, and the share that is flagged. The false alarms are the galaxies flagged. With `--renderings` the same of
galaxies as `renderings.py` shows them, with the RMSE of their answers and that which was to be expected.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from other_images import KINDS, SIDE, other_image
from PIL import Image
from renderings import RENDERINGS, rendered
from sklearn.metrics import roc_auc_score

from tuningfork.engines import load_engine
from tuningfork.errors import ImageError
from tuningfork.images import decode
from tuningfork.inference import predict
from tuningfork.inference.confidence import confidence
from tuningfork.models import load_model

DATA = Path(__file__).parents[2] / "shared" / "data" / "galaxy-zoo-challenge"


def main() -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--n", type=int, default=200, help="images of each kind")
    parser.add_argument("--renderings", action="store_true", help="galaxies in other renderings instead")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the shared galaxies are not at {DATA}; nothing to measure", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        table = test_originals()
        if options.renderings:
            print_renderings(options.model, table.head(options.n))
            return 0
        galaxies = predict_originals(options.model, table, Path(folder))["ood_score"].to_numpy()
        print_table(galaxies, ood_scores(options.model, options.n, Path(folder), list(table["file_loc"])))
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


def ood_scores(model: str, n: int, folder: Path, files: Sequence[str]) -> dict[str, np.ndarray]:
    """The `ood_score` of `n` images of each kind; artefacts spoil the galaxies in `files`."""
    found = {}
    for kind in KINDS:
        (folder / kind).mkdir(parents=True)
        for index in range(n):
            with Image.open(files[index % len(files)]) as image:
                spoilt = np.asarray(image.convert("RGB").resize((SIDE, SIDE)))
            other_image(kind, index, spoilt).save(folder / kind / f"{index}.jpg", quality=92)
        out = folder / f"{kind}.parquet"
        with suppress(ImageError):  # all of them are refused; the table is written all the same
            predict(folder / kind, out, model=model)
        found[kind] = pd.read_parquet(out)["ood_score"].to_numpy(dtype=float)
    return found


def print_renderings(model: str, table: pd.DataFrame) -> None:
    """The galaxies of `table` in each rendering, the costliest first, as Markdown.

    RMSE, and that which was to be expected, relative to it with a 95 % interval; AUROC and share flagged, as the first
    part of the flag alone raises it, by what the encoder makes of an image, and as it is.
    """
    columns = [name for name in table if name.startswith("Class")]
    network, rows = load_model(model), []
    known, schemas = network.uncertainty, {schema.name: schema for schema in network.schemas}
    load_engine(network, "torch", torch.device("cpu"))
    frames = [np.asarray(Image.open(file).convert("RGB").reduce(2)) for file in table["file_loc"]]
    for name in RENDERINGS:
        pixels = np.stack([decode(rendered(name, frame), network.spec.geometry)[0] for frame in frames])
        seen = network.infer(torch.from_numpy(pixels), known.views)
        sure = confidence(seen, network.seen(torch.from_numpy(pixels), seen.places), known, schemas)
        squared = ((seen.answers["gz-challenge"].numpy() - table[columns].to_numpy()) ** 2).mean(axis=1)
        flags = known.mahalanobis.distance(seen.features.numpy()), sure.ood_score
        rows.append((name, squared, sure.expected_rmse["gz-challenge"] ** 2, flags))
        print(name, file=sys.stderr, flush=True)
    usual = rows[0][3]
    print("| rendering | RMSE | expected | of the RMSE | AUROC, features alone | flagged, % | AUROC | flagged, % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, squared, expected, flags in sorted(rows, key=lambda row: -row[1].mean()):
        cells = [
            f"{_auroc(own, found):.3f} | {100 * (found > 1).mean():.0f}"
            for own, found in zip(usual, flags, strict=True)
        ]
        figures = f"{np.sqrt(squared.mean()):.3f} | {np.sqrt(expected.mean()):.3f} | {_ratio(squared, expected)}"
        print(f"| {name} | {figures} | {' | '.join(cells)} |")


def _ratio(squared: np.ndarray, expected: np.ndarray) -> str:
    """What the RMSE to be expected is of that of the same N galaxies, with its interval."""

    def once(rng: np.random.Generator) -> float:
        drawn = rng.integers(0, len(squared), len(squared))
        return float(np.sqrt(expected[drawn].mean() / squared[drawn].mean()))

    return f"{np.sqrt(expected.mean() / squared.mean()):.2f} ({_interval(once)})"


def print_table(galaxies: np.ndarray, others: dict[str, np.ndarray]) -> None:
    """AUROC and share flagged by kind with bootstrap intervals over images, as Markdown.

    What is refused because it shows nothing is reported, and counts as flagged, as far from galaxies as can be.
    """
    galaxies = galaxies[~np.isnan(galaxies)]
    alarms = _interval(lambda rng: 100 * (rng.choice(galaxies, len(galaxies)) > 1).mean())
    print(f"\n| image | AUROC against {len(galaxies)} galaxies | flagged, % | of these refused, % | n |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| galaxy (false alarms) | – | {100 * (galaxies > 1).mean():.1f} ({alarms}) | – | {len(galaxies)} |")
    for kind, found in [*others.items(), ("all of these", np.concatenate(list(others.values())))]:
        values = np.nan_to_num(found, nan=1e6)
        interval = _interval(
            lambda rng, values=values: _auroc(rng.choice(galaxies, len(galaxies)), rng.choice(values, len(values)))
        )
        flagged = 100 * (values > 1).mean()
        refused = 100 * np.isnan(found).mean()
        print(
            f"| {kind} | {_auroc(galaxies, values):.4f} ({interval}) | {flagged:.1f} | {refused:.0f} | {len(values)} |"
        )


def _auroc(galaxies: np.ndarray, others: np.ndarray) -> float:
    truth = np.r_[np.zeros(len(galaxies)), np.ones(len(others))]
    return float(roc_auc_score(truth, np.r_[galaxies, others]))


def _interval(draw: Callable[[np.random.Generator], float]) -> str:
    """The 95 % interval of a figure over 300 resamples, seed 0."""
    rng = np.random.default_rng(0)
    low, high = np.quantile([draw(rng) for _ in range(300)], [0.025, 0.975])
    return f"{low:.4g} to {high:.4g}"


if __name__ == "__main__":
    sys.exit(main())
