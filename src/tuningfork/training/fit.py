"""From a recipe and a pack to a model folder; a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import tomli_w
import torch
from lightning.pytorch.trainer.states import TrainerStatus

from tuningfork.errors import ModelError, PackError, RecipeError
from tuningfork.files import (
    TEMPORARY,
    clear_temporaries,
    output_errors,
    read_json,
    sole_run,
    write_json,
    write_text,
)
from tuningfork.models import GalaxyModel, ModelSpec, View, crop, save_model
from tuningfork.models.heads.classes import ClassesHead
from tuningfork.packs import Pack, open_pack
from tuningfork.schemas import Schema
from tuningfork.training.card import model_card
from tuningfork.training.data import BatchRows, loader
from tuningfork.training.recipe import Recipe
from tuningfork.training.task import Task, write_history
from tuningfork.training.trainer import build_trainer, known_warnings, read_checkpoint, stopped_early

log = logging.getLogger(__name__)


def train(recipe: Recipe, pack: str | Path, out: str | Path, *, devices: int = 1, accelerator: str = "auto") -> Path:
    """Train the model of `recipe` on `pack` and write its folder to `out`.

    The checkpoint after each epoch lies in `out`/checkpoints: the same call on a killed run goes on after the last
    whole epoch, and on the CPU ends with the same weights as an unbroken run.

    Raises
    ------
    RecipeError, PackError
        If the recipe can't be used with this pack.
    ModelError
        If `out` holds a run of another recipe or pack.
    """
    folder, data = Path(out), open_pack(pack)
    schemas = _schemas(recipe, data)
    run = {
        "recipe": hashlib.sha256(json.dumps(recipe.model_dump(mode="json")).encode()).hexdigest(),
        "pack": data.manifest["sha256"],
    }
    if _already(folder, run):
        log.info("%s is already trained with this recipe and pack; nothing to do", folder)
        return folder
    L.seed_everything(recipe.run.seed, verbose=False)
    spec = _spec(recipe, data, schemas)
    model = GalaxyModel(spec, pretrained=recipe.encoder.pretrained)
    _check_monitor(recipe, model)
    targets = {schema.name: model.head(schema.name).targets(data.catalog, str(data.path)) for schema in schemas}

    rows = _rows(data, targets)
    for name, head in model.heads.items():
        if isinstance(head, ClassesHead):
            head.balance(targets[name][rows["train"]])
    if not 1 <= devices <= len(rows["val"]):
        raise RecipeError(
            f"{devices} devices can't share {len(rows['val'])} validation galaxies; use fewer, 1 at least"
        )
    batches = -(-len(rows["train"]) // (recipe.optim.batch_size * devices))
    trainer = build_trainer(recipe, folder, devices, accelerator, batches)
    _warn_of_lag(recipe, batches)
    with sole_run(folder, ModelError) if trainer.is_global_zero else nullcontext():
        if trainer.is_global_zero:
            clear_temporaries(folder)
            write_json(folder / "run.json", run)
            resolved = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
            write_text(folder / "recipe.toml", tomli_w.dumps(resolved))
        task = Task(model, recipe, folder / "history.csv")
        _fit(trainer, task, data, targets, rows, folder)
        if trainer.is_global_zero:
            _finish(task, recipe, data, rows, folder, trainer)
            (folder / "lock").unlink()
    return folder


def _schemas(recipe: Recipe, data: Pack) -> list[Schema]:
    held = {schema.name: schema for schema in data.schemas}
    for head in recipe.head:
        if head.schema_name not in held:
            raise RecipeError(
                f"recipe {recipe.name!r} asks for labels of schema {head.schema_name!r}; {data.path} holds "
                f"{', '.join(held) or 'none'}: pack again with --schema {head.schema_name}, or --set head.0.schema=..."
            )
    names = [head.schema_name for head in recipe.head]
    if len(set(names)) != len(names):
        raise RecipeError(f"recipe {recipe.name!r} has two heads for one schema")
    return [held[name] for name in names]


def _warn_of_lag(recipe: Recipe, batches: int) -> None:
    """An average over more steps than the run has is still mostly the untrained weights."""
    steps, ema = recipe.optim.epochs * batches // recipe.optim.accumulate, recipe.run.ema
    if ema is not None and steps * (1 - ema) < 3:
        log.warning(
            "run.ema = %g averages over some %.0f steps and this run has %d: train longer, or lower run.ema",
            ema,
            1 / (1 - ema),
            steps,
        )


def _check_monitor(recipe: Recipe, model: GalaxyModel) -> None:
    """The figure that the fit is judged by must be one it will have."""
    figures = ["val_loss"]
    for name in model.heads:
        figures += [f"val_{name}_loss", f"val_{name}_{model.head(name).metric}"]
    if recipe.run.monitor not in figures:
        raise RecipeError(f"run.monitor = {recipe.run.monitor!r} is not a figure of this run: {', '.join(figures)}")


def _rows(data: Pack, targets: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of the train and val splits that have a label to learn from; each schema needs some in both."""
    rows = {}
    for split in ("train", "val"):
        found = data.rows(split)
        if len(found) == 0:
            raise PackError(f"{data.path} has no galaxies in its {split} split; pack again with --split 0.8/0.1/0.1")
        labelled = np.zeros(len(found), dtype=bool)
        for name, values in targets.items():
            known = ~np.isnan(values[found]).all(axis=1)
            if not known.any():
                raise PackError(f"{data.path}: no galaxy of the {split} split has a label of schema {name!r}")
            labelled |= known
        rows[split] = found[labelled]
    return rows


