"""Transfer learning: stages, phases, discriminative rates, the learning-rate finder, another model's encoder."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tuningfork.errors import CatalogError, ModelError, RecipeError
from tuningfork.inference import predict
from tuningfork.models import build_encoder, encoder_stages, load_model, read_manifest
from tuningfork.packs import open_pack
from tuningfork.schemas import load_schema
from tuningfork.training import load_recipe, train
from tuningfork.training.lr_finder import steepest
from tuningfork.training.preparation import build_model, prepare
from tuningfork.training.tables import OptimTable, Recipe, TransferTable
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


@given(frozen=st.integers(0, 6), unfreeze=st.integers(0, 4), epochs=st.integers(1, 60), stages=st.integers(1, 13))
def test_phases_follow_each_other_and_release_ever_more(frozen: int, unfreeze: int, epochs: int, stages: int) -> None:
    table = TransferTable(frozen=frozen, unfreeze=unfreeze if frozen else 0)
    needed = frozen + (unfreeze * (stages - 1) if frozen else 0)
    if frozen and epochs <= needed:
        with pytest.raises(RecipeError, match=f"ends before the whole encoder is released, in epoch {needed + 1}"):
            phases(table, epochs, stages)
        return
    run = phases(table, epochs, stages)
    assert run[0].start == 0
    assert run[-1].end == epochs
    assert all(phase.start < phase.end for phase in run)
    assert all(a.end == b.start and a.released < b.released for a, b in pairwise(run))
    assert run[0].released == (0 if frozen else stages)
    assert run[-1].released == stages
    if frozen and unfreeze:
        assert all(phase.released == index for index, phase in enumerate(run))


def test_a_frozen_encoder_can_stay_so() -> None:
    assert [phase.released for phase in phases(TransferTable(frozen="all"), 7, 5)] == [0]
    for frozen in ("0", '"all"'):
        with pytest.raises(RecipeError, match="unfreeze needs a number of frozen epochs before it"):
            load_recipe("gavrilita/gradual", [f"transfer.frozen={frozen}"])


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
    changes = [f"encoder.start={model}", "run.keep=last", "run.seed=9", "optim.epochs=2", "transfer.frozen=all"]
    frozen = train(load_recipe(recipe_file, changes), pack, tmp_path / "f", accelerator="cpu")
    assert {name.partition(".")[0] for name in changed(model, frozen)} == {"heads"}


def test_stages_are_released_from_the_last_to_the_first(
    model: Path, pack: Path, recipe_file: Path, tmp_path: Path
) -> None:
    changes = [
        "transfer.frozen=1",
        "transfer.unfreeze=1",
        "optim.epochs=9",
        "run.save_every=1",
        "optim.schedule=constant",
    ]
    folder = train(
        load_recipe(recipe_file, [f"encoder.start={model}", *changes]), pack, tmp_path / "m", accelerator="cpu"
    )
    encoder = load_model(model).encoder
    names = {id(parameter): f"encoder.{name}" for name, parameter in encoder.named_parameters()}
    stages = [{names[id(parameter)] for parameter in stage} for stage in encoder_stages(encoder)]
    before = model
    for epoch in range(1, 10):
        after = folder / "epochs" / f"{epoch:03d}"
        moved = {name for name in changed(before, after) if name in names.values()}
        assert moved == set().union(*stages[len(stages) - epoch + 1 :]) if epoch > 1 else not moved
        before = after


def test_another_encoder_cannot_be_started_from(model: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = [f"encoder.start={model}", "encoder.options.width=6"]
    with pytest.raises(RecipeError, match=r"\{'width': 4\}.*set it alike"):
        train(load_recipe(recipe_file, changes), pack, tmp_path / "m", accelerator="cpu")


def test_an_encoder_brings_its_normalisation(model: Path, pack: Path, recipe_file: Path) -> None:
    data = open_pack(pack)
    own = prepare(load_recipe(recipe_file), data).spec
    started = prepare(load_recipe(recipe_file, [f"encoder.start={model}", "run.galaxies=9"]), data).spec
    assert (started.mean, started.std) == (load_model(model).spec.mean, load_model(model).spec.std)
    assert own.mean != prepare(load_recipe(recipe_file, ["run.galaxies=9"]), data).spec.mean
    changes = ["encoder.name=resnet18", "encoder.pretrained=true"]
    assert prepare(load_recipe(recipe_file, changes), data).spec.mean == (0.485, 0.456, 0.406)  # ImageNet's


def test_a_run_knows_which_encoder_it_started_from(model: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    shutil.copytree(model, start)
    recipe = load_recipe(recipe_file, [f"encoder.start={start}", "optim.epochs=1"])
    folder = train(recipe, pack, tmp_path / "m", accelerator="cpu")
    assert read_manifest(folder)["data"]["start"] == read_manifest(model)["sha256"]
    shutil.rmtree(start)
    train(load_recipe(recipe_file, ["run.seed=4", "optim.epochs=1"]), pack, start, accelerator="cpu")
    with pytest.raises(ModelError, match="the work of another training run"):
        train(recipe, pack, tmp_path / "m", accelerator="cpu")


def test_an_encoder_of_another_size_is_refused_by_name(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    network = ["encoder.name=conv-dense", "encoder.options={stages=[[4], [4]], dense=[8]}", "optim.epochs=1"]
    start = train(load_recipe(recipe_file, network), pack, tmp_path / "s", accelerator="cpu")
    with pytest.raises(RecipeError, match=r"trained at 32 px.*can't be used at 24 px"):
        train(
            load_recipe(recipe_file, [*network, f"encoder.start={start}", "input.size=24"]),
            pack,
            tmp_path / "m",
            accelerator="cpu",
        )


def test_where_weights_are_out_of_reach_the_folder_is_not_claimed(
    pack: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    changes = ["encoder.name=resnet18", "optim.epochs=1"]
    with pytest.raises(ModelError, match=r"encoder\.pretrained = false; the networks written here.*need none"):
        train(load_recipe(recipe_file, [*changes, "encoder.pretrained=true"]), pack, tmp_path / "m")
    assert not list(tmp_path.glob("m/*"))


def test_the_finder_takes_the_steepest_fall_before_the_minimum() -> None:
    rates = np.logspace(-6, 1, 141)
    position = np.log10(rates)
    fall = 1 / (1 + np.exp((position + 3) / 0.2))  # a step down, steepest at 1e-3
    losses = 0.5 + fall + np.where(position > -1, (position + 1) ** 2, 0)
    assert steepest(rates, losses) == pytest.approx(1e-3, rel=0.2)


def test_the_rate_found_is_used_recorded_and_found_again(pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    changes = ["optim.find_lr=true", "optim.epochs=2", "optim.schedule=constant", "optim.warmup=0"]
    recipe = load_recipe(recipe_file, changes)
    first = train(recipe, pack, tmp_path / "a", accelerator="cpu")
    rate = read_manifest(first)["training"]["lr"]
    curve = pd.read_csv(first / "lr-finder.csv")
    assert curve["lr"].is_monotonic_increasing
    assert curve["loss"].min() < curve["loss"].iloc[0]
    assert rate == steepest(curve["lr"].to_numpy(), curve["loss"].to_numpy())
    assert pd.read_csv(first / "history.csv")["lr"].tolist() == pytest.approx([rate, rate])
    assert rate <= curve["lr"][curve["loss"].idxmin()] / 10 * 1.06
    assert read_manifest(train(recipe, pack, tmp_path / "b", accelerator="cpu"))["training"]["lr"] == rate


def test_a_loss_that_is_never_finite_is_said() -> None:
    with pytest.raises(ModelError, match=r"set optim\.lr yourself"):
        steepest(np.array([1e-6]), np.array([2.0]))


def test_heads_are_taken_with_the_encoder(model: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    used = [f"encoder.start={model}", "transfer.heads=true"]
    data = open_pack(pack)
    recipe = load_recipe(recipe_file, used)
    started, known = build_model(recipe, prepare(recipe, data)), load_model(model)
    for name, values in known.state_dict().items():
        assert torch.equal(started.state_dict()[name], values), name
    other = load_recipe(recipe_file, [*used, "head.0.hidden=[5]"])
    with pytest.raises(RecipeError, match="for schema 'gz-challenge' has other layers"):
        build_model(other, prepare(other, data))
    kind = load_recipe(recipe_file, [*used, "head.0.kind=sigmoid"])
    with pytest.raises(RecipeError, match="is of another kind"):
        build_model(kind, prepare(kind, data))
    with pytest.raises(RecipeError, match=r": transfer.heads needs encoder.start, the model to take them from$"):
        load_recipe(recipe_file, ["transfer.heads=true"])


def test_a_head_learns_from_the_galaxies_its_where_names(pack: Path, recipe_file: Path) -> None:
    data = open_pack(pack)
    recipe = load_recipe(recipe_file, ['head.0.where=["five_class=cigar|round"]'])
    material = prepare(recipe, data)
    fractions, classes = material.targets["gz-challenge"], data.catalog["five_class"]
    train = data.rows("train")
    known = ~np.isnan(fractions[train]).all(axis=1)
    assert (known == classes.iloc[train].isin(["cigar", "round"])).all() and 0 < known.sum() < len(train)
    others = np.concatenate([data.rows("val"), data.rows("test")])
    assert not np.isnan(fractions[others]).any(), "what is judged stays as it is"
    assert not np.isnan(material.targets["five-classes"]).any()
    with pytest.raises(CatalogError, match=r"where surface=bright: .* has no column 'surface'"):
        prepare(load_recipe(recipe_file, ['head.0.where=["surface=bright"]']), data)


@pytest.fixture(scope="module")
def answers(model: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tiny model says of every galaxy of its pack."""
    path = tmp_path_factory.mktemp("answers") / "answers.parquet"
    predict(pack, path, model=model)
    return path


