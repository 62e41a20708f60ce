"""From a folder of 424 px JPEG files to a table: Tuningfork, Zoobot, the seeds' way and the limits.

    python benchmarks/predicting.py                                 # ResNet-18 and ConvNeXt-nano at 224 px, untrained
    python benchmarks/predicting.py --networks resnet18 --rounds 5
    python benchmarks/predicting.py --networks default              # the bundled model, in each engine

One Markdown table a network: the ratio to the fastest engine on a batch already in memory, and images a second: medians
of rounds in which all take turns; what is alone is warmed up before. Zoobot runs in an environment of its own
(`make peers`), or is left out. The 8-bit model is fitted to a pack of the same files.
"""

from __future__ import annotations

import tuningfork  # noqa: F401 -- before PyTorch, whose threads it tells how to wait, as for the command

# isort: split
import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import ROOT, jpeg_files, machine, rate, table, take_turns, untrained_model
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from tuningfork.engines import engine_class, engine_names, load_engine
from tuningfork.engines.exported import load_export, read_export
from tuningfork.images import Geometry, decode_stream
from tuningfork.inference import export_model, predict
from tuningfork.models import GalaxyModel, load_model, read_manifest
from tuningfork.packs import make_pack
from tuningfork.sources import open_source

PEERS = ROOT / ".venv-peers" / "bin" / "python"
IN_MEMORY = 128
FILES = {"resnet18": 4096, "convnext_nano": 1536, "default": 2048}
Run = Callable[[], float]
DECODE, ALONE = "decode and resample alone", "model alone, "
ZOOBOT, FUSED, BUNDLED = "Zoobot 2.9", "fused", "default"


def main() -> None:
    """Measure, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=[name for name in FILES if name != BUNDLED])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, help="files for Tuningfork; default: enough for some 40 seconds")
    parser.add_argument("--fewer", type=int, default=256, help="files for the others, which are slower")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print(f"{machine()}; {options.fewer} files for the slow; medians of {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        jpeg_files(folder / "fewer", options.fewer)
        if BUNDLED in options.networks:
            show_bundled(jpeg_files(folder / BUNDLED, options.images or FILES[BUNDLED])[0].parent, options.rounds)
        for network in [name for name in options.networks if name != BUNDLED]:
            files = jpeg_files(folder / network, options.images or FILES.get(network, 1024))
            runs = candidates(network, options.size, folder, files[0].parent)
            jobs = [name for name in runs if name != DECODE and not name.startswith(ALONE)]  # minutes long
            show(f"{network}, {options.size} px, {len(files)} files", take_turns(runs, options.rounds, cold=jobs))


def candidates(network: str, size: int, folder: Path, files: Path) -> dict[str, Run]:
    """What is compared, each as a call that returns how many images it has answered."""
    model = untrained_model(network, size, folder / f"{network}-model")
    pack = make_pack(folder / "fewer", folder / f"pack-{size}", geometry=Geometry(1.0, size, 3)).path
    integers = export_model(model, folder / f"{network}-int8", to="openvino", int8=True, pack=pack)
    runs: dict[str, Run] = {DECODE: rate(decode_alone, files, size)}
    runs |= {ALONE + name: run for name, run in engines_alone(model, integers, size).items()}
    quickest = FUSED if FUSED in engine_names() else "openvino"
    runs[f"Tuningfork, {quickest}"] = rate(ours, files, model, quickest)
    runs["Tuningfork, int8"] = rate(ours, files, model, integers)
    member = load_model(model).members[0]
    fewer = sorted((folder / "fewer").iterdir())
    runs["Dataset, DataLoader, PIL, torchvision"] = rate(seeds_way, member, fewer, size)
    runs["folder generator, one thread"] = rate(keras_like, member, fewer, size)
    if PEERS.exists():
        runs[ZOOBOT] = partial(zoobot, fewer, network, size)
    return runs


def decode_alone(folder: Path, size: int) -> int:
    """Read, decode and resample, and look at nothing."""
    return sum(1 for _ in decode_stream(open_source(folder).items(0), Geometry(1.0, size, 3)))


def engines_alone(model: Path, integers: Path, size: int) -> dict[str, Run]:
    """Each engine on a batch that is in memory as it wants it."""
    images = torch.rand(IN_MEMORY, 3, size, size).to(memory_format=torch.channels_last)
    cpu, runs = torch.device("cpu"), {}
    for name in engine_names():
        network = load_model(model)
        if all(map(engine_class(name).suits, network.members)):
            load_engine(network, name, cpu)
            runs[name] = rate(look_at, network.members[0], images)
    network = load_model(model)
    load_export(network, integers, read_export(integers, read_manifest(model)["sha256"]), cpu)
    return runs | {"int8": rate(look_at, network.members[0], images)}


@torch.inference_mode()
def look_at(member: GalaxyModel, images: torch.Tensor) -> int:
    """One forward pass."""
    (member.engine or member.outputs)(images)
    return len(images)


def ours(folder: Path, model: Path | str, engine: Path | str) -> int:
    """What the command does, from the folder to the table."""
    table = predict(folder, folder.parent / "answers.parquet", model=model, engine=engine, overwrite=True)
    return len(pd.read_parquet(table, columns=["id_str"]))


class Files(Dataset[torch.Tensor]):
    """Image files opened with Pillow, one at a time, as the seed reports do."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files = files
        self.transform = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(self.files[index]).convert("RGB"))


