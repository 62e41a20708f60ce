"""A study as TOML: its runs, each a recipe with changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tuningfork.bundled import Bundle
from tuningfork.errors import OutputError, RecipeError
from tuningfork.files import read_toml
from tuningfork.jobs import refuse_occupied
from tuningfork.manifests import PackManifest
from tuningfork.training import Recipe, load_recipe

RECORD = "claim.json"  # in the folder of a study: what it was asked for


class StudyRun(BaseModel):
    """One run: a recipe by name or path, and changes to it such as ``optim.lr=1e-3``.

    Its label is the recipe's name unless it is given one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    label: str = ""
    set: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _labelled(cls, table: Any) -> Any:
        if isinstance(table, dict) and not table.get("label"):
            return {**table, "label": table.get("recipe", "")}
        return table


class Study(BaseModel):
    """A group of runs to compare; the first is what the others are compared with. `set` changes them all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    source: str = ""
    set: tuple[str, ...] = ()
    run: tuple[StudyRun, ...] = Field(min_length=1)

    @field_validator("run")
    @classmethod
    def _labels_differ(cls, runs: tuple[StudyRun, ...]) -> tuple[StudyRun, ...]:
        labels = [run.label for run in runs]
        if len(set(labels)) != len(labels):
            raise ValueError("two runs have the same label")
        return runs

    def recipes(self, changes: Sequence[str] = ()) -> list[Recipe]:
        """The recipe of each run, with `changes` after its own.

        Raises
        ------
        RecipeError
            If there is no such recipe, or a key is unknown or its value wrong.
        """
        return [load_recipe(run.recipe, self.changes(run, changes)) for run in self.run]

    def changes(self, run: StudyRun, more: Sequence[str] = ()) -> list[str]:
        """All that a run changes in its recipe, in this order: what the study says, what the run says, and `more`."""
        return [*self.set, *run.set, *more]


def check_places(pack: Path, out: Path) -> None:
    """Refuse what is no pack, and a folder to write that holds anything but a study.

    Raises
    ------
    PackError, OutputError
        If there is no pack or packing has not finished, or `out` is a file or holds something else.
    """
    PackManifest.read(pack)
    if not (out / RECORD).is_file():
        refuse_occupied(out, OutputError)


BUNDLE = Bundle(
    "study",
    "tuningfork.study",
    "studies",
    "**/*.toml",
    RecipeError,
    own="a .toml file of your own",
    see="see `tuningfork study list`",
)


def bundled_studies() -> list[str]:
    """The names of the studies that ship with the package, such as ``serrano/approaches``."""
    return BUNDLE.names()


def load_study(name_or_path: str | Path) -> Study:
    """Load a bundled study by name, or one from a TOML file.

    Parameters
    ----------
    name_or_path : str or path
        Such as ``serrano/approaches``, or a file that ends in .toml.

    Returns
    -------
    Study
        Its `run`, a recipe with changes each, the first of which the others are compared with.

    Raises
    ------
    RecipeError
        If there is no such study, or a key of it is unknown, missing or wrong.

    Examples
    --------
    >>> import tuningfork as tf
    >>> [run.label for run in tf.load_study("deep-galaxies/networks").run]
    ['Small CNN', 'VGG layout', 'ResNet-50', 'ResNet-152']
    """
    try:
        return Study.model_validate(read_toml(BUNDLE.find(name_or_path), RecipeError))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"study {name_or_path}: {where}: {first['msg'][0].lower()}{first['msg'][1:]}") from error
