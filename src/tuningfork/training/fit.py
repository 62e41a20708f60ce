"""From a recipe and a pack to a model folder; a killed run goes on where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import lightning as L
import tomli_w
import torch
from lightning.pytorch.trainer.states import TrainerStatus

from tuningfork.errors import ModelError, RecipeError
from tuningfork.files import output_errors, write_text
from tuningfork.manifests import ModelManifest
from tuningfork.models import TRAINING, GalaxyModel, save_model
from tuningfork.packs import Pack, open_pack
from tuningfork.training.additions import Additions
from tuningfork.training.card import model_card
from tuningfork.training.data import Batch, BatchRows, loader
from tuningfork.training.lr_finder import find_rate
from tuningfork.training.places import fixed, training_job
from tuningfork.training.preparation import Given, Material, build_model, prepare, resolve
from tuningfork.training.sheet import draw_augmented, draw_training
from tuningfork.training.tables import Recipe
from tuningfork.training.task import Task, write_history
from tuningfork.training.trainer import (
    build_trainer,
    hardware,
    is_out_of_memory,
    known_warnings,
    read_checkpoint,
    stopped_early,
)

log = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    pack: str | Path,
    out: str | Path,
    *,
    devices: int = 1,
    nodes: int = 1,
    accelerator: str = "auto",
    additions: Additions | None = None,
) -> Path:
    """Train the model of `recipe` on `pack` and write its folder to `out`, with `devices` of each of `nodes` machines.

    `additions` are callbacks, loggers and an augmentation of the caller's own.

    The checkpoint after each epoch lies in `out`/checkpoints: the same call on a killed run goes on after the last
    whole epoch, and on the CPU ends with the same weights as an unbroken run. Batches that don't fit into memory are
    halved, and as many more of them make a step. Several devices share each batch, and train the model that one would
    to float precision (where a recipe has no dropout; what is dropped depends on the device).

    Raises
    ------
    RecipeError, PackError
        If the recipe can't be used with this pack.
    ModelError
        If `out` holds a run of another recipe or pack, the loss is no longer finite, or no batch fits into memory.
    """
    folder, data = Path(out), open_pack(pack)
    additions, given = additions or Additions(), resolve(recipe)
    job = training_job(fingerprint(recipe, data, given) | additions.fingerprint(), folder)
    job.refuse_others()
    if job.begun and (folder / ModelManifest.NAME).exists():
        job.clear()
        log.info("%s is already trained with this recipe and pack; nothing to do", folder)
        return folder
    world = devices * nodes
    if world > 1 and recipe.optim.find_lr:
        raise RecipeError("optim.find_lr works on one device; find the rate there, then set it")
    L.seed_everything(recipe.run.seed, verbose=False)
    material = replace(prepare(recipe, data, given), additions=additions)
    batches = _sampler(recipe, material, world=world)
    shared = min(recipe.optim.batch_size, batches.drawn, len(material.rows["val"]))
    if not 1 <= world <= shared:
        raise RecipeError(
            f"{world} devices can't share batches of {recipe.optim.batch_size} of {batches.drawn} training and "
            f"{len(material.rows['val'])} validation galaxies; use at most {shared}"
        )
    trainer = build_trainer(
        recipe, folder, accelerator, len(batches), devices=devices, nodes=nodes, additions=additions
    )
    model = build_model(recipe, material)  # before the folder is claimed: weights may be out of reach
    with job.run() if trainer.is_global_zero else nullcontext():
        if trainer.is_global_zero:
            resolved = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
            write_text(folder / "recipe.toml", tomli_w.dumps(resolved))
            draw_augmented(recipe, material, folder / "augmented.png")
            draw_training(material, folder / TRAINING)
        task = _fit_in_memory(recipe, material, folder, trainer, model)
        if trainer.is_global_zero:
            _finish(task, recipe, material, folder)
            job.finish()
    return folder


def fingerprint(recipe: Recipe, pack: Pack, given: Given) -> dict[str, Any]:
    """What fixes a run, such that no other is ever taken for it."""
    run = fixed(recipe, pack.manifest["sha256"])
    if given.start:
        known = given.start.hashes
        deciding = ("model.safetensors", "members/1/model.json", "spec")
        run["start"] = {name: known[name] for name in deciding if name in known}
    if given.teachers:
        run["teachers"] = given.teachers
    if given.weights:
        run["weights"] = given.weights.sha256
    return run


def _sampler(recipe: Recipe, material: Material, rank: int = 0, world: int = 1) -> BatchRows:
    """What one device takes of the training batches."""
    return BatchRows(
        material.rows["train"],
        recipe.optim.batch_size,
        shares=material.shares,
        seed=recipe.run.seed,
        shuffle=True,
        rank=rank,
        world=world,
    )


def _fit_in_memory(recipe: Recipe, material: Material, folder: Path, trainer: L.Trainer, model: GalaxyModel) -> Task:
    """Fit; where a batch is too large for the memory, go on from the last whole epoch with half of it."""
    while True:
        try:
            return _fit(recipe, material, folder, trainer, model)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if trainer.world_size > 1:
                raise ModelError(
                    f"{trainer.world_size} devices are too few for a batch of {recipe.optim.batch_size}: "
                    "use more of them, or halve optim.batch_size and double optim.accumulate"
                ) from error
            recipe = _halved(recipe, folder)
        model = build_model(recipe, material)
        trainer = build_trainer(
            recipe,
            folder,
            trainer.strategy.root_device.type,
            len(_sampler(recipe, material)),
            additions=material.additions,
        )


def _halved(recipe: Recipe, folder: Path) -> Recipe:
    size = recipe.optim.batch_size // 2
    if size == 0:
        raise ModelError(f"{folder}: not even one galaxy fits into memory; use a smaller input.size or encoder")
    log.warning("a batch of %d does not fit into memory: going on with %d, two to a step", 2 * size, size)
    optim = recipe.optim.model_copy(update={"batch_size": size, "accumulate": 2 * recipe.optim.accumulate})
    return recipe.model_copy(update={"optim": optim})


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


def _fit(recipe: Recipe, material: Material, folder: Path, trainer: L.Trainer, model: GalaxyModel) -> Task:
    """Fit from the start or from the last whole epoch."""
    task = Task(model, recipe, folder / "history.csv", keep=partial(_keep, material, folder))
    task.additions = material.additions
    if recipe.optim.find_lr:
        rate = find_rate(task, _endless(recipe, material), trainer.strategy.root_device, folder / "lr-finder.csv")
        log.info("the learning-rate finder chose %g", rate)
        recipe = recipe.model_copy(update={"optim": recipe.optim.model_copy(update={"lr": rate})})
        task.recipe = recipe
    rank, world = trainer.global_rank, trainer.world_size
    batches = _sampler(recipe, material, rank, world)
    _warn_of_lag(recipe, len(batches))
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists():
        log.info("going on from the last whole epoch of %s", folder)
        checkpoint = read_checkpoint(last)
        if stopped_early(checkpoint):
            task.on_load_checkpoint(checkpoint)
            return task
    checks = BatchRows(material.rows["val"], recipe.optim.batch_size, rank=rank, world=world)
    with known_warnings(), output_errors(folder):
        try:
            trainer.fit(
                task,
                loader(material.pack, material.targets, batches),
                loader(material.pack, material.targets, checks),
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
        except SystemExit as error:  # what Lightning makes of Ctrl-C
            if trainer.state.status == TrainerStatus.INTERRUPTED:
                raise KeyboardInterrupt from error
            raise
    return task


def _endless(recipe: Recipe, material: Material) -> Iterator[Batch]:
    """Training batches, epoch after epoch."""
    sampler = _sampler(recipe, material)
    for epoch in cycle(range(recipe.optim.epochs)):
        sampler.set_epoch(epoch)
        yield from loader(material.pack, material.targets, sampler)


def _keep(material: Material, folder: Path, task: Task) -> None:
    """Write the model as it is after an epoch: a model folder like any other, in `epochs`."""
    row = task.history[-1]
    save_model(task.judged, folder / "epochs" / f"{row['epoch']:03d}", _record(task, material, row))


def _finish(task: Task, recipe: Recipe, material: Material, folder: Path) -> None:
    """Keep the chosen weights, and write the folder's manifest last."""
    chosen = folder / "checkpoints" / ("best.ckpt" if recipe.run.keep == "best" else "last.ckpt")
    state = read_checkpoint(chosen)
    task.load_state_dict(state["state_dict"])
    epoch = int(state["epoch"]) + 1
    record = _record(task, material, next(row for row in task.history if row["epoch"] == epoch))
    record["recipe"] = recipe.model_dump(mode="json", by_alias=True)  # as it was asked for
    write_history(task.history, folder / "history.csv")
    write_text(folder / "card.md", model_card(recipe, record, material.pack))
    save_model(task.judged, folder, record)


def _record(task: Task, material: Material, row: dict[str, float]) -> dict[str, Any]:
    """What the manifest of a model tells of how it was made; `row` is the epoch of its weights in the history."""
    recipe = task.recipe
    record: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json", by_alias=True),
        "data": {
            "pack": material.pack.path.name,
            "sha256": material.pack.manifest["sha256"],
            "n": {split: len(which) for split, which in material.rows.items()},
        },
        "figures": {name: value for name, value in row.items() if name.startswith("val")} | {"epoch": row["epoch"]},
        "training": {
            "seconds": round(sum(entry["seconds"] for entry in task.history), 1),
            "lr": recipe.optim.lr,
            "batch_size": recipe.optim.batch_size,
            "parameters": sum(parameter.numel() for parameter in task.model.parameters()),
            "device": hardware(task.device),
            "torch": torch.__version__,
        },
    }
    if material.given.start:
        record["data"]["start"] = material.given.start.hashes
    if material.given.teachers:
        record["data"]["teachers"] = material.given.teachers
    if weights := material.given.weights:
        record["data"]["weights"] = {
            "package": f"{weights.package}=={weights.version}",
            "file": weights.path.name,
            "sha256": weights.sha256,
        }
    return record
