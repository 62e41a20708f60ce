"""Lightning's trainer, set up as a recipe says; checkpoints appear whole or not at all."""

from __future__ import annotations

import logging
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from tuningfork.errors import ModelError, RecipeError, first_line, one_line
from tuningfork.files import whole_file
from tuningfork.training.additions import Additions
from tuningfork.training.tables import Recipe, RunTable

log = logging.getLogger(__name__)


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints written beside their place and renamed: a kill or a full disk leaves the last whole one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`, whole or not at all."""
        with whole_file(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


class EpochsFromOne(RichProgressBar):
    """The progress bar, with the last of twenty epochs called 20/20."""

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}"


def build_trainer(
    recipe: Recipe,
    folder: Path,
    accelerator: str,
    steps: int,
    *,
    devices: int = 1,
    nodes: int = 1,
    additions: Additions | None = None,
) -> L.Trainer:
    """The trainer of a recipe on `devices` of each of `nodes` machines; `steps` is the number of batches an epoch.

    Raises
    ------
    RecipeError
        If there is no such accelerator here, or not as many devices.
    """
    run, optim = recipe.run, recipe.optim
    more = additions or Additions()
    precision = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[precision_here(run.precision, accelerator)]
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    try:
        return L.Trainer(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            # DDP must know where parts of a network may stay without a gradient.
            strategy="ddp_find_unused_parameters_true" if devices * nodes > 1 and recipe.transfer.frozen else "auto",
            max_epochs=optim.epochs,
            precision=precision,  # type: ignore[arg-type]
            accumulate_grad_batches=optim.accumulate,
            gradient_clip_val=optim.clip,
            callbacks=[*_callbacks(recipe.run, folder), *more.callbacks],
            logger=[TensorBoardLogger(folder / "logs", name="", version=""), *more.loggers],
            log_every_n_steps=min(20, steps),
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            plugins=[WholeCheckpoints()],
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        reason = first_line(error)
        raise RecipeError(
            f"can't train on {nodes} x {devices} x {accelerator!r} here: {reason}; use --accelerator auto"
        ) from error


def _callbacks(run: RunTable, folder: Path) -> list[Callback]:
    """What keeps checkpoints, shows progress and stops early."""
    mode = "max" if run.monitor.endswith("accuracy") else "min"
    callbacks: list[Callback] = [
        ModelCheckpoint(
            folder / "checkpoints",
            filename="best",
            monitor=run.monitor,
            mode=mode,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        # A callback of its own: what Lightning calls `save_last` is written only when the best is.
        ModelCheckpoint(
            folder / "checkpoints", filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
        EpochsFromOne(leave=False, console_kwargs={"force_jupyter": False}),  # widgets need ipywidgets
    ]
    if run.patience is not None:
        callbacks.append(EarlyStopping(run.monitor, patience=run.patience, mode=mode, check_on_train_epoch_end=True))
    return callbacks


def precision_here(asked: str, accelerator: str) -> str:
    """The precision to train in: 32 bits in place of bfloat16 on a CPU that has no instructions for it.

    There each product would be worked out by other means, thirteen times as slowly.
    """
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    if asked == "bf16" and on_cpu and not torch.backends.cpu.get_cpu_capability().startswith(("AVX512", "AMX")):
        log.info("this CPU has no instructions for bfloat16: training in 32 bits")
        return "32"
    return asked


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint.

    Raises
    ------
    ModelError
        If it can't be read.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        raise ModelError(f"{path} can't be read ({one_line(error)}); remove the folder and train again") from error
    if not isinstance(content, dict) or not {"epoch", "state_dict", "callbacks"} <= content.keys():
        raise ModelError(f"{path} is no checkpoint of a training run; remove the folder and train again")
    return content


def hardware(device: torch.device) -> str:
    """A device in words: a GPU's name, or the processor and how many threads work on it."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    if device.type != "cpu":
        return device.type
    return f"{torch.get_num_threads()} threads of {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), platform.processor() or platform.machine())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the machine, had too little memory for what was asked."""
    # The CPU's allocator has no exception of its own.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def stopped_early(checkpoint: dict[str, Any]) -> bool:
    """Whether the run that wrote a checkpoint had lost its patience."""
    states = [state for name, state in checkpoint["callbacks"].items() if name.startswith("EarlyStopping")]
    return any(state["wait_count"] >= state["patience"] for state in states)


@contextmanager
def known_warnings() -> Iterator[None]:
    """Keep what Lightning warns of, and we have thought of, from the user."""
    with warnings.catch_warnings():
        # Reading whole batches from a memory map is quicker without worker processes.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Lightning 2.6 asks PyTorch 2.15 an outdated question about its own containers; nothing of ours.
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*", category=FutureWarning)
        # Our figures are summed over all devices before they are logged.
        warnings.filterwarnings("ignore", message=".*It is recommended to use `self.log.*sync_dist.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists.*")
        yield
