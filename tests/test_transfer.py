"""Transfer learning: stages, phases, discriminative rates, the learning-rate finder, another model's encoder."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tuningfork.errors import RecipeError
from tuningfork.models import build_encoder, encoder_stages, load_model, read_manifest
from tuningfork.training import load_recipe, train
from tuningfork.training.lr_finder import steepest
from tuningfork.training.recipe import OptimTable, TransferTable
from tuningfork.training.task import build_optimizer, build_schedule
from tuningfork.training.transfer import phases


@pytest.mark.parametrize("name", ["plain", "conv-dense", "resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_every_parameter_of_an_encoder_is_in_one_stage(name: str) -> None:
    options = {"stages": [[4], [8, 8]], "dense": [16]} if name == "conv-dense" else {}
    encoder = build_encoder(name, channels=3, size=64, options=options)
    stages = encoder_stages(encoder)
    seen = [id(parameter) for stage in stages for parameter in stage]
    assert sorted(seen) == sorted(id(parameter) for parameter in encoder.parameters())
    assert len(stages) >= 3
    assert any(parameter is next(encoder.parameters()) for parameter in stages[0])


@given(frozen=st.integers(0, 6), unfreeze=st.integers(0, 4), epochs=st.integers(1, 30), stages=st.integers(1, 13))
def test_phases_follow_each_other_and_release_ever_more(frozen: int, unfreeze: int, epochs: int, stages: int) -> None:
    run = phases(TransferTable(frozen=frozen, unfreeze=unfreeze), epochs, stages)
    assert run[0].start == 0
    assert run[-1].end == epochs
    assert all(phase.start < phase.end for phase in run)
    assert all(a.end == b.start and a.released < b.released for a, b in pairwise(run))
    assert run[0].released == (0 if frozen else stages)
    if frozen and not unfreeze and epochs > frozen:
        assert [(phase.start, phase.released) for phase in run] == [(0, 0), (frozen, stages)]
    if frozen and unfreeze:
        assert all(phase.released == index for index, phase in enumerate(run))


def test_a_stage_has_no_rate_until_it_is_released_and_then_its_own() -> None:
    groups = [[torch.nn.Parameter(torch.zeros(2, 2))] for _ in range(3)]
    optimizer = build_optimizer(groups, OptimTable(name="sgd", lr=1.0), decay=0.1)
    run = phases(TransferTable(frozen=2, unfreeze=2, decay=0.1), 6, 2)
    scheduler = build_schedule(optimizer, OptimTable(lr=1.0, schedule="constant", warmup=0), run, 1)
    rates = []
    for _ in range(6):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    expected = [[1, 0, 0]] * 2 + [[1, 0.1, 0]] * 2 + [[1, 0.1, 0.01]] * 2
    np.testing.assert_allclose(rates, expected)


def test_the_schedule_runs_anew_from_each_release() -> None:
    groups = [[torch.nn.Parameter(torch.zeros(2, 2))] for _ in range(2)]
    table = OptimTable(lr=1.0, schedule="one-cycle", warmup=0.3)
    optimizer = build_optimizer(groups, table)
    run = phases(TransferTable(frozen=2), 6, 1)
    scheduler = build_schedule(optimizer, table, run, 10)
    heads = []
    for _ in range(60):
        heads.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert heads[0] == pytest.approx(1 / 25)
    assert max(heads[:20]) == pytest.approx(1.0)
    assert heads[19] < 0.05
    assert heads[20] == pytest.approx(1 / 25)
    assert max(heads[20:]) == pytest.approx(1.0)


def changed(before: Path, after: Path) -> set[str]:
    first, second = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
    names = [name for name in first if not name.endswith("num_batches_tracked")]  # a counter that nothing reads
    # The moving average of a constant is the constant but for rounding.
    return {name for name in names if not torch.allclose(first[name], second[name], rtol=1e-5)}


def test_a_frozen_encoder_keeps_every_weight_and_average(
    model: Path, pack: Path, recipe_file: Path, tmp_path: Path
) -> None:
    changes = [f"encoder.start={model}", "run.keep=last", "run.seed=9", "optim.epochs=2"]
    frozen = train(load_recipe(recipe_file, [*changes, "transfer.frozen=2"]), pack, tmp_path / "f", accelerator="cpu")
    assert {name.partition(".")[0] for name in changed(model, frozen)} == {"heads"}
    released = ["transfer.frozen=1", "transfer.unfreeze=1"]
    partly = train(load_recipe(recipe_file, [*changes, *released]), pack, tmp_path / "p", accelerator="cpu")
    moved = {name for name in changed(model, partly) if name.startswith("encoder")}
    last = [name for name, _ in load_model(model).encoder.named_parameters()][-3:]
    assert {name.removeprefix("encoder.") for name in moved} >= set(last)
    assert all(name.removeprefix("encoder.").startswith(("body.24", "body.25")) for name in moved), moved


def test_another_encoder_cannot_be_started_from(model: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = [f"encoder.start={model}", "encoder.options.width=6"]
    with pytest.raises(RecipeError, match=r"\{'width': 4\}.*set it alike"):
        train(load_recipe(recipe_file, changes), pack, tmp_path / "m", accelerator="cpu")


def test_the_finder_takes_the_steepest_fall_before_the_minimum() -> None:
    rates = np.logspace(-6, 1, 141)
    position = np.log10(rates)
    fall = 1 / (1 + np.exp((position + 3) / 0.2))  # a step down, steepest at 1e-3
    losses = 0.5 + fall + np.where(position > -1, (position + 1) ** 2, 0)
    assert steepest(rates, losses) == pytest.approx(1e-3, rel=0.2)


def test_the_rate_found_is_used_recorded_and_found_again(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = ["optim.find_lr=true", "optim.epochs=1", "optim.schedule=constant", "optim.warmup=0"]
    recipe = load_recipe(recipe_file, changes)
    first = train(recipe, pack, tmp_path / "a", accelerator="cpu")
    rate = read_manifest(first)["training"]["lr"]
    curve = pd.read_csv(first / "lr-finder.csv")
    assert curve["lr"].is_monotonic_increasing
    assert curve["loss"].min() < curve["loss"].iloc[0]
    assert rate == steepest(curve["lr"].to_numpy(), curve["loss"].to_numpy())
    assert pd.read_csv(first / "history.csv")["lr"].iloc[-1] == pytest.approx(rate)
    assert read_manifest(train(recipe, pack, tmp_path / "b", accelerator="cpu"))["training"]["lr"] == rate
