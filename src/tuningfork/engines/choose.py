"""The engine of a job: the one that is named, an exported folder, or the quickest in a short trial."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from tuningfork.engines.agree import distance, tolerance
from tuningfork.engines.device import choose_device
from tuningfork.engines.engine import CPU_BATCH, GPU_BATCH
from tuningfork.engines.exported import load_export, read_export
from tuningfork.engines.load import load_engine
from tuningfork.engines.plugins import engine_class, engine_names
from tuningfork.errors import ModelError, TuningforkError
from tuningfork.models import Inference, Model
from tuningfork.models.model import Outputs
from tuningfork.packs import ImageSource, PackSource

log = logging.getLogger(__name__)

FEWEST = 500  # images; fewer are done before a trial is
ROUNDS = 3


def find_engine(engine: str | Path, hashes: Mapping[str, str]) -> tuple[str | Path, dict[str, Any]]:
    """Which engine is meant.

    Parameters
    ----------
    engine
        A name in `engine_names()`, a folder that `export` wrote, or ``auto``.
    hashes
        Those in the model's manifest.

    Returns
    -------
    tuple
        The name, or the folder as every process finds it. What a job depends on beside its model: the engines by name
        agree (`agree.tolerance`), an export may hold 8-bit integers.

    Raises
    ------
    ModelError
        If there is no such engine, it is a plug-in that can't be imported, or an export of another model.
    """
    if engine == "auto":
        return engine, {}
    folder = Path(engine).absolute()
    if folder.is_dir():
        return folder, {"engine": read_export(folder, hashes)["sha256"]}
    engine_class(str(engine))
    return str(engine), {}


def use_engine(
    model: Model,
    engine: str | Path,
    hashes: Mapping[str, str],
    device: torch.device,
    source: ImageSource | PackSource | None = None,
    views: int = 1,
) -> None:
    """Let a model look at galaxies through an engine.

    Parameters
    ----------
    engine
        What `find_engine` found; ``auto`` is the quickest in a trial on the first images of the job, where the job is
        large enough to repay it, and else torch.
    hashes
        Those in the model's manifest.
    device
        Where the model is.
    source, views
        The images of the job, and from how many sides each is looked at; without images there is no trial.

    Raises
    ------
    ModelError
        If the engine can't run the model or not on this device, or an exported folder is not what it was.
    TuningforkError
        If it is not installed.
    """
    if isinstance(engine, Path):
        load_export(model, engine, read_export(engine, hashes), device)
    elif engine != "auto":
        load_engine(model, engine, device)
    elif source is None:
        load_engine(model, "torch", device)
    else:
        _choose(model, source, views, device)


def use_torch(model: Model) -> torch.device:
    """Let a model look at galaxies through PyTorch, on the GPU where there is one; the device it is on then."""
    device = choose_device("auto")
    model.to(device)
    load_engine(model, "torch", device)
    return device


def leave_device(model: Model) -> None:
    """Bring a model back to the CPU after `use_torch`, without the engine, which stays on its device."""
    model.to("cpu")
    for member in model.members:
        member.engine = None


def _choose(model: Model, source: ImageSource | PackSource, views: int, device: torch.device) -> None:
    load_engine(model, "torch", device)
    if source.n < FEWEST:
        return
    most = CPU_BATCH if device.type == "cpu" else GPU_BATCH
    pixels = _first_pixels(source, model.spec.geometry.at_once(most))
    if len(pixels) == 0:
        return
    batch = torch.from_numpy(pixels).to(device)
    looks = max(len(list(member.images(batch[:1], views))) for member in model.members)
    expected, seconds = _timed(model, batch)
    work = seconds * looks * source.n / len(pixels)
    tried = {"torch": Trial(len(pixels) / seconds, _engines(model))}
    for name in _worth_trying(model, work, device):
        try:
            load_engine(model, name, device)
        except TuningforkError as error:
            log.warning("%s", error)
            continue
        seen, seconds = _timed(model, batch)
        apart = distance(model, seen, expected)
        if not apart <= tolerance(device):  # NaN is not
            log.warning("the engine %s gives other answers than PyTorch (by %.2g), and is not used", name, apart)
            continue
        tried[name] = Trial(len(pixels) / seconds, _engines(model))
    best = max(tried, key=lambda name: tried[name].rate)
    for member, engine in zip(model.members, tried[best].engines, strict=True):
        member.engine = engine
    if len(tried) > 1:
        rates = ", ".join(f"{name} {trial.rate:,.0f}" for name, trial in tried.items())
        log.info("engine: %s (looks a second in a trial: %s)", best, rates)


@dataclass(frozen=True)
class Trial:
    """Looks a second, and the engines of the networks that had them."""

    rate: float
    engines: list[Callable[[torch.Tensor], Outputs] | None]


def _engines(model: Model) -> list[Callable[[torch.Tensor], Outputs] | None]:
    return [member.engine for member in model.members]


def _worth_trying(model: Model, work: float, device: torch.device) -> list[str]:
    """The engines beside torch that are here and whose trial is repaid, where torch had to work so many seconds."""
    found = []
    for name in engine_names():
        try:
            kind = engine_class(name)
        except ModelError as error:  # a plug-in that is broken
            log.warning("%s", error)
            continue
        runs = device.type == "cpu" or not kind.cpu_only
        if name != "torch" and runs and work >= kind.repaid and all(map(kind.suits, model.members)):
            found.append(name)
    return found


def _first_pixels(source: ImageSource | PackSource, count: int) -> np.ndarray:
    """The pixels of those of the first `count` images that can be read."""
    decoded = source.decoded(0)
    pixels = [entry.pixels for entry in islice(decoded, count) if entry.pixels is not None]
    decoded.close()
    return np.stack(pixels) if pixels else np.empty(0, np.uint8)


def _timed(model: Model, pixels: torch.Tensor) -> tuple[Inference, float]:
    """What the model sees from one side, and the median seconds that it takes."""
    seen = model.infer_unchecked(pixels)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        model.infer_unchecked(pixels).features.cpu()  # a GPU is waited for
        seconds.append(time.perf_counter() - started)
    return seen, median(seconds)
