"""The picture and the table at the top of README.md: `python benchmarks/readme.py`.

Five galaxies of the validation split, chosen by eye as examples of their kind, and what the bundled model says of them.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image

import tuningfork as tf

ROOT = Path(__file__).parents[1]
GALAXIES = ROOT.parent / "shared" / "data" / "galaxy-zoo-challenge" / "val-00000-of-00001.parquet"
CHOSEN = ("996186", "957236", "955788", "975559", "988794")
SIDE, KEPT, GAP = 220, 0.6, 6  # pixels; share of the frame that is shown


def main() -> None:
    """Write docs/images/galaxies.jpg and print the table."""
    images = pd.read_parquet(GALAXIES, columns=["id_str", "image"]).set_index("id_str")["image"]
    sheet = Image.new("RGB", (len(CHOSEN) * (SIDE + GAP) - GAP, SIDE), "white")
    with tempfile.TemporaryDirectory() as name:
        files = []
        for place, galaxy in enumerate(CHOSEN):
            files.append(Path(name) / f"{galaxy}.jpg")
            files[-1].write_bytes(images[galaxy]["bytes"])
            sheet.paste(_centre(Image.open(io.BytesIO(images[galaxy]["bytes"]))), (place * (SIDE + GAP), 0))
        table = tf.load_model().predict(files)
    sheet.save(ROOT / "docs" / "images" / "galaxies.jpg", quality=88)
    print("| galaxy | smooth | spiral arms | edge-on | something odd | `five_class` |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in table.to_dict("records"):
        answers = ("smooth_or_featured_smooth", "spiral_arms_yes", "edge_on_yes", "anything_odd_yes")
        cells = [f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})" for name in answers]
        print(f"| {row['id_str']} | {' | '.join(cells)} | {row['five_class']} |")


def _centre(image: Image.Image) -> Image.Image:
    width, height = image.size
    cut_x, cut_y = width * (1 - KEPT) / 2, height * (1 - KEPT) / 2
    box = (cut_x, cut_y, width - cut_x, height - cut_y)
    return image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)


if __name__ == "__main__":
    main()
