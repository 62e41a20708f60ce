"""The bundled models: whole, small, documented, and as good on real galaxies as the docs say."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import tuningfork
from conftest import as_labels
from tuningfork.errors import ModelError
from tuningfork.images import Geometry
from tuningfork.inference import predict, predict_pack
from tuningfork.models import DEFAULT_MODEL, bundled_models, model_folder, read_manifest
from tuningfork.packs import make_pack
from tuningfork.schemas import check_labels, load_schema

DATA = Path(__file__).parents[2] / "shared" / "data" / "galaxy-zoo-challenge"
real_galaxies = pytest.mark.skipif(not DATA.is_dir(), reason="the shared real galaxies are not on this machine")
CHALLENGE = load_schema("gz-challenge")


def rmse(predictions: pd.DataFrame, truth: pd.DataFrame) -> float:
    columns = list(CHALLENGE.columns)
    fractions = predictions[list(CHALLENGE.prediction_columns)].to_numpy(float)
    return float(np.sqrt(np.mean((fractions - truth[columns].to_numpy(float)) ** 2)))


@pytest.mark.parametrize("name", bundled_models())
def test_it_is_whole_small_and_has_a_card(name: str) -> None:
    folder = model_folder(name)
    assert read_manifest(name)["data"]["n"]["train"] > 20_000
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 11_000_000
    card = (folder / "card.md").read_text(encoding="utf-8")
    for word in ("SDSS", "RMSE", "Limits", "Licence"):
        assert word in card


def test_it_predicts_offline_on_any_folder(galaxies: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(predict(galaxies.parent / "images", tmp_path / "out.parquet"))
    assert len(table) == 120
    assert table["error"].isna().all()
    check_labels(as_labels(table, CHALLENGE), CHALLENGE, "predictions")


@real_galaxies
def test_its_figure_on_real_galaxies_holds(tmp_path: Path) -> None:
    geometry = Geometry.from_dict(read_manifest(DEFAULT_MODEL)["geometry"])
    pack = make_pack(str(DATA / "test-*.parquet"), tmp_path / "pack", schemas=("gz-challenge",), geometry=geometry)
    rows = np.flatnonzero((pack.catalog["block"] == "complete_high").to_numpy())
    assert len(rows) == 789
    some = rows[::4]
    assert rmse(predict_pack(DEFAULT_MODEL, pack, some), pack.catalog.iloc[some]) <= 0.090


def validation_galaxies(number: int) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The first galaxies of the validation split's true mix, and their images."""
    table = pq.read_table(sorted(DATA.glob("val-*.parquet"))).to_pandas()
    table = table[table["block"] == "complete_high"].dropna(subset=list(CHALLENGE.columns)).iloc[:number]
    return table, [np.asarray(Image.open(io.BytesIO(image["bytes"])).convert("RGB")) for image in table["image"]]


@real_galaxies
def test_accurate_is_nearer_to_the_volunteers_than_default() -> None:
    table, images = validation_galaxies(60)
    found = {name: tuningfork.load_model(name).predict(images) for name in ("default", "accurate")}
    assert rmse(found["accurate"], table) < rmse(found["default"], table) < 0.1


def test_a_member_of_a_bundled_ensemble_has_a_name() -> None:
    assert read_manifest("accurate/members/2")["encoder"]["name"] == "tf_efficientnet_lite0"
    with pytest.raises(ModelError, match="no model named 'accurate/members/3'"):
        model_folder("accurate/members/3")


@real_galaxies
@pytest.mark.parametrize("name", bundled_models())
def test_it_is_at_home_in_other_frames_and_in_one_band(name: str) -> None:
    table, images = validation_galaxies(40)
    model = tuningfork.load_model(name)
    for frame, change, most in (
        ("as it is", lambda image: image, 0.095),
        ("twice as wide", lambda image: np.pad(image, ((106, 106), (106, 106), (0, 0)), mode="symmetric"), 0.095),
        ("half as wide", lambda image: image[53:159, 53:159], 0.095),
        ("a fifth off centre", lambda image: np.pad(image, ((0, 0), (42, 0), (0, 0)), mode="edge")[:, :212], 0.095),
        ("r alone", lambda image: np.repeat(image[..., 1:2], 3, axis=2), 0.102),
    ):
        found = model.predict([change(image) for image in images])
        assert rmse(found, table) < most, frame
        assert found["ood"].mean() < 0.15, frame


@real_galaxies
def test_original_files_score_as_the_reduced_ones(tmp_path: Path) -> None:
    """424 px JPEG files and their 212 px versions give nearly the same fractions: the geometry is of the sky."""
    images = sorted((DATA / "native" / "images_training_rev1").iterdir())[::6]
    table = pd.read_parquet(predict(images, tmp_path / "out.parquet"))
    truth = pd.read_csv(DATA / "native" / "training_solutions_rev1.csv", dtype={"GalaxyID": str})
    joined = table.merge(truth, left_on="id_str", right_on="GalaxyID", suffixes=("", "_true"))
    assert len(joined) == 191
    assert rmse(joined, joined) <= 0.092
