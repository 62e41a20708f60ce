"""From a recipe and a pack to a model folder; a killed run goes on where it stopped."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import tomli_w
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerStatus

from tuningfork.errors import ModelError, PackError, RecipeError
from tuningfork.files import output_errors, read_json, write_json, write_text
from tuningfork.models import GalaxyModel, ModelSpec, View, crop, save_model
from tuningfork.models.heads.classes import ClassesHead
from tuningfork.packs import Pack, open_pack
from tuningfork.schemas import Schema
from tuningfork.training.card import model_card
from tuningfork.training.data import BatchRows, loader
from tuningfork.training.recipe import Recipe
from tuningfork.training.task import Task

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
    task = Task(model, recipe)
    write_text(folder / "recipe.toml", tomli_w.dumps(recipe.model_dump(mode="json", by_alias=True, exclude_none=True)))
    write_json(folder / "run.json", run)
    batches = -(-len(rows["train"]) // (recipe.optim.batch_size * devices))
    trainer = _trainer(recipe, folder, devices, accelerator, batches)
    _fit(trainer, task, data, targets, rows, folder)
    if trainer.state.status == TrainerStatus.INTERRUPTED:
        raise KeyboardInterrupt
    if trainer.is_global_zero:
        _finish(task, recipe, data, rows, folder, trainer)
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
    sample = np.sort(np.random.default_rng(recipe.run.seed).permutation(data.rows("train"))[:1000])
    images = crop(torch.from_numpy(data.pixels[sample]), view, data.geometry)
    return ModelSpec(
        encoder=recipe.encoder.name,
        options=recipe.encoder.options,
        geometry=data.geometry,
        view=view,
        mean=tuple(round(float(x), 4) for x in images.mean(dim=(0, 2, 3))),
        std=tuple(round(max(float(x), 1e-3), 4) for x in images.std(dim=(0, 2, 3))),
        heads=recipe.head,
        schemas=tuple(schemas),
    )


def _already(folder: Path, run: dict[str, Any]) -> bool:
    """Whether this run has finished in `folder`; a folder that holds anything else is refused."""
    claim = folder / "run.json"
    if claim.exists():
        if read_json(claim, ModelError) != run:
            raise ModelError(f"{folder} holds a run of another recipe or pack; choose another folder, or remove it")
        return (folder / "model.json").exists()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} exists and is not a training run; choose another folder")
    return False


class _History(Callback):
    """Writes `history.csv` after each epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero and isinstance(pl_module, Task):
            write_history(pl_module.history, self.folder / "history.csv")


def write_history(history: list[dict[str, float]], path: Path) -> None:
    """Write one row an epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[-1]) if history else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in history)
    write_text(path, text.getvalue())


def _trainer(recipe: Recipe, folder: Path, devices: int, accelerator: str, steps: int) -> L.Trainer:
    run, optim = recipe.run, recipe.optim
    mode = "max" if run.monitor.endswith("accuracy") else "min"
    callbacks: list[Callback] = [
        _History(folder),
        ModelCheckpoint(
            folder / "checkpoints",
            filename="best",
            monitor=run.monitor,
            mode=mode,
            save_last=True,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        RichProgressBar(leave=False),
    ]
    if run.patience is not None:
        callbacks.append(EarlyStopping(run.monitor, patience=run.patience, mode=mode, check_on_train_epoch_end=True))
    precision = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[run.precision]
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return L.Trainer(
        accelerator=accelerator,
        devices=devices,
        max_epochs=optim.epochs,
        precision=precision,  # type: ignore[arg-type]
        accumulate_grad_batches=optim.accumulate,
        gradient_clip_val=optim.clip,
        callbacks=callbacks,
        logger=TensorBoardLogger(folder / "logs", name="", version=""),
        log_every_n_steps=min(20, steps),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )


def _fit(
    trainer: L.Trainer,
    task: Task,
    data: Pack,
    targets: dict[str, np.ndarray],
    rows: dict[str, np.ndarray],
    folder: Path,
) -> None:
    optim, rank, world = task.recipe.optim, trainer.global_rank, trainer.world_size
    seed = task.recipe.run.seed
    batches = BatchRows(rows["train"], optim.batch_size, seed=seed, shuffle=True, rank=rank, world=world)
    checks = BatchRows(rows["val"], max(256, optim.batch_size), rank=rank, world=world)
    last = folder / "checkpoints" / "last.ckpt"
    if last.exists():
        log.info("going on from the last whole epoch of %s", folder)
    with warnings.catch_warnings(), output_errors(folder):
        # Lightning advises worker processes; reading whole batches from a memory map is quicker without them.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Lightning 2.6 asks PyTorch 2.15 an outdated question about its own containers; nothing of ours.
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists.*")
        trainer.fit(
            task,
            loader(data, targets, batches),
            loader(data, targets, checks),
            ckpt_path=str(last) if last.exists() else None,
            weights_only=False,
        )


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
    state = torch.load(chosen, map_location="cpu", weights_only=True)
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
