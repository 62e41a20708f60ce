"""An ensemble answers with the mean of its members, wherever a model can stand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import ModelError
from tuningfork.inference import calibrate, embed, evaluate_model, predict
from tuningfork.models import load_model, make_ensemble, model_folder, read_manifest, seal
from tuningfork.packs import open_pack
from tuningfork.report import write_report
from tuningfork.training import load_recipe, train


@pytest.fixture(scope="module")
def second(pack: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with another seed, another view, another encoder."""
    changes = ["run.seed=8", "input.field=0.7", "encoder.name=equivariant", "encoder.options={width=1}"]
    return train(load_recipe(recipe_file, changes), pack, tmp_path_factory.mktemp("second") / "model")


@pytest.fixture(scope="module")
def ensemble(model: Path, second: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ensemble") / "both"
    result = CliRunner().invoke(build(), ["ensemble", str(model), str(second), str(out)])
    assert result.exception is None, result.exception
    assert "ensemble of 2" in result.output
    return calibrate(out, pack, split="all", tta=2)


def test_its_answers_are_the_means(ensemble: Path, model: Path, second: Path, pack: Path) -> None:
    pixels = torch.from_numpy(open_pack(pack).pixels[:5].copy())
    both = load_model(ensemble)
    both.uncertainty = None  # no temperature
    first, other = load_model(model).infer(pixels, 2), load_model(second).infer(pixels, 1)
    seen = both.infer(pixels, 2)
    torch.testing.assert_close(seen.features, first.features)
    assert both.n_features == seen.features.shape[1]
    # The second is blind to a half turn, so it looks once, and counts as much as the first.
    for name, values in seen.answers.items():
        torch.testing.assert_close(values, (first.answers[name] + other.answers[name]) / 2, atol=2e-6, rtol=0)
    assert (seen.spread["gz-challenge"].amax(dim=1) > 1e-3).all(), "trained apart, they disagree"


def test_it_is_a_model_like_any_other(ensemble: Path, galaxies: Path, pack: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(predict(galaxies, tmp_path / "p.parquet", model=ensemble))
    assert len(table) == 120 and table["error"].isna().all()
    assert {"smooth_or_featured_smooth_low", "smooth_or_featured_smooth_spread", "ood_score", "five_class"} <= set(
        table
    )
    np.testing.assert_allclose(
        table.filter(regex=r"^smooth_or_featured_(smooth|features_or_disk|star_or_artifact)$").sum(axis=1), 1, atol=1e-6
    )
    evaluate_model(ensemble, pack, split="test").save(tmp_path / "e")
    embed(pack, tmp_path / "f.parquet", model=ensemble, maps=())
    result = CliRunner().invoke(build(), ["explain", str(ensemble), str(galaxies), str(tmp_path / "x"), "--limit", "2"])
    assert result.exception is None, result.exception
    report = write_report([ensemble], tmp_path / "r.html").read_text(encoding="utf-8")
    assert "the mean of 2 models" in report


def test_what_was_measured_of_other_features_is_refused_and_measured_anew(
    ensemble: Path, pack: Path, tmp_path: Path
) -> None:
    shutil.copytree(ensemble, tmp_path / "old")
    arrays = load_file(tmp_path / "old" / "uncertainty.safetensors")
    arrays["likeness/mean"] = np.zeros(arrays["likeness/mean"].size + 3, np.float32)
    save_file(arrays, tmp_path / "old" / "uncertainty.safetensors")
    content = {key: value for key, value in read_manifest(tmp_path / "old").items() if key != "sha256"}
    seal(tmp_path / "old", content)
    with pytest.raises(ModelError, match="calibrate again"):
        load_model(tmp_path / "old")
    calibrate(tmp_path / "old", pack, split="all", tta=2, overwrite=True)
    assert load_model(tmp_path / "old").uncertainty is not None


def test_members_that_read_images_otherwise_are_refused(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "other")
    content = {key: value for key, value in read_manifest(model).items() if key != "sha256"}
    seal(tmp_path / "other", content | {"images": content["images"] | {"field": "0.5"}})
    with pytest.raises(ModelError, match="reads images in another way"):
        make_ensemble([model, tmp_path / "other"], tmp_path / "both")


def test_members_for_other_sizes_of_one_field_are_given_the_largest(
    model: Path, galaxies: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = read_manifest(model)
    size = content["geometry"]["size"]
    shutil.copytree(model, tmp_path / "fine")
    seal(tmp_path / "fine", content | {"geometry": content["geometry"] | {"size": 2 * size}})
    both = make_ensemble([model, tmp_path / "fine"], tmp_path / "both")
    assert f"packs of {size}, {2 * size} pixels; all are given {2 * size} now" in caplog.text
    assert load_model(both).spec.geometry.size == 2 * size
    assert f"seed 3, trained on {size} pixels, given {2 * size}\n- `members/2`" in (both / "card.md").read_text()
    tables = [
        pd.read_parquet(predict(galaxies, tmp_path / f"{folder.name}.parquet", model=folder, device="cpu"))
        for folder in (both, tmp_path / "fine")
    ]
    fractions = [table["smooth_or_featured_smooth"] for table in tables]
    np.testing.assert_allclose(fractions[0], fractions[1], atol=1e-6)  # both members are the finer one now


def test_training_starts_from_its_first_member(ensemble: Path, pack: Path, recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file, [f"encoder.start={ensemble}", "transfer.frozen=all", "optim.epochs=1"])
    started = load_model(train(recipe, pack, tmp_path / "m"))
    kept, known = started.members[0].encoder.state_dict(), load_model(ensemble).members[0].encoder.state_dict()
    assert all(torch.equal(kept[name], known[name]) for name in known if "weight" in name)


def test_members_must_fit_and_stay_whole(ensemble: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is an ensemble itself; name its members instead"):
        make_ensemble([ensemble, model], tmp_path / "a")
    with pytest.raises(ModelError, match="two models or more"):
        make_ensemble([model], tmp_path / "a")
    stranger = model_folder("default")
    stranger = stranger / "members" / "1" if (stranger / "members").exists() else stranger
    with pytest.raises(ModelError, match="train all of them on packs of one field"):
        make_ensemble([model, stranger], tmp_path / "a")
    with pytest.raises(ModelError, match="exists"):
        make_ensemble([model, model], ensemble)
    assert not (tmp_path / "a").exists()
    assert "calibration" not in read_manifest(ensemble / "members" / "1")
    copy = tmp_path / "copy"
    shutil.copytree(ensemble, copy)
    manifest = copy / "members" / "2" / "model.json"
    manifest.write_text(manifest.read_text() + " ")
    with pytest.raises(ModelError, match="not the file its manifest speaks of"):
        load_model(copy)
