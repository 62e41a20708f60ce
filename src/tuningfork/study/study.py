"""A study as TOML: its runs, each a recipe with changes."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tuningfork.errors import RecipeError
from tuningfork.files import read_toml


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


def _root() -> Path:
    return Path(str(files("tuningfork.study") / "studies"))


def bundled_studies() -> list[str]:
    """The names of the studies that ship with the package, such as ``serrano/approaches``."""
    return sorted(path.relative_to(_root()).with_suffix("").as_posix() for path in _root().rglob("*.toml"))


def load_study(name_or_path: str | Path) -> Study:
    """Load a bundled study by name, or one from a TOML file.

    Raises
    ------
    RecipeError
        If there is no such study, or a key of it is unknown, missing or wrong.
    """
    text = str(name_or_path)
    if text in bundled_studies():
        path = _root() / f"{text}.toml"
    elif text.endswith(".toml"):
        path = Path(text)
    else:
        near = get_close_matches(text, bundled_studies(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(
            f"no study named {text!r}; {hint}see `tuningfork study list`, or give a .toml file of your own"
        )
    try:
        return Study.model_validate(read_toml(path, RecipeError))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"study {text}: {where}: {first['msg'][0].lower()}{first['msg'][1:]}") from error
