"""Labels where people have them: one column of any table, keys that are names of files; twins in one split."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from conftest import RECIPE, draw_galaxy
from tuningfork.catalogs import join_labels
from tuningfork.cli.app import build
from tuningfork.errors import CatalogError, SchemaError
from tuningfork.packs import count_labels, empty_classes, open_pack
from tuningfork.schemas import ClassSchema, QuantitySchema, schema_of_column


def pack(*arguments: object) -> str:
    result = CliRunner().invoke(build(), ["pack", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty galaxies g00 to g39, of which g38 and g39 are g00 and g01 again."""
    folder, rng = tmp_path_factory.mktemp("labels") / "images", np.random.default_rng(5)
    folder.mkdir()
    drawn = [draw_galaxy(0.3 + 0.7 * (i % 2), rng.uniform(0, 3), rng) for i in range(38)]
    for i in range(40):
        Image.fromarray(drawn[i % 38]).save(folder / f"g{i:02d}.png")
    return folder


def test_one_column_of_a_table_is_enough_to_train(images: Path, tmp_path: Path) -> None:
    kinds = ["None" if i % 2 else "edge-on" for i in range(40)]
    table = pd.DataFrame({"filename": [f"images/g{i:02d}.png" for i in range(40)], "Kind": kinds})
    table.to_csv(tmp_path / "labels.csv", index=False)
    out, model = tmp_path / "pack", tmp_path / "model"
    said = pack(images, out, "--labels", tmp_path / "labels.csv", "--label", "kind", "--size", 36, "--field", 0.9)
    made = open_pack(out)
    assert [schema.name for schema in made.schemas] == ["Kind"]
    assert made.schemas[0].class_names == ("None", "edge-on")
    assert made.catalog.set_index("id_str")["Kind"].to_dict() == {f"g{i:02d}": kind for i, kind in enumerate(kinds)}
    assert "labels of Kind: 40" in said
    counts = count_labels(made, made.schemas[0])
    assert counts.to_numpy().sum() == 40
    assert f"  edge-on{counts.loc['edge-on', 'train']:>10}" in said

    (tmp_path / "tiny.toml").write_text(
        RECIPE.split("[[head]]")[0] + "[[head]]\nschema = 'x'\nkind = 'classes'\n[optim]\nepochs = 1\n"
    )
    words = ["train", tmp_path / "tiny.toml", out, model, "--accelerator", "cpu"]
    refused = CliRunner().invoke(build(), [*map(str, words)])
    assert "--set head.0.schema=Kind --set head.0.kind=classes" in str(refused.exception)
    arguments = [*words, "--set", "head.0.schema=Kind", "--set", "head.0.kind=classes"]
    done = CliRunner().invoke(build(), [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    assert (model / "model.json").exists()


def test_a_split_that_no_galaxy_came_into_is_said(images: Path, tmp_path: Path) -> None:
    pd.DataFrame({"id_str": [f"g{i:02d}" for i in range(40)], "x": range(40)}).to_csv(tmp_path / "t.csv", index=False)
    few = f"{images}/g0[0-3].png"
    said = pack(few, tmp_path / "pack", "--labels", tmp_path / "t.csv", "--label", "x", "--split", "0.98/0.01/0.01")
    assert "warning: split test has no galaxy of" in said


def test_what_schema_a_column_makes() -> None:
    def made(values: object) -> object:
        schema = schema_of_column(pd.DataFrame({"x": values}), "x", "t")
        if isinstance(schema, ClassSchema):
            return schema.class_names
        assert isinstance(schema, QuantitySchema)
        return schema.quantities[0].low, schema.quantities[0].high, schema.quantities[0].missing

    assert made(["b", "a", None, "b"]) == ("a", "b")
    assert made([10, 2, 2, 10]) == ("2", "10")
    assert made([1.0, 0.0, np.nan, 1.0]) == ("0", "1")
    assert made([True, False, True, True]) == ("false", "true")
    assert made([0.2, 0.7, np.nan]) == (0.0, 1.0, None)
    assert made([-3.5, 8.25, 1.0]) == (-3.5, 8.25, None)
    assert made(list(range(-5, 11))) == (-5.0, 10.0, None)
    assert made([-999.0, 0.2, 0.7]) == (0.0, 1.0, -999.0)
    for wrong, says in (
        (["a", "a"], "one value alone"),
        ([None, None], "no value"),
        ([f"name {i}" for i in range(50)], "50 different values among 50"),
        ([0.1, np.inf], "infinite"),
    ):
        with pytest.raises(SchemaError, match=says):
            made(wrong)


@pytest.mark.parametrize(
    ("theirs", "ours", "by"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"], "without their endings"),
        (["x/a.JPG", "y/b.fits.gz"], ["a", "b"], "without their folders and endings"),
        (["C:\\gal\\a.png", "C:\\gal\\b.png"], ["a", "b"], "without their folders and endings"),
        (["7.0", "8.0"], ["7", "8"], "trailing .0"),
        (["a", "b"], ["a.jpg", "b.jpg"], "without their endings"),
        (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"], ""),
    ],
)
def test_names_of_files_are_keys_where_ids_are_not_the_same(theirs: list[str], ours: list[str], by: str) -> None:
    images = pd.DataFrame({"id_str": ours, "file_loc": ""})
    joined, report = join_labels(images, pd.DataFrame({"id_str": theirs, "kind": ["p", "q"]}), "t")
    assert joined["id_str"].tolist() == ours
    assert joined["kind"].tolist() == ["p", "q"]
    assert by in report.by
    assert bool(by) == bool(report.by)


def test_names_that_would_mix_galaxies_up_are_no_keys() -> None:
    images = pd.DataFrame({"id_str": ["1", "2"], "file_loc": ""})
    labels = pd.DataFrame({"id_str": ["x/1.jpg", "y/1.jpg"], "kind": ["p", "q"]})
    with pytest.raises(CatalogError, match="no id joins an image"):
        join_labels(images, labels, "t")


@pytest.mark.parametrize("seed", range(4))
def test_twins_share_a_split(images: Path, tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        pack(images, tmp_path / "pack", "--split", "0.5/0.25/0.25", "--seed", seed, "--size", 32)
    made = open_pack(tmp_path / "pack")
    split = made.catalog.set_index("id_str")["split"]
    assert split["g00"] == split["g38"]
    assert split["g01"] == split["g39"]
    assert made.manifest["twins"] == 2
    assert "2 images are twins of others" in caplog.text
    assert "there are no positions" in caplog.text


def test_twins_that_the_users_splits_part_are_said(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"g{i:02d}" for i in range(40)]
    table = pd.DataFrame({"id_str": ids, "file_loc": [f"{images}/{name}.png" for name in ids]})
    table.assign(split=["train"] * 38 + ["test"] * 2).to_csv(tmp_path / "c.csv", index=False)
    pack(tmp_path / "c.csv", tmp_path / "pack", "--size", 32)
    assert "2 images stand in two splits, pixel for pixel, the first as g00 and g38" in caplog.text
    assert open_pack(tmp_path / "pack").catalog["split"].value_counts().to_dict() == {"train": 38, "test": 2}


def test_classes_that_a_split_lacks_are_said(images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ids = [f"g{i:02d}" for i in range(40)]
    table = pd.DataFrame({"ID_STR": ids, "RAJ2000": "00:00:10", "DEJ2000": [f"{i:+03d}:00:00" for i in range(40)]})
    split = ["train"] * 30 + ["val"] * 5 + ["test"] * 5
    table.assign(kind=["rare", *["smooth"] * 39], split=split).to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    said = pack(images, tmp_path / "pack", "--labels", tmp_path / "t.tsv", "--label", "kind", "--size", 32)
    assert "warning: split val has no galaxy of rare" in said
    made = open_pack(tmp_path / "pack")
    assert empty_classes(count_labels(made, made.schemas[0])) == {"val": ["rare"], "test": ["rare"]}
    with caplog.at_level(logging.INFO):
        pack(images, tmp_path / "again", "--labels", tmp_path / "t.tsv", "--split", "0.5/0.5/0", "--size", 32)
    assert "galaxies within 60 arcsec on the sky (RAJ2000, DEJ2000) share one" in caplog.text