def _spec(recipe: Recipe, data: Pack, schemas: list[Schema]) -> ModelSpec:
    view = View(recipe.input.field, recipe.input.size)
    view.scale(data.geometry)
    mean, std = _colours(data, view, recipe.run.seed)
    return ModelSpec(
        encoder=recipe.encoder.name,
        options=recipe.encoder.options,
        geometry=data.geometry,
        view=view,
        mean=mean,
        std=std,
        heads=recipe.head,
        schemas=tuple(schemas),
    )


def _colours(data: Pack, view: View, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over a thousand training galaxies, in 0 to 1."""
    sample = np.sort(np.random.default_rng(seed).permutation(data.rows("train"))[:1000])
    sums = torch.zeros(2, data.geometry.channels, dtype=torch.float64)
    for rows in np.array_split(sample, -(-len(sample) // 50)):
        images = crop(torch.from_numpy(data.pixels[rows]), view, data.geometry).double()
        sums += torch.stack([images.sum(dim=(0, 2, 3)), images.square().sum(dim=(0, 2, 3))])
    mean, square = sums / (len(sample) * view.size**2)
    std = (square - mean**2).clamp(min=1e-6).sqrt()
    return tuple(round(float(x), 4) for x in mean), tuple(round(float(x), 4) for x in std)


def _already(folder: Path, run: dict[str, Any]) -> bool:
    """Whether this run has finished in `folder`; a folder that holds anything else is refused."""
    claim = folder / "run.json"
    if claim.exists():
        if read_json(claim, ModelError) != run:
            raise ModelError(f"{folder} holds a run of another recipe or pack; choose another folder, or remove it")
        return (folder / "model.json").exists()
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if any(name != "lock" and not name.startswith(TEMPORARY) for name in names) or (
        folder.exists() and not folder.is_dir()
    ):
        raise ModelError(f"{folder} exists and is not a training run; choose another folder")
    return False


def _fit(
    trainer: L.Trainer,
    task: Task,
    data: Pack,
    targets: dict[str, np.ndarray],
    rows: dict[str, np.ndarray],
    folder: Path,
) -> None:
    """Fit from the start or from the last whole epoch."""
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists():
        log.info("going on from the last whole epoch of %s", folder)
        checkpoint = read_checkpoint(last)
        if stopped_early(checkpoint):
            task.on_load_checkpoint(checkpoint)
            return
    optim, seed = task.recipe.optim, task.recipe.run.seed
    rank, world = trainer.global_rank, trainer.world_size
    batches = BatchRows(rows["train"], optim.batch_size, seed=seed, shuffle=True, rank=rank, world=world)
    checks = BatchRows(rows["val"], optim.batch_size, rank=rank, world=world)
    with known_warnings(), output_errors(folder):
        try:
            trainer.fit(
                task,
                loader(data, targets, batches),
                loader(data, targets, checks),
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
        except SystemExit as error:  # what Lightning makes of Ctrl-C
            if trainer.state.status == TrainerStatus.INTERRUPTED:
                raise KeyboardInterrupt from error
            raise


def _finish(
    task: Task,
    recipe: Recipe,
    data: Pack,
    rows: dict[str, np.ndarray],
    folder: Path,
    trainer: L.Trainer,
) -> None:
    """Keep the chosen weights, and write the folder's manifest last."""
    chosen = folder / "checkpoints" / ("best.ckpt" if recipe.run.keep == "best" else "last.ckpt")
    state = read_checkpoint(chosen)
    task.load_state_dict(state["state_dict"])
    epoch = int(state["epoch"]) + 1
    row = next(row for row in task.history if row["epoch"] == epoch)
    record: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json", by_alias=True),
        "data": {
            "pack": data.path.name,
            "sha256": data.manifest["sha256"],
            "n": {split: len(which) for split, which in rows.items()},
        },
        "figures": {name: value for name, value in row.items() if name.startswith("val")} | {"epoch": epoch},
        "training": {
            "seconds": round(sum(entry["seconds"] for entry in task.history), 1),
            "device": str(trainer.strategy.root_device),
            "torch": torch.__version__,
        },
    }
    write_history(task.history, folder / "history.csv")
    write_text(folder / "card.md", model_card(recipe, record, data))
    save_model(task.judged, folder, record)
