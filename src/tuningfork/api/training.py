"""Training from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuningfork.api.messages import speaks_python
from tuningfork.api.model import TrainedModel
from tuningfork.api.scratch import scratch_folder
from tuningfork.packs import Pack
from tuningfork.training import Additions, Recipe, changed, load_recipe
from tuningfork.training import train as train_folder

if TYPE_CHECKING:
    import torch
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger


@speaks_python
def train(
    recipe: str | PathLike[str] | Recipe,
    data: Pack | str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
    augmentation: Callable[[torch.Tensor], torch.Tensor] | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    devices: int = 1,
    accelerator: str = "auto",
) -> TrainedModel:
    """Train a model.

    Parameters
    ----------
    recipe : str, path or Recipe
        The name of a bundled recipe such as ``tuningfork/fractions``, a TOML file, or a recipe.
    data : Pack or path
        Labelled galaxies, with a train and a val split.
    out : str or path, optional
        The model folder to write; a killed call goes on when it is made again. Default: a temporary one; see
        `TrainedModel.save`.
    epochs, lr, batch_size, seed : optional
        In place of ``optim.epochs``, ``optim.lr``, ``optim.batch_size`` and ``run.seed`` of the recipe.
    changes : mapping, optional
        Other keys of the recipe and their values, such as ``{"encoder.name": "resnet18"}``.
    augmentation : callable, optional
        After the recipe's own augmentation: training images (N, C, size, size) float32 in 0 to 1 to such images.
    callbacks, loggers : sequence, optional
        Of Lightning, beside our own.
    devices : int
        How many devices to train on.
    accelerator : {'auto', 'cpu', 'gpu', 'mps'}
        On what kind.

    Returns
    -------
    TrainedModel

    Raises
    ------
    RecipeError
        If there is no such recipe or key, or it can't be used with this pack.
    PackError, ModelError
        If the pack can't be opened, `out` holds another run, or the loss is no longer finite.
    """
    short = {"optim.epochs": epochs, "optim.lr": lr, "optim.batch_size": batch_size, "run.seed": seed}
    keys = {key: value for key, value in short.items() if value is not None} | dict(changes or {})
    base = (
        recipe if isinstance(recipe, Recipe) else load_recipe(Path(recipe) if isinstance(recipe, PathLike) else recipe)
    )
    folder = train_folder(
        changed(base, keys),
        data.path if isinstance(data, Pack) else Path(data),
        Path(out) if out is not None else scratch_folder() / "model",
        devices=devices,
        accelerator=accelerator,
        additions=Additions(callbacks, loggers, augmentation),
    )
    return TrainedModel(folder)
