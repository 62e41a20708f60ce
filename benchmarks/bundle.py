"""Put a trained model into the package, an ensemble with its members: weights, histories and recipes, and a card.

python benchmarks/bundle.py runs/small default docs/cards/default.md
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from tuningfork.models.folder import seal

KEPT = ("model.safetensors", "recipe.toml", "history.csv", "uncertainty.safetensors")


def main() -> None:
    """Copy the files, then seal the manifest over them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("name")
    parser.add_argument("card", type=Path)
    options = parser.parse_args()
    folder = Path(__file__).parents[1] / "src" / "tuningfork" / "models" / "bundled" / options.name
    shutil.rmtree(folder, ignore_errors=True)
    manifest = json.loads((options.model / "model.json").read_text(encoding="utf-8"))
    for part in [*manifest.get("members", []), "."]:
        (folder / part).mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            if (options.model / part / name).exists():
                shutil.copy(options.model / part / name, folder / part / name)
        seal(folder / part, json.loads((options.model / part / "model.json").read_text(encoding="utf-8")))
    shutil.copy(options.card, folder / "card.md")
    seal(folder, manifest)
    print(f"{folder}: {sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
