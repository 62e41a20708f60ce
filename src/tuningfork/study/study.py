"""A study as TOML: its runs, each a recipe with changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tuningfork.bundled import Bundle
from tuningfork.errors import OutputError, RecipeError
from tuningfork.files import read_toml
from tuningfork.jobs import Inputs, Job, within
from tuningfork.manifests import PackManifest, StudyManifest
from tuningfork.training import Recipe, load_recipe
from tuningfork.training.places import fixed, recorded

_RECORD = "claim.json"  # in the folder of a study: what it was asked for


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


@dataclass(frozen=True)
class Rows:
    """The rows of a pack that the runs of a study are compared on: of a split, those with values ``column=value``."""

    split: str = "val"
    where: Sequence[str] = ()


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


def study_job(runs: Sequence[Mapping[str, Any]], rows: Rows, out: Path) -> Job:
    """The job that runs a study; `runs` are what fixes each of its models."""
    asked = {"runs": list(runs), "split": rows.split, "rows": list(rows.where)}
    return Job(Inputs("study", StudyManifest.VERSION, asked), out, within(out), record=out / _RECORD)


def check_places(recipes: Sequence[Recipe], rows: Rows, pack: Path, out: Path) -> None:
    """Refuse what is no pack, and a folder to write that holds anything but a study of these recipes on this pack.

    Raises
    ------
    PackError, OutputError
        If there is no pack or packing has not finished, or `out` is a file or holds something else.
    """
    hashes = PackManifest.read(pack).sha256
    earlier = recorded(out / _RECORD, OutputError).get("runs")
    known = [run if isinstance(run, dict) else {} for run in earlier] if isinstance(earlier, list) else []
    known += [{}] * (len(recipes) - len(known))
    runs = [run | fixed(recipe, hashes) for run, recipe in zip(known, recipes, strict=False)]
    study_job(runs, rows, out).refuse_others()


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