@torch.inference_mode()
def seeds_way(member: GalaxyModel, files: list[Path], size: int) -> int:
    """A Dataset, a DataLoader with a worker process a core, PyTorch layer by layer; answers held, then written."""
    loader = DataLoader(Files(files, size), batch_size=64, num_workers=torch.get_num_threads())
    answers = torch.cat([next(iter(member.outputs(batch)[1].values())) for batch in loader])
    pd.DataFrame(answers.numpy()).to_csv(files[0].parent.parent / "seeds.csv")
    return len(answers)


@torch.inference_mode()
def keras_like(member: GalaxyModel, files: list[Path], size: int) -> int:
    """`flow_from_directory`: batches of 32 read in the thread that predicts."""
    return sum(len(member.outputs(batch)[0]) for batch in _batches(files, size))


def _batches(files: list[Path], size: int) -> Iterator[torch.Tensor]:
    for start in range(0, len(files), 32):
        opened = (Image.open(path).convert("RGB").resize((size, size)) for path in files[start : start + 32])
        yield torch.from_numpy(np.stack([np.asarray(image) for image in opened])).permute(0, 3, 1, 2).float() / 255


def zoobot(files: list[Path], network: str, size: int) -> float:
    """Zoobot's `predict_on_catalog` by its own clock, which leaves its imports out."""
    folder = files[0].parent.parent
    catalog = folder / "zoobot.csv"
    pd.DataFrame({"id_str": [path.stem for path in files], "file_loc": files}).to_csv(catalog, index=False)
    script = ROOT / "benchmarks" / "peers" / "zoobot_predict.py"
    command = [PEERS, script, catalog, network, str(size), str(torch.get_num_threads()), folder / "zoobot-answers.csv"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(answer.stdout.split()[-1])


def show_bundled(files: Path, rounds: int) -> None:
    """Print the table of the bundled model: what each engine does from files, the making of the engine among it."""
    engines = [name for name in engine_names() if name != "compile"]  # it takes a minute to begin
    rates = take_turns({name: rate(ours, files, BUNDLED, name) for name in engines}, rounds, cold=engines)
    rows = [(name, f"{found / rates['torch']:.2f}", f"{found:,.1f}") for name, found in rates.items()]
    table([f"bundled model, {len(list(files.iterdir()))} files", "times torch", "images/s"], rows)


def show(title: str, rates: dict[str, float]) -> None:
    """Print one table, the fastest first."""
    alone = {name: found for name, found in rates.items() if name.startswith(ALONE)}
    limit = {True: alone[ALONE + "int8"], False: max(v for name, v in alone.items() if name != ALONE + "int8")}
    peer = rates.get(ZOOBOT)
    rows = []
    for name, found in sorted(rates.items(), key=lambda pair: -pair[1]):
        of_peer = f"{found / peer:.2f}" if peer else "-"
        of_limit = "-" if name == DECODE else f"{found / limit['int8' in name]:.3f}"
        rows.append((name, of_limit, of_peer, f"{found:,.1f}"))
    table([title, "of the model alone", "times Zoobot", "images/s"], rows)
    print()


if __name__ == "__main__":
    main()
