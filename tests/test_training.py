"""Training through the real command: learns, resumes to the same weights, refuses what can't be right."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import ModelError, PackError, RecipeError
from tuningfork.models import build_encoder, load_model, read_manifest
from tuningfork.packs import open_pack
from tuningfork.training import load_recipe, train
from tuningfork.training.data import BatchRows
from tuningfork.training.preparation import prepare
from tuningfork.training.tables import OptimTable
from tuningfork.training.task import build_schedule
from tuningfork.training.trainer import precision_here
from tuningfork.training.transfer import Phase

COMMAND = [sys.executable, "-m", "tuningfork"]


def run_train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, "train", *arguments, "--accelerator", "cpu"], capture_output=True, text=True)


def test_a_model_folder_holds_all_it_should(model: Path, recipe_file: Path) -> None:
    manifest = read_manifest(model)
    assert manifest["format"] == "tuningfork-model"
    assert [head["schema"]["name"] for head in manifest["heads"]] == ["gz-challenge", "five-classes"]
    assert manifest["data"]["n"] == {"train": 72, "val": 24}
    assert not list(model.glob("*.pkl"))
    assert load_recipe(model / "recipe.toml") == load_recipe(recipe_file)
    history = pd.read_csv(model / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert np.isfinite(history.to_numpy()).all()
    assert "val_gz-challenge_rmse" in history
    assert list((model / "logs").glob("events.out.tfevents.*"))
    assert "# Model card: test/tiny" in (model / "card.md").read_text()


def test_it_learns(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = ["optim.epochs=24", "optim.lr=5e-3", "encoder.options.width=8", "run.ema=0.8"]
    folder = train(load_recipe(recipe_file, changes), pack, tmp_path / "m", accelerator="cpu")
    history = pd.read_csv(folder / "history.csv")
    assert history["val_five-classes_accuracy"].max() > 0.8
    # Always answering with the mean of the labels scores about 0.126 here.
    assert history["val_gz-challenge_rmse"].min() < 0.09


def test_a_killed_run_resumes_to_the_same_weights(model: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    with subprocess.Popen(
        [*COMMAND, "train", str(recipe_file), str(pack), str(out), "--accelerator", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        deadline = time.monotonic() + 120
        while not (out / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, process.stdout.read()  # type: ignore[union-attr]
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (out / "model.json").exists()
    with pytest.raises(ModelError, match="work has not finished"):
        load_model(out)
    again = run_train(str(recipe_file), str(pack), str(out))
    assert again.returncode == 0, again.stderr
    assert "going on from the last whole epoch" in again.stderr
    unbroken, resumed = load_file(model / "model.safetensors"), load_file(out / "model.safetensors")
    assert unbroken.keys() == resumed.keys()
    for name, weights in unbroken.items():
        torch.testing.assert_close(resumed[name], weights, rtol=0, atol=0)
    figures = [column for column in pd.read_csv(out / "history.csv") if column != "seconds"]
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "history.csv")[figures], pd.read_csv(model / "history.csv")[figures]
    )
    third = run_train(str(recipe_file), str(pack), str(out))
    assert third.returncode == 0
    assert "already trained" in third.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "optim.epoch=3"], "did you mean 'epochs'"),
        (["--set", "encoder.name=resnet81"], "no encoder named 'resnet81'"),
        (["--set", "head.0.schema=gz2"], "pack again with --schema gz2"),
        (["--set", "input.field=0.95"], "pack again with --field 0.95"),
        (["--set", "input.size=8"], "can't take images of 8 px"),
        (["--set", "encoder.pretrained=true"], "no pretrained weights"),
        (["--set", "run.monitor=val_rmse"], "val_gz-challenge_rmse"),
    ],
)
def test_bad_recipes_stop_before_anything_starts(
    pack: Path, recipe_file: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    if "size" in arguments[1]:
        arguments = [
            *arguments,
            "--set",
            "encoder.name=conv-dense",
            "--set",
            "encoder.options={stages=[[4],[4],[4],[4]]}",
        ]
    result = CliRunner().invoke(build(), ["train", str(recipe_file), str(pack), str(tmp_path / "m"), *arguments])
    assert isinstance(result.exception, RecipeError | PackError | ModelError)
    assert says in str(result.exception)
    assert not (tmp_path / "m" / "model.json").exists()


def test_an_error_is_one_line_and_exit_code_2(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    result = run_train(str(recipe_file), str(pack), str(tmp_path / "m"), "--set", "optim.epoch=3")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    assert not (tmp_path / "m").exists()


def test_a_folder_of_another_run_is_left_alone(model: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the work of another training run"):
        train(load_recipe(recipe_file, ["run.seed=99"]), pack, model)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(ModelError, match="holds something else"):
        train(load_recipe(recipe_file), pack, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_altered_or_missing_file_is_refused(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match="altered or half copied"):
        load_model(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="is missing"):
        load_model(copy)
    (copy / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_model(copy)
    (copy / "model.json").write_text(json.dumps({"format": "tuningfork-model", "version": 99}))
    with pytest.raises(ModelError, match="update it"):
        load_model(copy)
    with pytest.raises(ModelError, match="no model named"):
        load_model(tmp_path / "nowhere")


def test_other_optimisers_schedules_and_accumulation_run(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = ["optim.name=sgd", "optim.lr=0.05", "optim.schedule=cosine", "optim.accumulate=2", "optim.clip=1.0"]
    more = ["run.precision=bf16", "run.keep=last", "run.patience=1", "optim.epochs=2"]
    recipe = load_recipe(recipe_file, [*changes, *more])
    recipe = recipe.model_copy(update={"run": recipe.run.model_copy(update={"ema": None})})
    folder = train(recipe, pack, tmp_path / "m", accelerator="cpu")
    assert np.isfinite(pd.read_csv(folder / "history.csv").to_numpy()).all()


def test_a_timm_encoder_by_name_trains_on_any_channels(galaxies: Path, recipe_file: Path, tmp_path: Path) -> None:
    from tuningfork.images import Geometry
    from tuningfork.packs import make_pack

    grey = tmp_path / "grey"
    make_pack(
        galaxies,
        grey,
        schemas=("gz-challenge", "five-classes"),
        geometry=Geometry(0.9, 36, 1),
        split={"train": 0.8, "val": 0.2, "test": 0.0},
    )
    changes = ["encoder.name=test_resnet", "optim.epochs=1"]
    folder = train(load_recipe(recipe_file, changes), grey, tmp_path / "m", accelerator="cpu")
    network = load_model(folder)
    assert network.spec.geometry.channels == 1
    answers = network.predict(torch.from_numpy(np.array(open_pack(grey).pixels[:4])))
    assert answers["gz-challenge"].shape == (4, 37)


def test_pretrained_weights_without_a_network_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"HF_HOME.*encoder\.pretrained = false"):
        build_encoder("resnet18.a1_in1k", channels=3, size=64, pretrained=True)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_schedules_rise_to_the_rate_and_fall(schedule: str) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [parameter], "depth": 0}], lr=2.0)
    scheduler = build_schedule(optimizer, OptimTable(lr=2.0, schedule=schedule, warmup=0.2), [Phase(0, 100, 1)], 1)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    peak = int(np.argmax(rates))
    assert max(rates) == pytest.approx(2.0)
    assert 15 <= peak <= 21
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()
    assert rates[-1] == pytest.approx(2.0) if schedule == "constant" else rates[-1] < 0.01


@pytest.mark.parametrize(("n", "batch", "world"), [(10, 3, 1), (100, 7, 2), (5, 8, 3), (64, 16, 4)])
def test_every_row_is_seen_once_an_epoch(n: int, batch: int, world: int) -> None:
    rows = np.arange(100, 100 + n)
    for shuffle in (False, True):
        seen, lengths = [], set()
        for rank in range(world):
            sampler = BatchRows(rows, batch, seed=1, shuffle=shuffle, rank=rank, world=world)
            parts = list(sampler)
            assert len(parts) == len(sampler)
            assert all(1 <= len(part.rows) <= -(-max(batch, world) // world) + 1 for part in parts)
            lengths.add(len(parts))
            seen += [part.rows for part in parts]
        assert sorted(np.concatenate(seen)) == rows.tolist()
        assert len(lengths) == 1


@given(n=st.integers(1, 100), batch=st.integers(1, 40), world=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_devices_share_the_batches_that_one_would_take(n: int, batch: int, world: int) -> None:
    assume(world <= min(n, batch))
    one = list(BatchRows(np.arange(n), batch, seed=2, shuffle=True))
    shares = [list(BatchRows(np.arange(n), batch, seed=2, shuffle=True, rank=r, world=world)) for r in range(world)]
    assume(len(one) <= n // world)
    for index, whole in enumerate(one):
        parts = [share[index] for share in shares]
        assert np.array_equal(np.concatenate([part.rows for part in parts]), whole.rows)
        assert {(part.seed, part.whole) for part in parts} == {(whole.seed, len(whole.rows))}
        assert all(np.array_equal(part.rows, whole.rows[part.first :][: len(part.rows)]) for part in parts)


def test_epochs_differ_and_repeat() -> None:
    sampler = BatchRows(np.arange(50), 8, seed=1, shuffle=True)
    first = [(part.seed, part.rows.tolist()) for part in sampler]
    sampler.set_epoch(1)
    second = [(part.seed, part.rows.tolist()) for part in sampler]
    sampler.set_epoch(0)
    assert [(part.seed, part.rows.tolist()) for part in sampler] == first
    assert first != second
    assert math.isclose(len(first), len(second))


@given(n=st.integers(1, 200), share=st.floats(0.01, 1), batch=st.integers(1, 64), world=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_an_epoch_takes_a_share_of_what_only_one_head_learns_from(n: int, share: float, batch: int, world: int) -> None:
    rows, shares = np.arange(2 * n), np.where(np.arange(2 * n) < n, 1.0, share)
    drawn = math.ceil(share * n)

    def epoch(number: int) -> list[int]:
        seen: list[int] = []
        for rank in range(world):
            sampler = BatchRows(rows, batch, shares=shares, seed=4, shuffle=True, rank=rank, world=world)
            sampler.set_epoch(number)
            assert sampler.drawn == n + drawn
            parts = [part.rows for part in sampler]
            assert len(parts) == len(sampler)
            seen += [int(row) for part in parts for row in part]
        return sorted(seen)

    first = epoch(0)
    assert first[:n] == list(range(n)), "every other galaxy is seen each time"
    assert len(first) == len(set(first)) == n + drawn
    assert epoch(0) == first
    if share < 0.7 and n > 60:
        assert epoch(1) != first, "drawn anew"


def test_a_share_counts_only_where_no_other_head_learns(pack: Path, recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["head.1.share=0.25"])
    material = prepare(recipe, open_pack(pack))
    assert (material.shares == 1).all(), "every galaxy of this pack has fractions too"
    alone = prepare(load_recipe(recipe_file, ["head.0.share=0.5", "head.1.share=0.25"]), open_pack(pack))
    assert (alone.shares == 0.5).all(), "the head that wants more of a galaxy decides"
    with pytest.raises(RecipeError, match=r"head\.1\.share"):
        load_recipe(recipe_file, ["head.1.share=1.5"])


@pytest.mark.parametrize(
    ("capability", "accelerator", "used"),
    [("AVX2", "cpu", "32"), ("DEFAULT", "auto", "32"), ("AVX512", "cpu", "bf16"), ("AVX2", "gpu", "bf16")],
)
def test_bfloat16_is_for_cpus_that_know_it(
    capability: str, accelerator: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert precision_here("bf16", accelerator) == used
    assert precision_here("16", accelerator) == "16"
