"""How many images a second each engine looks at, the model alone, on images already in memory.

python benchmarks/engines.py                     # on the CPU, as many threads as PyTorch takes (OMP_NUM_THREADS)
python benchmarks/engines.py --device cuda

One Markdown table: for each network and engine the ratio to PyTorch layer by layer, and images a second: medians of
rounds in which the engines take turns, so that all meet the same weather. Integers are fitted to the same images, which
are noise: their speed is measured here, their accuracy by `tuningfork export`.
"""

from __future__ import annotations

import tuningfork  # noqa: F401 -- before PyTorch, whose threads it tells how to wait, as for the command

# isort: split
import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from measure import machine

from tuningfork.engines import engine_class, engine_names, load_engine
from tuningfork.engines.device import choose_device
from tuningfork.engines.formats import FORMATS
from tuningfork.images import Geometry
from tuningfork.models import GalaxyModel, HeadSpec, ModelSpec, View, load_model
from tuningfork.progress import progress_bar
from tuningfork.schemas import load_schema

Run = Callable[[torch.Tensor], object]
NETWORKS = {"resnet18": 224, "convnext_nano": 224, "default": 64}
FITTED = 16  # images that integers are fitted to


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--engines", nargs="+", default=engine_names(), choices=engine_names())
    parser.add_argument("--int8", nargs="*", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--size", type=int, help="another number of pixels for the networks of timm")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(f"{machine(device)}; batch of {options.batch} images, medians of {options.rounds} rounds\n")
    print("| network | engine | times eager | images/s |\n| --- | --- | ---: | ---: |")
    for name in options.networks:
        member = _network(name, options.size or NETWORKS[name])
        size = member.spec.view.size
        images = torch.rand(options.batch, 3, size, size).to(device, memory_format=torch.channels_last)
        runs = _runs(member, options.engines, device)
        if device.type == "cpu":
            runs |= _integer_runs(member, options.int8, images)
        rates = _rates(name, runs, images, options.rounds)
        for engine, rate in rates.items():
            print(f"| {name}, {size} px | {engine} | {rate / rates['eager']:.2f} | {rate:,.1f} |", flush=True)


def _network(name: str, size: int) -> GalaxyModel:
    """An untrained network of timm with two heads, or the bundled model."""
    if name == "default":
        (member,) = load_model(name).members
        return member
    schemas = (load_schema("gz-challenge"), load_schema("five-classes"))
    heads = (HeadSpec(schema="gz-challenge", kind="tree"), HeadSpec(schema="five-classes", kind="classes"))
    half = (0.5, 0.5, 0.5)
    return GalaxyModel(ModelSpec(name, {}, Geometry(1.0, size, 3), View(1.0, size), half, half, heads, schemas)).eval()


def _runs(member: GalaxyModel, engines: list[str], device: torch.device) -> dict[str, Run]:
    runs: dict[str, Run] = {"eager": member.to(device).outputs}
    for name in engines:
        if not (engine_class(name).cpu_only and device.type != "cpu"):
            load_engine(member, name, device)
            assert member.engine is not None
            runs[name] = member.engine
    member.engine = None
    return runs


def _integer_runs(member: GalaxyModel, formats: list[str], images: torch.Tensor) -> dict[str, Run]:
    samples = [image[None].contiguous().numpy() for image in images[:FITTED]]
    runs: dict[str, Run] = {}
    with tempfile.TemporaryDirectory() as folder:
        for to in formats:
            file = FORMATS[to].export(member, Path(folder), to, samples)
            engine = FORMATS[to].engine(Path(folder) / file, list(member.heads))
            runs[f"{to} int8"] = engine
    return runs


def _rates(name: str, runs: dict[str, Run], images: torch.Tensor, rounds: int) -> dict[str, float]:
    """Images a second of each, medians over rounds in which they take turns."""
    seconds: dict[str, list[float]] = {engine: [] for engine in runs}
    with torch.inference_mode(), progress_bar(name, rounds + 1) as advance:
        for turn in range(rounds + 1):
            for engine, spent in _turns(runs, images):
                if turn:  # the first is for warming up
                    seconds[engine].append(spent)
            advance(1)
    return {engine: len(images) / median(spent) for engine, spent in seconds.items()}


def _turns(runs: dict[str, Run], images: torch.Tensor) -> Iterator[tuple[str, float]]:
    for engine, run in runs.items():
        started = time.perf_counter()
        run(images)
        if images.is_cuda:
            torch.cuda.synchronize()
        yield engine, time.perf_counter() - started


if __name__ == "__main__":
    main()
