"""Pictures of what a model is trained on: galaxies as they are, and what the augmentation makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tuningfork.files import whole_file
from tuningfork.models import crop
from tuningfork.plotting.style import figure, save, styled
from tuningfork.training.augmentation import augment
from tuningfork.training.preparation import Material
from tuningfork.training.tables import Recipe

GALAXIES, DRAWS = 6, 7


def draw_augmented(recipe: Recipe, material: Material, path: Path) -> None:
    """Write a PNG: one galaxy a row, first as validation sees it, then as training may."""
    chosen = _chosen(material)
    pixels = torch.from_numpy(material.pack.pixels[chosen])
    view, geometry = material.spec.view, material.spec.geometry
    columns = [crop(pixels, view, geometry)]
    columns += [augment(pixels, view, geometry, recipe.augmentation, seed) for seed in range(DRAWS)]
    with styled():
        drawn = figure("As it is, then as training sees it", 1.1 * len(columns), 1.1 * len(chosen) + 0.45)
        grid = drawn.subplots(len(chosen), len(columns), squeeze=False)
        for column, images in enumerate(columns):
            for row, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
                axes = grid[row][column]
                colour = image.shape[2] == 3
                axes.imshow(image if colour else image[:, :, 0], cmap=None if colour else "gray", vmin=0, vmax=1)
                axes.set_axis_off()
        save(drawn, path)


def draw_training(material: Material, path: Path) -> None:
    """Write a PNG: the same galaxies side by side, as the network sees them, pixel for pixel; one or three channels."""
    seen = crop(torch.from_numpy(material.pack.pixels[_chosen(material)]), material.spec.view, material.spec.geometry)
    channels = 3 if seen.shape[1] == 3 else 1
    strip = np.concatenate(list(seen[:, :channels].permute(0, 2, 3, 1).numpy()), axis=1)
    values = np.rint(255 * strip).astype(np.uint8)
    with whole_file(path) as temporary:
        Image.fromarray(values if channels == 3 else values[:, :, 0]).save(temporary)


def _chosen(material: Material) -> np.ndarray:
    """Rows of the pack: some training galaxies, evenly through the catalogue."""
    rows = material.rows["train"]
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(GALAXIES, len(rows))).astype(int)])
