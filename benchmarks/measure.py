"""What the speed tables share: the machine, images to work on, rounds in which the candidates take turns."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
import torch

from tuningfork.images import Geometry
from tuningfork.models import GalaxyModel, HeadSpec, ModelSpec, View, save_model
from tuningfork.progress import progress_bar
from tuningfork.schemas import load_schema

ROOT = Path(__file__).parents[1]
ORIGINALS = ROOT.parent / "shared/data/galaxy-zoo-challenge/native/images_training_rev1"


def machine(device: torch.device | None = None) -> str:
    """The processor, its threads and memory bandwidth, and the versions of what does the work."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"
    gpu = f", {torch.cuda.get_device_name(device)}" if device is not None and device.type == "cuda" else ""
    return f"{cpu}, memory copied at {_bandwidth():.0f} GB/s{gpu}; {', '.join(_versions())}"


def _versions() -> list[str]:
    found = []
    for library in ("torch", "onnxruntime", "openvino", "simplejpeg", "numba"):
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return found


def _bandwidth() -> float:
    """GB a second that one thread copies in memory, reading and writing counted once."""
    block = np.ones(256 << 20, np.uint8)
    target = np.empty_like(block)
    np.copyto(target, block)
    started = time.perf_counter()
    for _ in range(4):
        np.copyto(target, block)
    return 4 * block.nbytes / (time.perf_counter() - started) / 1e9


def rate(work: Callable[..., int], *arguments: object) -> Callable[[], float]:
    """A call that does `work`, which returns how many images it did, and returns how many a second that is."""

    def run() -> float:
        started = time.perf_counter()
        done = work(*arguments)
        return done / (time.perf_counter() - started)

    return run


def take_turns(
    candidates: Mapping[str, Callable[[], float]], rounds: int, cold: Collection[str] = ()
) -> dict[str, float]:
    """The rate of each candidate: medians of rounds in which they take turns, after one for all but the `cold`."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    warm = [name for name in candidates if name not in cold]
    with progress_bar("rounds", rounds * len(candidates) + len(warm)) as advance:
        for name in warm:
            candidates[name]()
            advance(1)
        for _ in range(rounds):
            for name, run in candidates.items():
                rates[name].append(run())
                advance(1)
    return {name: median(found) for name, found in rates.items()}


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table; numbers stand at the right."""
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def jpeg_files(folder: Path, count: int) -> list[Path]:
    """So many 424 px JPEG files in `folder`: copies of the challenge's originals, or simulated without them."""
    originals = sorted(ORIGINALS.glob("*.jpg")) or _simulated(folder.parent / "simulated")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{index:07d}.jpg" for index in range(count)]
    for index, path in enumerate(files):
        shutil.copyfile(originals[index % len(originals)], path)
    return files


def _simulated(folder: Path) -> list[Path]:
    from tuningfork.simulate import simulate_galaxies

    simulate_galaxies(folder, n=300, seed=1)
    return sorted(folder.rglob("*.jpg"))


def untrained_model(encoder: str, size: int, folder: Path) -> Path:
    """A model folder: a network of timm with fresh weights that answers the challenge's 37 fractions."""
    torch.manual_seed(0)
    schema, half = load_schema("gz-challenge"), (0.5, 0.5, 0.5)
    head = HeadSpec(schema=schema.name, kind="tree")
    spec = ModelSpec(encoder, {}, Geometry(1.0, size, 3), View(1.0, size), half, half, (head,), (schema,))
    return save_model(GalaxyModel(spec).eval(), folder, {})
