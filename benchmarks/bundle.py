"""Put a trained model into the package: its weights, history and recipe, with a card written by hand.

python benchmarks/bundle.py runs/small default docs/cards/default.md
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from tuningfork.models.folder import seal


def main() -> None:
    """Copy the files, then seal the manifest over them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("name")
    parser.add_argument("card", type=Path)
    options = parser.parse_args()
    folder = Path(__file__).parents[1] / "src" / "tuningfork" / "models" / "bundled" / options.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.safetensors", "recipe.toml", "history.csv", "uncertainty.safetensors"):
        shutil.copy(options.model / name, folder / name)
    shutil.copy(options.card, folder / "card.md")
    seal(folder, json.loads((options.model / "model.json").read_text(encoding="utf-8")))
    print(f"{folder}: {sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
