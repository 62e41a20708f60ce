"""The four reports' recipes, each through the real command; and what their runs need: memory, samples, checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import ModelError, RecipeError
from tuningfork.models import build_encoder, load_model, read_manifest
from tuningfork.packs import open_pack
from tuningfork.training import bundled_recipes, load_recipe, train
from tuningfork.training.preparation import prepare
from tuningfork.training.task import Task

SEEDS = [name for name in bundled_recipes() if not name.startswith("tuningfork/")]
# What a test can't wait for: the size of the images and of the dense layers, and the learning-rate test.
SMALL = ["input.field=0.9", "encoder.pretrained=false", "optim.epochs=1", "optim.batch_size=16", "run.galaxies=16"]


# Others of their kinds are quicker.
LONG = ("gavrilita/gradual", "gavrilita/frozen", "deep-galaxies/resnet152", "serrano/resnet50")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in SEEDS])
def test_a_report_s_recipe_trains_from_the_command(name: str, pack: Path, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    changes = [*SMALL, "input.size=64" if recipe.input.size > 64 else f"input.size={recipe.input.size}"]
    if recipe.head[0].kind == "classes":
        changes.append("head.0.schema=five-classes")
    if name == "gavrilita/finetune":
        changes.append("optim.epochs=2")
    if name == "gavrilita/gradual":
        changes += ["optim.epochs=6", "transfer.frozen=1"]
    if name == "deep-galaxies/vgg":
        changes.append("encoder.options.dense=[32, 32]")
    arguments = [part for change in changes for part in ("--set", change)]
    result = CliRunner().invoke(
        build(), ["train", name, str(pack), str(tmp_path / "m"), "--accelerator", "cpu", *arguments]
    )
    assert result.exception is None, result.exception
    assert read_manifest(tmp_path / "m")["recipe"]["encoder"]["name"] == recipe.encoder.name
    answers = load_model(tmp_path / "m").predict(torch.from_numpy(open_pack(pack).pixels[:2].copy()))
    assert all(torch.isfinite(values).all() for values in answers.values())
    assert (tmp_path / "m" / "augmented.png").stat().st_size > 1000


def test_the_reports_layouts_are_built_to_the_letter() -> None:
    vgg = build_encoder("conv-dense", channels=3, size=256, options=load_recipe("deep-galaxies/vgg").encoder.options)
    convolutions = [m for m in vgg.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert {(m.kernel_size, m.stride, m.padding) for m in convolutions} == {((3, 3), (1, 1), (1, 1))}
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in vgg.modules()) == 13
    dense = [m for m in vgg.modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in dense] == [(512 * 8 * 8, 4096), (4096, 4096)]
    assert [m.p for m in vgg.modules() if isinstance(m, torch.nn.Dropout)] == [0.5, 0.5]
    for name, widths, inputs in (("crop", [32, 64, 128, 128], 2 * 2 * 128), ("deep", [32, 96, 128, 128], 2 * 2 * 128)):
        recipe = load_recipe(f"serrano/{name}")
        network = build_encoder("conv-dense", channels=3, size=70, options=recipe.encoder.options)
        assert [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)] == widths
        first = next(m for m in network.modules() if isinstance(m, torch.nn.Linear))
        assert first.in_features == inputs


def test_a_dropout_for_each_dense_layer(pack: Path, recipe_file: Path) -> None:
    with pytest.raises(RecipeError, match="dropout has 3 numbers for 2 dense layers"):
        load_recipe(recipe_file, ["head.0.hidden=[8]", "head.0.dropout=[0, 0.5, 0.1]"])
    recipe = load_recipe(recipe_file, ["head.0.hidden=[8]", "head.0.dropout=[0, 0.5]"])
    assert recipe.head[0].dropout == (0, 0.5)


def test_a_larger_sample_holds_the_smaller_ones(pack: Path, recipe_file: Path) -> None:
    rows = {
        n: set(prepare(load_recipe(recipe_file, [f"run.galaxies={n}"]), open_pack(pack)).rows["train"].tolist())
        for n in (5, 20, 50, 5000)
    }
    assert [len(found) for found in rows.values()] == [5, 20, 50, 72]
    assert rows[5] < rows[20] < rows[50] < rows[5000]


def test_without_normalisation_the_network_sees_plain_pixels(pack: Path, recipe_file: Path) -> None:
    spec = prepare(load_recipe(recipe_file, ["input.normalise=false"]), open_pack(pack)).spec
    assert (spec.mean, spec.std) == ((0, 0, 0), (1, 1, 1))


def test_a_model_is_kept_of_every_so_many_epochs(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file, ["run.save_every=2", "optim.epochs=5"])
    folder = train(recipe, pack, tmp_path / "m", accelerator="cpu")
    assert sorted(path.name for path in (folder / "epochs").iterdir()) == ["002", "004"]
    pixels = torch.from_numpy(open_pack(pack).pixels[:4].copy())
    answers = [load_model(folder / "epochs" / name).predict(pixels)["gz-challenge"] for name in ("002", "004")]
    assert not torch.equal(*answers)
    assert read_manifest(folder / "epochs" / "004")["figures"]["epoch"] == 4


def test_the_last_epoch_is_kept_even_where_an_earlier_one_was_better(
    pack: Path, recipe_file: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(recipe_file, ["optim.lr=0.5", "optim.name=sgd", "optim.epochs=5", "run.keep=last"])
    folder = train(recipe, pack, tmp_path / "m", accelerator="cpu")
    history = pd.read_csv(folder / "history.csv")
    assert history["val_loss"].idxmin() < 4  # or this test says nothing
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 4
    assert torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == history["val_loss"].idxmin()
    assert read_manifest(folder)["figures"]["epoch"] == 5


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that holds nine galaxies at once."""
    tried: list[int] = []
    step = Task.training_step

    def training_step(self: Task, batch, index: int):
        tried.append(len(batch.pixels))
        if len(batch.pixels) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return step(self, batch, index)

    monkeypatch.setattr(Task, "training_step", training_step)
    return tried


