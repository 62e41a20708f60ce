"""Several devices train the model that one would: same batches, augmentation, losses, batch norm and average."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import distributed, multiprocessing, nn
from typer.testing import CliRunner

from conftest import make_galaxies
from tuningfork.cli.app import build
from tuningfork.images import Geometry
from tuningfork.packs import make_pack
from tuningfork.training import load_recipe, train
from tuningfork.training.devices import SharedBatchNorm

# Everything that could differ between devices is on, but dropout, which is drawn by each.
CHANGES = [
    "head.0.dropout=0.0", "optim.epochs=2", "optim.batch_size=15", "optim.clip=1.0", "optim.name=sgd",
    "augmentation.zoom=[0.8,1.2]", "augmentation.noise=0.02", "augmentation.contrast=0.2",
]  # fmt: skip


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack in which most classes are known at its end only, so that devices see other numbers of labels."""
    folder = tmp_path_factory.mktemp("uneven")
    catalog = make_galaxies(folder / "galaxies", 100, seed=5)
    table = pd.read_parquet(catalog)
    table.loc[:59, "five_class"] = None
    table.loc[70:, [column for column in table if column.startswith("Class")]] = np.nan
    table.to_parquet(catalog)
    schemas = ("gz-challenge", "five-classes")
    make_pack(
        catalog, folder / "pack", schemas=schemas, geometry=Geometry(0.9, 36, 3), split={"train": 0.7, "val": 0.3}
    )
    return folder / "pack"


def run_train(recipe: Path, pack: Path, out: Path, *options: str, launcher: tuple[str, ...] = ()) -> Path:
    sets = [text for change in CHANGES for text in ("--set", change)]
    command = [sys.executable, *launcher, "-m", "tuningfork", "train", str(recipe), str(pack), str(out)]
    result = subprocess.run([*command, "--accelerator", "cpu", *sets, *options], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return out


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


EQUIVARIANT = ("--set", "encoder.name=equivariant", "--set", "encoder.options={width=1}")


@pytest.mark.parametrize(
    ("options", "launcher"), [((), ()), pytest.param(EQUIVARIANT, TORCHRUN, marks=pytest.mark.slow)]
)
def test_two_processes_train_the_model_that_one_would(
    uneven: Path, recipe_file: Path, tmp_path: Path, options: tuple[str, ...], launcher: tuple[str, ...]
) -> None:
    changes = [*CHANGES, *(option for option in options if option != "--set")]
    one = train(load_recipe(recipe_file, changes), uneven, tmp_path / "one", accelerator="cpu")
    two = run_train(recipe_file, uneven, tmp_path / "two", *options, "--devices", "2", launcher=launcher)
    first, second = (pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (one, two))
    pd.testing.assert_frame_equal(first, second, rtol=1e-3)
    weights = load_file(one / "model.safetensors")
    for name, values in load_file(two / "model.safetensors").items():
        torch.testing.assert_close(values, weights[name], rtol=1e-3, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")


def test_more_devices_than_a_batch_has_galaxies_are_refused(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    arguments = ["train", str(recipe_file), str(pack), str(tmp_path / "m"), "--accelerator", "cpu", "--devices", "3"]
    result = CliRunner().invoke(build(), [*arguments, "--set", "optim.batch_size=2"])
    assert "at most 2" in str(result.exception)


def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    made = [nn.BatchNorm2d(4), timm.layers.BatchNormAct2d(4), nn.BatchNorm2d(4, affine=False, momentum=None)]
    for layer in made:
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
    return made


def maps() -> torch.Tensor:
    return 5 + torch.randn(7, 4, 3, 3, generator=torch.Generator().manual_seed(1))


def normalise(layer: nn.Module, part: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a layer makes of maps, the gradients of a loss, and what the layer keeps."""
    part = part.clone().requires_grad_()
    out = layer(part)
    out.pow(3).sum().backward()
    gradients = {f"{name} gradient": parameter.grad for name, parameter in layer.named_parameters()}
    return {"out": out.detach(), "gradient": part.grad, **gradients, **dict(layer.named_buffers())}


def normalise_part(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    part = maps()[:2] if rank == 0 else maps()[2:]
    with SharedBatchNorm():
        torch.save([normalise(layer, part) for layer in layers()], folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_batch_norm_is_taken_over_the_batch_of_all_devices(tmp_path: Path) -> None:
    multiprocessing.spawn(normalise_part, (tmp_path,), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for index, layer in enumerate(layers()):
        whole, first, second = normalise(layer, maps()), parts[0][index], parts[1][index]
        for name, values in whole.items():
            if name in ("out", "gradient"):
                got = torch.cat([first[name], second[name]])
            else:
                got = first[name] + second[name] if name.endswith("gradient") else first[name]
            torch.testing.assert_close(got, values, rtol=1e-4, atol=1e-4, msg=lambda text, n=name: f"{n}: {text}")
