"""Training: recipes, augmentation, the Lightning task and the fit that resumes."""

from tuningfork.training.additions import Additions
from tuningfork.training.augmentation import Augmentation, augment
from tuningfork.training.fit import fingerprint, train
from tuningfork.training.preparation import prepare, resolve
from tuningfork.training.recipe import Recipe, bundled_recipes, changed, load_recipe

__all__ = [
    "Additions",
    "Augmentation",
    "Recipe",
    "augment",
    "bundled_recipes",
    "changed",
    "fingerprint",
    "load_recipe",
    "prepare",
    "resolve",
    "train",
]
