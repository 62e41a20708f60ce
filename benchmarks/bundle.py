"""Put a trained model into the package, an ensemble with its members: weights, histories and recipes, and a card.

Weights of more than `LARGE` bytes are written in 16 bits.

python benchmarks/bundle.py runs/small default docs/cards/default.md
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from tuningfork.models.folder import load_model, seal

KEPT = ("model.safetensors", "recipe.toml", "history.csv", "card.md", "uncertainty.safetensors")
LARGE = 4_000_000


def main() -> None:
    """Copy the files, then seal the manifest over them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("name")
    parser.add_argument("card", type=Path)
    options = parser.parse_args()
    manifest = json.loads((options.model / "model.json").read_text(encoding="utf-8"))
    parts = manifest.get("members", ["."])
    for needed in [options.card, options.model / KEPT[-1], *(options.model / part / KEPT[0] for part in parts)]:
        if not needed.exists():
            raise SystemExit(f"{needed} is missing; a bundled model is whole and calibrated")
    folder = Path(__file__).parents[1] / "src" / "tuningfork" / "models" / "bundled" / options.name
    shutil.rmtree(folder, ignore_errors=True)
    for part in {*parts, "."}:
        (folder / part).mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            if (options.model / part / name).exists():
                shutil.copy(options.model / part / name, folder / part / name)
        _shorten(folder / part / KEPT[0])
        seal(folder / part, json.loads((options.model / part / "model.json").read_text(encoding="utf-8")))
    shutil.copy(options.card, folder / "card.md")
    seal(folder, manifest)
    load_model(folder)
    print(f"{folder}: {sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:.1f} MB")


def _shorten(weights: Path) -> None:
    if weights.exists() and weights.stat().st_size > LARGE:
        held = load_file(weights)
        save_file({name: each.half() if each.is_floating_point() else each for name, each in held.items()}, weights)
        weights.chmod(0o644)


if __name__ == "__main__":
    main()