def _taught(recipe_file: Path, answers: Path, *changes: str) -> Recipe:
    return load_recipe(recipe_file, [f'head.0.teacher.answers="{answers}"', *changes])


def test_a_teacher_blends_into_labels_and_fills_the_gaps(recipe_file: Path, answers: Path, pack: Path) -> None:
    whole = open_pack(pack)
    catalog = whole.catalog.copy()
    columns = [name for name in catalog if name.startswith("Class")]
    unlabelled = np.flatnonzero(catalog["split"] == "train")[:10]
    catalog.loc[unlabelled, columns] = np.nan
    data = replace(whole, catalog=catalog)
    names = list(load_schema("gz-challenge").prediction_columns)
    taught = pd.read_parquet(answers).set_index("id_str").loc[data.catalog["id_str"], names].to_numpy()
    labels = data.catalog[columns].to_numpy(dtype=float)
    recipe = _taught(recipe_file, answers, "head.0.teacher.weight=0.3", "head.0.teacher.share=0.5")
    material = prepare(recipe.model_copy(update={"head": recipe.head[:1]}), data)
    train, val = material.rows["train"], material.rows["val"]
    expected = np.where(np.isnan(labels), taught, 0.7 * labels + 0.3 * taught)
    np.testing.assert_allclose(material.targets["gz-challenge"][train], expected[train], atol=1e-6)
    np.testing.assert_array_equal(material.targets["gz-challenge"][val], labels[val].astype(np.float32))
    assert set(unlabelled) <= set(train)
    np.testing.assert_array_equal(material.shares, np.where(np.isin(train, unlabelled), 0.5, 1.0))