def test_a_batch_too_large_for_the_memory_is_halved_and_said(
    pack: Path, recipe_file: Path, tmp_path: Path, little_memory: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    folder = train(load_recipe(recipe_file, ["optim.batch_size=32"]), pack, tmp_path / "m", accelerator="cpu")
    training = read_manifest(folder)["training"]
    assert training["batch_size"] == 8
    assert little_memory[0] > 9
    assert np.sum(np.array(little_memory) <= 8) == 3 * 9  # three epochs of 72 galaxies
    assert "a batch of 32 does not fit into memory: going on with 16, two to a step" in caplog.text
    assert read_manifest(folder)["recipe"]["optim"]["batch_size"] == 32  # what was asked


def test_where_not_one_galaxy_fits_it_says_so(
    pack: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def training_step(self: Task, batch, index: int):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Task, "training_step", training_step)
    with pytest.raises(ModelError, match="not even one galaxy fits"):
        train(load_recipe(recipe_file, ["optim.batch_size=2"]), pack, tmp_path / "m", accelerator="cpu")


@pytest.mark.parametrize("name", ["densenet121", "vgg11_bn"])
def test_networks_with_a_part_called_features_are_encoders_too(name: str) -> None:
    encoder = build_encoder(name, channels=3, size=64)
    assert encoder(torch.zeros(2, 3, 64, 64)).shape == (2, encoder.n_features)


def test_blown_up_pixels_are_warned_of(pack: Path, recipe_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepare(load_recipe(recipe_file), open_pack(pack))
    assert "blown up" not in caplog.text
    prepare(load_recipe(recipe_file, ["input.size=64"]), open_pack(pack))
    assert (
        "64 pixels a side are blown up from 32 of the pack's; for sharper ones pack again with --size 72" in caplog.text
    )
