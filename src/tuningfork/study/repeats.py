"""The runs of a study, each repeated with as many seeds as asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuningfork.study.study import Study
from tuningfork.training import Recipe
from tuningfork.training.recipe import changed

SEED = "run.seed"


@dataclass(frozen=True)
class Repeat:
    """One training: which run of the study (from 0), its recipe with its seed, what it changes, and its folder."""

    index: int
    label: str
    recipe: Recipe
    name: str
    changes: tuple[str, ...]
    folder: str

    @property
    def seed(self) -> int:
        """Of the training."""
        return self.recipe.run.seed

    def row(self) -> dict[str, Any]:
        """What is known of it before it is trained."""
        reported = [entry.model_dump() for entry in self.recipe.reported]
        return {
            "label": self.label,
            "seed": self.seed,
            "recipe": self.name,
            "changes": list(self.changes),
            "reported": reported,
        }


def repeats_of(study: Study, changes: Sequence[str], seeds: int) -> list[Repeat]:
    """Every training: first each run with its recipe's own seed, then each with the next, so that a part compares."""
    recipes = study.recipes(changes)
    return [
        _repeat(study, changes, index, recipes[index], further if seeds > 1 else None)
        for further in range(seeds)
        for index in range(len(recipes))
    ]


def _repeat(study: Study, changes: Sequence[str], index: int, recipe: Recipe, further: int | None) -> Repeat:
    """A run with the `further`-th seed after its own; None where it is trained but once."""
    run = study.run[index]
    made = tuple(study.changes(run, changes))
    folder = f"{index + 1:02d}-{re.sub(r'[^a-z0-9]+', '-', run.label.lower()).strip('-')}"
    if further is None:
        return Repeat(index, run.label, recipe, run.recipe, made, folder)
    seed = recipe.run.seed + further
    seeded = changed(recipe, {SEED: seed})
    return Repeat(index, run.label, seeded, run.recipe, (*made, f"{SEED}={seed}"), f"{folder}-seed{seed}")
