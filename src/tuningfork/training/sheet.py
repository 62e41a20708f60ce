"""What the augmentation of a recipe does to galaxies, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tuningfork.evaluation.style import figure, save, styled
from tuningfork.models import crop
from tuningfork.training.augment import augment
from tuningfork.training.prepare import Material
from tuningfork.training.recipe import Recipe

GALAXIES, DRAWS = 6, 7


def draw_augmented(recipe: Recipe, material: Material, path: Path) -> None:
    """Write a PNG: one galaxy a row, first as validation sees it, then as training may."""
    rows = material.rows["train"]
    chosen = rows[np.linspace(0, len(rows) - 1, min(GALAXIES, len(rows))).astype(int)]
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
