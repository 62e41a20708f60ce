"""A recipe: everything that decides how a model is trained, as TOML, checked before anything starts."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from tuningfork.bundled import Bundle
from tuningfork.errors import RecipeError
from tuningfork.files import read_toml
from tuningfork.training.tables import Recipe

log = logging.getLogger(__name__)

OF_KIND = ("loss", "class_weights", "label_smoothing", "quantity_weights")  # of a head, what goes with its kind

BUNDLE = Bundle(
    "recipe",
    "tuningfork.training",
    "recipes",
    "**/*.toml",
    RecipeError,
    own="a .toml file of your own",
    see="see `tuningfork recipes`",
)


def bundled_recipes() -> list[str]:
    """The names of the recipes that ship with the package.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> import tuningfork as tf
    >>> "tuningfork/fractions" in tf.bundled_recipes()
    True
    """
    return BUNDLE.names()


def load_recipe(name_or_path: str | Path, changes: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Load a bundled recipe by name, or one from a TOML file.

    Parameters
    ----------
    name_or_path : str or path
        Such as ``tuningfork/fractions``, or a file that ends in .toml.
    changes : sequence of str
        Other values of some keys, such as ``optim.lr=1e-3``. Where they name another encoder, the recipe's own
        `encoder.options` are left out: they are for the recipe's encoder. Where they name another kind of head, so are
        the options that this head has for its own kind: `loss`, `class_weights`, `label_smoothing`, `quantity_weights`.

    Returns
    -------
    Recipe

    Raises
    ------
    RecipeError
        If there is no such recipe, or a key is unknown or its value wrong; the nearest right key is named.

    Examples
    --------
    >>> import tuningfork as tf
    >>> tf.load_recipe("tuningfork/fractions", ["optim.epochs=5"]).optim.epochs
    5
    """
    path = BUNDLE.find(name_or_path)
    table = read_toml(path, RecipeError)
    table.setdefault("name", path.stem)
    left_out = _apply(table, [_read(change) for change in changes])
    recipe = check_recipe(table, " ".join([f"recipe {name_or_path}", *(f"--set {change}" for change in changes)]))
    _say(left_out)
    return recipe


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with other values of some keys, such as ``{"optim.lr": 1e-3}``; see `load_recipe`.

    Raises
    ------
    RecipeError
        If a key is unknown or a value wrong.
    """
    if not changes:
        return recipe
    table = recipe.model_dump(mode="json", by_alias=True)  # lists, as TOML has them
    left_out = _apply(table, [_Change(path, value, path) for path, value in changes.items()])
    recipe = check_recipe(table, f"recipe {recipe.name} with {', '.join(changes)}")
    _say(left_out)
    return recipe


def check_recipe(table: dict[str, Any], origin: str) -> Recipe:
    """Build a recipe from a parsed table; the first thing wrong with it becomes a `RecipeError`."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise RecipeError(f"{origin}: {_explain(error)}") from error


@dataclass(frozen=True)
class _Change:
    """One key of a recipe, ``a.b.0.c``, its new value, and how it was asked for."""

    path: str
    value: Any
    said: str


def _read(change: str) -> _Change:
    """Read ``a.b.0.c=value``; the value is TOML, or plain text where that fails."""
    path, equals, text = change.partition("=")
    if not equals:
        raise RecipeError(f"--set {change}: write it as key=value, such as optim.lr=1e-3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return _Change(path.strip(), value, f"--set {change}")


def _apply(table: dict[str, Any], changes: list[_Change]) -> list[str]:
    """Set keys of a nested table. Another encoder, or kind of head, leaves out what the table has for its own: that."""
    values = {change.path: change.value for change in changes}
    left_out = _leave_out(table.get("encoder"), "encoder", "name", ("options",), values)
    heads = table.get("head")
    for number, head in enumerate(heads if isinstance(heads, list) else ()):
        left_out += _leave_out(head, f"head.{number}", "kind", OF_KIND, values)
    for change in changes:
        _put(table, change)
    return left_out


def _leave_out(part: Any, path: str, name: str, own: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Take from a part of the table what is its `own`, where the changes' `values` give it another `name`."""
    if not isinstance(part, dict) or values.get(f"{path}.{name}", part.get(name)) == part.get(name):
        return []
    taken = [(key, part.pop(key, None)) for key in own]
    return [f"{path}.{key} = {value} is left out: it is for {part.get(name)}" for key, value in taken if value]


def _say(left_out: Sequence[str]) -> None:
    """Log what was left out of a recipe that is sound; of another the error alone is said."""
    for line in left_out:
        log.info("%s", line)


def _put(table: dict[str, Any], change: _Change) -> None:
    *parents, last = change.path.split(".")
    node: Any = table
    for key in parents:
        if not isinstance(node, dict | list):
            raise RecipeError(f"{change.said}: there is no {key!r}")
        try:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
        except (ValueError, IndexError) as error:
            raise RecipeError(f"{change.said}: there is no {key!r}") from error
    if not isinstance(node, dict):
        raise RecipeError(f"{change.said}: {'.'.join(parents)} holds no keys")
    node[last] = change.value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    location = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{location} is missing; add it (docs/recipes.md has every key)"
    if first["type"] == "value_error" and isinstance(first["input"], dict):  # of keys together: no value to show
        return ": ".join(filter(None, (location, str(first["ctx"]["error"]))))
    if first["type"] != "extra_forbidden":
        return f"{location}: {first['msg'][0].lower()}{first['msg'][1:]} (it is {first['input']!r})"
    known = _keys_beside(first["loc"])
    near = get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
    return f"unknown key {location!r}; " + (f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}")


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at `location` does take."""
    table: Any = Recipe
    for part in location[:-1]:
        if isinstance(part, str) and part in table.model_fields:
            kind = table.model_fields[part].annotation
            table = next(iter(get_args(kind)), kind)
    return [field.alias or name for name, field in table.model_fields.items()]