def test_a_teacher_of_half_known_galaxies_obeys_their_tree(recipe_file: Path, answers: Path, pack: Path) -> None:
    whole = open_pack(pack)
    catalog = whole.catalog.copy()
    schema = next(schema for schema in whole.schemas if schema.name == "gz-challenge")
    asked = [name for name in schema.columns if name.startswith(("Class1.", "Class7."))]
    catalog[[name for name in schema.columns if name not in asked]] = np.nan
    recipe = _taught(recipe_file, answers)
    material = prepare(recipe.model_copy(update={"head": recipe.head[:1]}), replace(whole, catalog=catalog))
    targets = material.targets[schema.name][material.rows["train"]]
    assert not np.isnan(targets).any()
    for question in schema.questions:
        parents = list(schema.parent_positions(question))
        reached = targets[:, parents].sum(axis=1) if parents else np.ones(len(targets))
        np.testing.assert_allclose(targets[:, schema.slices[question.name]].sum(axis=1), reached, atol=1e-4)


def test_a_taught_run_trains_and_knows_its_teacher(
    recipe_file: Path, answers: Path, pack: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.parquet"
    shutil.copy(answers, mine)
    recipe = _taught(recipe_file, mine, "optim.epochs=1")
    train(recipe, pack, tmp_path / "out")
    recorded = read_manifest(tmp_path / "out")["data"]["teachers"]["gz-challenge"]
    assert recorded == hashlib.sha256(mine.read_bytes()).hexdigest()
    train(recipe, pack, tmp_path / "out")  # finished: nothing to do
    table = pd.read_parquet(mine)
    table["smooth_or_featured_smooth"] = 0.5
    table.to_parquet(mine)
    with pytest.raises(ModelError, match="the work of another training run"):
        train(recipe, pack, tmp_path / "out")


def test_a_teacher_that_can_t_teach_is_named(recipe_file: Path, answers: Path, pack: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="name a table, as `tuningfork predict"):
        train(_taught(recipe_file, tmp_path / "none.parquet"), pack, tmp_path / "out")
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    with pytest.raises(RecipeError, match=r"pipe can't be read .it is no regular file"):
        train(_taught(recipe_file, tmp_path / "pipe"), pack, tmp_path / "out")
    classes = load_recipe(recipe_file, [f'head.1.teacher.answers="{answers}"'])
    with pytest.raises(RecipeError, match="a classes head can't have a teacher"):
        train(classes, pack, tmp_path / "out")
    table = pd.read_parquet(answers)
    table["id_str"] = "x" + table["id_str"]
    table.to_parquet(tmp_path / "others.parquet")
    with pytest.raises(RecipeError, match="answers none of the training galaxies"):
        train(_taught(recipe_file, tmp_path / "others.parquet"), pack, tmp_path / "out")
    table.assign(**{"smooth_or_featured_smooth": 55.0}, id_str=table["id_str"].str[1:]).to_parquet(
        tmp_path / "percent.parquet"
    )
    with pytest.raises(RecipeError, match=r"smooth_or_featured_smooth is 55, beyond 0 to 1"):
        train(_taught(recipe_file, tmp_path / "percent.parquet"), pack, tmp_path / "out")
    table.drop(columns="smooth_or_featured_smooth").to_parquet(tmp_path / "narrow.parquet")
    with pytest.raises(CatalogError, match=r"no column 'smooth_or_featured_smooth'"):
        train(_taught(recipe_file, tmp_path / "narrow.parquet"), pack, tmp_path / "out")
    assert not (tmp_path / "out").exists()
