"""Training: recipes, augmentation, the Lightning task and the fit that resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.training.additions import Additions
    from tuningfork.training.augmentation import augment
    from tuningfork.training.fit import fingerprint, train
    from tuningfork.training.places import check_places
    from tuningfork.training.preparation import prepare, resolve
    from tuningfork.training.recipe import bundled_recipes, changed, load_recipe
    from tuningfork.training.tables import Augmentation, Recipe

_HOMES = {
    "Additions": "additions",
    "Augmentation": "tables",
    "Recipe": "tables",
    "augment": "augmentation",
    "bundled_recipes": "recipe",
    "changed": "recipe",
    "check_places": "places",
    "fingerprint": "fit",
    "load_recipe": "recipe",
    "prepare": "preparation",
    "resolve": "preparation",
    "train": "fit",
}

__all__ = [
    "Additions",
    "Augmentation",
    "Recipe",
    "augment",
    "bundled_recipes",
    "changed",
    "check_places",
    "fingerprint",
    "load_recipe",
    "prepare",
    "resolve",
    "train",
]

import_when_asked(__name__, _HOMES)
