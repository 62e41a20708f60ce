"""Recompute the figures of a model on the shared real galaxies: `make results`.

Packs the test split at the model's own geometry, predicts, and evaluates benchmark 1 (the challenge's true mix of
galaxies: all 37 fractions of `complete_high` rows) and benchmark 2 (five classes). On the test split, also benchmark 1
from the original files of 424 px, and the flag `ood` on images that are no galaxies. Nothing is chosen here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ood import ood_scores, predict_originals, print_table, test_originals

from tuningfork.evaluation import evaluate_predictions, main_figures
from tuningfork.files import write_json
from tuningfork.images import Geometry
from tuningfork.inference import predict_pack
from tuningfork.models import read_manifest
from tuningfork.packs import make_pack
from tuningfork.schemas import load_schema

DATA = Path(__file__).parents[2] / "shared" / "data" / "galaxy-zoo-challenge"


def main() -> int:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--split", default="test", choices=["val", "test"])
    parser.add_argument("--out", type=Path, help="also write the evaluations as JSON here")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the shared galaxies are not at {DATA}; nothing to measure", file=sys.stderr)
        return 2
    geometry = Geometry.from_dict(read_manifest(options.model)["geometry"])
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shards = str(DATA / f"{options.split}-*.parquet")
        pack = make_pack(shards, Path(folder) / "pack", schemas=("gz-challenge", "five-classes"), geometry=geometry)
        predictions = predict_pack(options.model, pack, np.arange(len(pack.pixels)))
        labels = pack.catalog
    true_mix = (labels["block"] == "complete_high").to_numpy()
    benchmarks = {
        "benchmark 1: 37 fractions, true mix": ("gz-challenge", true_mix),
        "benchmark 2: five classes": ("five-classes", labels["five_class"].notna().to_numpy()),
    }
    results = {}
    for title, (schema, rows) in benchmarks.items():
        results[title] = evaluate_predictions(
            predictions[rows].reset_index(drop=True),
            labels[rows].reset_index(drop=True),
            [load_schema(schema)],
            origin=f"{options.split}, {title}",
        )
    if options.split == "test":
        title = "benchmark 1 from the 424 px originals"
        originals = test_originals()
        with tempfile.TemporaryDirectory() as folder:
            seen = predict_originals(options.model, originals, Path(folder))
            if "ood_score" in seen:  # else the model is not calibrated
                others = ood_scores(options.model, 200, Path(folder), list(originals["file_loc"]))
        results[title] = evaluate_predictions(seen, originals, [load_schema("gz-challenge")], origin=f"test, {title}")
    if options.out:
        write_json(options.out, results)
    print(f"| figure ({options.split}) | value | 95 % interval | n |\n| --- | --- | --- | --- |")
    for title, evaluation in results.items():
        for _, name, figure in main_figures(evaluation):
            interval = " to ".join(f"{end:.4f}" for end in figure["interval"] or ())
            print(f"| {title}: {name} | {figure['value']:.4f} | {interval} | {figure['n']} |")
    _print_details(results)
    if options.split == "test" and "ood_score" in seen:
        print_table(seen["ood_score"].to_numpy(), others)
    print(f"\n{time.monotonic() - started:.0f} seconds", file=sys.stderr)
    return 0


def _print_details(results: dict[str, dict]) -> None:
    """The figures question by question and class by class."""
    for title, evaluation in results.items():
        for schema in evaluation["schemas"].values():
            for kind, keys in (
                ("questions", ("rmse", "baseline_rmse", "accuracy", "ece", "coverage", "volunteers")),
                ("classes", ("recall", "precision", "f1")),
            ):
                if kind in schema:
                    print(f"\n| {title} | {' | '.join(keys)} |\n| --- |{' --- |' * len(keys)}")
                for name, entry in schema.get(kind, {}).items():
                    print(f"| {name} | {' | '.join(_cell(entry.get(key)) for key in keys)} |")


def _cell(figure: dict | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    low, high = figure["interval"] or (float("nan"), float("nan"))
    return f"{figure['value']:.3f} ({low:.3f} to {high:.3f}), n = {figure['n']}"


if __name__ == "__main__":
    sys.exit(main())
