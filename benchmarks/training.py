"""Training from a pack, with the full augmentation, beside the same network on one batch that is in memory.

    python benchmarks/training.py                       # ResNet-18 at 64 px in bfloat16, on the CPU
    python benchmarks/training.py --network resnet50 --size 128 --images 20000 --batch 256 --device cuda

The whole of `tuningfork train` is timed by the history it writes: an epoch with its reading, augmentation, average of
the weights, and the validation of one galaxy in fifty. The other side is forward, backward and step alone. Both take
turns; medians of rounds. Pixels and labels are noise: nothing here is about accuracy.
"""

from __future__ import annotations

import tuningfork  # noqa: F401 -- before PyTorch, whose threads it tells how to wait, as for the command

# isort: split
import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import machine, rate, table, take_turns
from PIL import Image

from tuningfork.engines.device import choose_device
from tuningfork.images import Geometry
from tuningfork.models import HeadSpec, build_head
from tuningfork.packs import Pack, make_pack
from tuningfork.schemas import load_schema
from tuningfork.training import Recipe, load_recipe, train
from tuningfork.training.preparation import build_model, prepare
from tuningfork.training.task import build_optimizer
from tuningfork.training.transfer import layer_groups


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(f"{machine(device)}; {options.images} galaxies, batches of {options.batch}, medians of {options.rounds}\n")
    changes = [f"encoder.name={options.network}", "encoder.options={}", f"input.size={options.size}"]
    changes += [f"optim.batch_size={options.batch}", "optim.epochs=2", "run.ema=0.9"]
    recipe = load_recipe("tuningfork/fractions", changes)
    with tempfile.TemporaryDirectory() as scratch:
        pack = noise(Path(scratch), options.images, options.size)
        fresh = iter(range(options.rounds))
        runs = {
            "one batch in memory": rate(one_batch(recipe, pack, device)),
            "tuningfork train": lambda: epoch(recipe, pack, Path(scratch) / f"run-{next(fresh)}", device),
        }
        rates = take_turns(runs, options.rounds, cold=["tuningfork train"])  # its first epoch is its warm-up
    limit = rates["one batch in memory"]
    name = f"{options.network}, {options.size} px"
    table([name, "of the limit", "images/s"], [(k, f"{v / limit:.3f}", f"{v:,.0f}") for k, v in rates.items()])


def noise(folder: Path, n: int, size: int) -> Pack:
    """A pack of n images of noise, half again as large as the network sees, with random vote fractions."""
    random = np.random.default_rng(0)
    (folder / "files").mkdir()
    side = size * 3 // 2
    for index in range(200):
        pixels = random.integers(0, 255, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "files" / f"{index}.jpg")
    schema = load_schema("gz-challenge")
    head = build_head(1, schema, HeadSpec(schema=schema.name, kind="tree"))  # its answers obey the tree
    answers = head.answers(torch.randn(n, len(schema.columns))).numpy()
    catalog = pd.DataFrame(answers, columns=list(schema.columns))
    catalog.insert(0, "id_str", [f"g{index}" for index in range(n)])
    catalog.insert(1, "file_loc", [f"{index % 200}.jpg" for index in range(n)])
    catalog.insert(2, "split", np.where(np.arange(n) % 50, "train", "val"))
    catalog.to_parquet(folder / "files" / "catalog.parquet")
    geometry = Geometry(0.75, side, 3)
    return make_pack(
        folder / "files" / "catalog.parquet", folder / "pack", schemas=("gz-challenge",), geometry=geometry
    )


def epoch(recipe: Recipe, pack: Pack, out: Path, device: torch.device) -> float:
    """Training galaxies a second of the second epoch, by the run's own history; the first is to warm up."""
    train(recipe, pack.path, out, accelerator=device.type)
    seconds = pd.read_csv(out / "history.csv")["seconds"].iloc[-1]
    return len(pack.rows("train")) / seconds


def one_batch(recipe: Recipe, pack: Pack, device: torch.device) -> Callable[[], int]:
    """A call that steps on the same batch, in the same precision: forward, backward, and the optimiser."""
    model = build_model(recipe, prepare(recipe, pack)).to(device, memory_format=torch.channels_last).train()
    optimizer = build_optimizer(layer_groups(model), recipe.optim, fused=True)
    size, n = recipe.input.size, recipe.optim.batch_size
    images = torch.rand(n, 3, size, size, device=device).to(memory_format=torch.channels_last)
    targets = torch.rand(n, 37, device=device)
    batches = max(1, len(pack.rows("train")) // n)  # as many as an epoch: a short burst is quicker

    def steps() -> int:
        for _ in range(batches):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.run.precision == "bf16"):
                ((name, raw),) = model(images).items()
                loss, count = model.head(name).loss(raw, targets)
            (loss / count).backward()
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return batches * n

    return steps


if __name__ == "__main__":
    main()
