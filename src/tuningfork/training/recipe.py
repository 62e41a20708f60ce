"""A recipe: everything that decides how a model is trained, as TOML, checked before anything starts."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tuningfork.bundled import Bundle
from tuningfork.errors import RecipeError
from tuningfork.files import read_toml
from tuningfork.models.heads import HeadSpec
from tuningfork.training.augmentation import Augmentation

log = logging.getLogger(__name__)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReportedTable(_Table):
    """A figure that the recipe's source reports, such as accuracy 0.775, and the galaxies it was measured on."""

    figure: str
    value: float
    on: str


class EncoderTable(_Table):
    """`name`: one of ours or of timm's. `pretrained` loads weights trained on pictures. `options` go to the network.

    `start` takes the weights of the encoder of another model: a model folder, or ``default``, the bundled one.
    """

    name: str
    pretrained: bool = False
    start: str = ""
    options: dict[str, Any] = {}


class InputTable(_Table):
    """What the network sees: the central `field` of the frame, at `size` pixels.

    `normalise` takes from each channel its mean over the training galaxies and divides by its standard deviation.
    """

    field: float = Field(gt=0, le=1)
    size: int = Field(ge=8, le=2048)
    normalise: bool = True


class TransferTable(_Table):
    """How an encoder that knows something already is trained on (Howard & Ruder 2018, arXiv:1801.06146).

    The encoder keeps its weights for `frozen` epochs (``"all"``: for ever), in which the heads learn. Then its last
    stage is released, and after every `unfreeze` epochs more the stage before it; 0 releases all at once. The schedule
    of the rate runs anew from each release. The rate of each stage is `decay` times that of the stage after it; the
    heads have the full rate. With `heads`, the heads of the model that the encoder starts from are taken too.
    """

    frozen: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    unfreeze: int = Field(0, ge=0)
    decay: float = Field(1.0, gt=0, le=1)
    heads: bool = False

    @model_validator(mode="after")
    def _frozen_first(self) -> TransferTable:
        if self.unfreeze and self.frozen in (0, "all"):
            raise ValueError("unfreeze needs a number of frozen epochs before it")
        return self


class OptimTable(_Table):
    """The optimiser, its schedule and its length.

    With `find_lr` a short test before the run chooses the rate in place of `lr` (see `training.lr_finder`). `warmup` is
    the fraction of steps over which the rate rises to it; after that `one-cycle` and `cosine` fall to (nearly) nothing
    and `constant` stays. `accumulate` batches make one step. `clip` bounds the gradient's norm.
    """

    name: Literal["adamw", "adam", "adamax", "sgd"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    find_lr: bool = False
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    warmup: float = Field(0.25, ge=0, lt=1)
    epochs: int = Field(20, ge=1)
    batch_size: int = Field(128, ge=1)
    accumulate: int = Field(1, ge=1)
    clip: float | None = Field(None, gt=0)


class RunTable(_Table):
    """How the fit is run and judged.

    `galaxies` trains on that many galaxies of the train split, drawn by the seed (none: on all). `ema` is the decay of
    the exponential moving average of the weights, which is then what is validated and kept (none: the weights
    themselves). `patience` stops after that many epochs without a better `monitor`. `keep` chooses the weights of the
    best epoch by `monitor`, or those of the last; `save_every` keeps a checkpoint of every so many epochs besides.
    """

    seed: int = 0
    galaxies: int | None = Field(None, ge=1)
    ema: float | None = Field(None, gt=0, lt=1)
    precision: Literal["32", "bf16", "16"] = "32"
    patience: int | None = Field(None, ge=1)
    monitor: str = "val_loss"
    keep: Literal["best", "last"] = "best"
    save_every: int | None = Field(None, ge=1)


class Recipe(_Table):
    """A whole recipe: everything that decides how a model is trained. Made by `load_recipe`.

    Parameters
    ----------
    name, title, source : str
        What it is called, and where it comes from.
    reported : tuple of tables
        The figures that the source reports: `figure`, `value`, and `on`, the galaxies they were measured on.
    encoder : table
        The network: `name`, `pretrained`, `start`, `options`.
    input : table
        What it sees: `field` (a fraction of the frame), `size` (pixels), `normalise`.
    head : tuple of tables
        One a schema: `schema`, `kind`, `loss` and more.
    augmentation, transfer, optim, run : table
        How training images are changed, how a trained encoder is trained on, the optimiser and the length of the run.
    """

    name: str
    title: str = ""
    source: str = ""
    reported: tuple[ReportedTable, ...] = ()
    encoder: EncoderTable
    input: InputTable
    head: tuple[HeadSpec, ...] = Field(min_length=1)
    augmentation: Augmentation = Augmentation()
    transfer: TransferTable = TransferTable()
    optim: OptimTable = OptimTable()
    run: RunTable = RunTable()

    @model_validator(mode="after")
    def _heads_from_somewhere(self) -> Recipe:
        if self.transfer.heads and not self.encoder.start:
            raise ValueError("transfer.heads needs encoder.start, the model to take them from")
        return self


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
        `encoder.options` are left out: they are for the recipe's encoder.

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
    _apply(table, [_read(change) for change in changes])
    return check_recipe(table, " ".join([f"recipe {name_or_path}", *(f"--set {change}" for change in changes)]))


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
    _apply(table, [_Change(path, value, path) for path, value in changes.items()])
    return check_recipe(table, f"recipe {recipe.name} with {', '.join(changes)}")


def check_recipe(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from a parsed table; the first thing wrong with it becomes a `RecipeError`."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from error


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


def _apply(table: dict[str, Any], changes: list[_Change]) -> None:
    """Set keys of a nested table. Another encoder leaves out the options of the table's own."""
    encoder = table.get("encoder")
    names = [change.value for change in changes if change.path == "encoder.name"]
    if isinstance(encoder, dict) and encoder.get("options") and names and names[-1] != encoder.get("name"):
        options = encoder.pop("options")
        log.info("encoder.options = %s of %s are left out", options, encoder.get("name"))
    for change in changes:
        _put(table, change)


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
