"""Embedding spaces: neighbours, purity, maps and anomalies against references that need no model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuningfork.embeddings import (
    anomalies,
    check_maps,
    is_embedding,
    make_maps,
    measure_purity,
    neighbours,
    read_embedding,
    read_purity,
    similar,
    standardise,
    write_embedding,
    write_summary,
)
from tuningfork.embeddings.purity import most_mixed, neighbour_shares
from tuningfork.errors import EmbeddingError, OutputError, TuningforkError
from tuningfork.extras import require
from tuningfork.files import stamp
from tuningfork.manifests import EmbeddingManifest
from tuningfork.plotting.sheet import SIDE
from tuningfork.schemas import load_schema, schema_to_dict

FIVE = load_schema("five-classes")


def write(
    path: Path,
    features: np.ndarray,
    *,
    classes: np.ndarray | None = None,
    splits: list[str] | None = None,
    maps: dict[str, np.ndarray] | None = None,
    unreadable: int = 0,
) -> Path:
    """An embedding of galaxies g0, g1, ..., then of some that could not be read."""
    n, width = features.shape
    blank = [None] * unreadable
    columns: dict[str, object] = {
        "id_str": [f"g{index}" for index in range(n)] + [f"bad{index}" for index in range(unreadable)],
        "file_loc": [f"g{index}.jpg" for index in range(n + unreadable)],
        "features": pa.array([*features.astype(np.float32), *blank], pa.list_(pa.float32(), width)),
        "note": pa.array([None] * (n + unreadable), pa.string()),
        "error": pa.array([None] * n + ["cut short"] * unreadable, pa.string()),
    }
    if splits is not None:
        columns["split"] = pa.array([*splits, *["train"] * unreadable], pa.string())
    if classes is not None:
        columns["five_class"] = pa.array([*(FIVE.class_names[index] for index in classes), *blank], pa.string())
    for name, positions in (maps or {}).items():
        for axis, values in zip("xy", positions.T, strict=True):
            columns[f"{name}_{axis}"] = pa.array([*values, *blank], pa.float32())
    manifest = stamp(EmbeddingManifest.FORMAT, EmbeddingManifest.VERSION) | {
        "n": n + unreadable,
        "n_features": width,
        "inputs": {
            "images": {"kind": "files", "origin": str(path.parent / "gone"), "n": n},
            "model": {"name": "none", "sha256": {}},
        },
        "geometry": {"field": 1.0, "size": 16, "channels": 3},
        "seed": 0,
        "maps": {name: {"explained_variance": [0.5, 0.3]} for name in maps or {}},
        "schemas": [schema_to_dict(FIVE)] if classes is not None else [],
    }
    rows = pa.table(columns)
    write_embedding(path, rows.schema, [rows], manifest)
    return path


def distances(points: np.ndarray) -> np.ndarray:
    """All of them, each point infinitely far from itself."""
    found = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    np.fill_diagonal(found, np.inf)
    return found


@given(seed=st.integers(0, 10_000), n=st.integers(6, 60), width=st.sampled_from([2, 12]), k=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_neighbours_are_those_of_brute_force(seed: int, n: int, width: int, k: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, width))
    expected = distances(points)
    near, who = neighbours(points, k)
    np.testing.assert_array_equal(who, np.argsort(expected, axis=1)[:, :k])
    np.testing.assert_allclose(near, np.sort(expected, axis=1)[:, :k], atol=1e-6)
    asked = np.array([n - 1, 0, 3])
    np.testing.assert_array_equal(neighbours(points, k, rows=asked)[1], who[asked])


def test_a_point_is_not_its_own_neighbour_but_its_double_is() -> None:
    points = np.zeros((5, 3))
    points[4] = 1
    near, who = neighbours(points, 3)
    assert all(row not in found for row, found in enumerate(who))
    np.testing.assert_array_equal(near[:4], 0)
    assert set(who[4]) <= {0, 1, 2, 3}


def test_standard_features_have_no_scale_and_dead_ones_no_say() -> None:
    features = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32) * [1, 1000, 1e-3, 0] + 5
    scaled = standardise(features.astype(np.float32))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 1, 1, 0], atol=1e-3)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_purity_is_that_of_brute_force(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points, classes = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    shares = neighbour_shares(points, classes, 3, k)
    order = np.argsort(distances(points), axis=1)[:, :k]
    for index, near in enumerate(order):
        np.testing.assert_allclose(shares[index], [(classes[near] == label).mean() for label in range(3)])
    shuffle = rng.permutation(40)
    np.testing.assert_array_equal(neighbour_shares(points[shuffle], classes[shuffle], 3, k), shares[shuffle])


def test_the_purity_of_each_class_split_and_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1, 2], 40)
    features = rng.normal(size=(120, 6)) + 50 * np.eye(6)[classes]  # far apart
    flat = rng.normal(size=(120, 2))  # a map that has lost everything
    splits = (["train"] * 25 + ["val"] * 15) * 3
    path = write(tmp_path / "e.parquet", features, classes=classes, splits=splits, maps={"pca": flat}, unreadable=3)
    result = measure_purity(read_embedding(path), k=5, n_bootstrap=200)["five-classes"]
    assert list(result["splits"]) == ["train", "val"]
    train = result["splits"]["train"]
    assert (train["n"], train["k"], train["counts"]) == (75, 5, [25, 25, 25, 0, 0])
    assert train["chance"][:3] == [24 / 74] * 3
    assert train["chance"][3:] == [None, None]
    apart, mixed = train["spaces"]["features"], train["spaces"]["pca"]
    assert apart["purity"] == {"value": 1.0, "n": 75, "interval": [1.0, 1.0]}
    assert apart["class_purity"]["value"] == [1.0, 1.0, 1.0, None, None]
    assert np.array(apart["mixing"][:3])[:, :3].tolist() == np.eye(3).tolist()
    assert most_mixed(train, result["classes"]) == []
    rows = np.array(splits) == "train"
    near = np.argsort(distances(flat[rows].astype(np.float32)), axis=1)[:, :5]
    own = (classes[rows][near] == classes[rows][:, None]).mean(axis=1)
    np.testing.assert_allclose(mixed["purity"]["value"], own.mean())
    low, high = mixed["purity"]["interval"]
    assert low < own.mean() < high
    assert high - low == pytest.approx(3.92 * own.std() / np.sqrt(75), rel=0.25)  # the normal approximation
    assert abs(own.mean() - 24 / 74) < 0.1
    for label in range(3):
        value = mixed["class_purity"]["value"][label]
        np.testing.assert_allclose(value, own[classes[rows] == label].mean())
        np.testing.assert_allclose(mixed["mixing"][label][label], value)
        np.testing.assert_allclose(sum(mixed["mixing"][label]), 1)


def test_small_classes_say_how_far_they_can_go(tmp_path: Path) -> None:
    classes = np.array([0] * 20 + [1] * 4)
    features = np.random.default_rng(2).normal(size=(24, 3)) + 30 * classes[:, None]
    group = measure_purity(read_embedding(write(tmp_path / "e.parquet", features, classes=classes)))["five-classes"][
        "splits"
    ]["all"]
    assert group["most"][:2] == [1.0, 0.3]
    assert group["spaces"]["features"]["class_purity"]["value"][:2] == [1.0, 0.3]


@pytest.mark.parametrize("name", ["pca", "tsne", "umap"])
def test_a_map_can_be_made_again_and_keeps_groups_apart(name: str) -> None:
    groups = np.repeat([0, 1], 30)
    features = np.random.default_rng(3).normal(size=(60, 80)).astype(np.float32) + 6 * groups[:, None]
    first, how = make_maps(features, [name], seed=4)
    again, _ = make_maps(features, [name], seed=4)
    assert first[name].shape == (60, 2)
    np.testing.assert_array_equal(first[name], again[name])
    assert neighbour_shares(first[name], groups, 2, 5)[np.arange(60), groups].mean() == 1
    assert how[name]["explained_variance"]


def test_pca_is_that_of_the_singular_values() -> None:
    features = np.random.default_rng(5).normal(size=(50, 8)) @ np.random.default_rng(6).normal(size=(8, 8))
    positions, how = make_maps(features.astype(np.float32), ["pca"], seed=0)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    np.testing.assert_allclose(np.abs(positions["pca"]), np.abs(left[:, :2] * values[:2]), atol=1e-3)
    np.testing.assert_allclose(how["pca"]["explained_variance"], (values**2 / (values**2).sum())[:2], atol=1e-5)


def test_maps_that_cannot_be_drawn_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddingError, match="no map 'tsnee'; use pca, tsne, umap"):
        check_maps(["tsnee"])
    with pytest.raises(EmbeddingError, match="too few"):
        make_maps(np.zeros((9, 4)), ["pca"], seed=0)
    assert make_maps(np.zeros((1, 4)), [], seed=0) == ({}, {})
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(TuningforkError, match=r'pip install "tuningfork\[maps\]"'):
        check_maps(["pca", "umap"])
    with pytest.raises(TuningforkError, match=r'umap.*pip install "tuningfork\[maps\]"'):
        require("umap", "maps")


@given(seed=st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_a_planted_stranger_is_first_by_both_measures(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(80, 5))
    unusual = int(rng.integers(80))
    features[unusual] = 12
    folder = tmp_path_factory.mktemp("strange")
    out = anomalies(write(folder / "e.parquet", features, unreadable=2), folder / "strange.csv", n=7)
    with pytest.raises(OutputError, match="exists"):
        anomalies(folder / "e.parquet", out.with_suffix(".parquet"), n=7)
    table = pd.read_csv(out)
    assert len(table) == 82
    first = table.iloc[0]
    assert (first["id_str"], first["forest_rank"], first["distance_rank"]) == (f"g{unusual}", 1, 1)
    assert table["mean_rank"].iloc[:80].is_monotonic_increasing
    assert table["id_str"].iloc[80:].tolist() == ["bad0", "bad1"]
    assert table[["forest_score", "distance_score", "mean_rank"]].iloc[80:].isna().all(axis=None)
    for measure in ("forest", "distance"):  # higher is more unusual
        ordered = table.iloc[:80].sort_values(f"{measure}_rank")[f"{measure}_score"]
        assert ordered.is_monotonic_decreasing
        assert (folder / f"strange-{measure}.png").exists()


def test_similar_lists_the_nearest_and_says_what_it_has_not(tmp_path: Path) -> None:
    features = np.random.default_rng(8).normal(size=(30, 5))
    path = write(tmp_path / "e.parquet", features, classes=np.arange(30) % 5, unreadable=1)
    out = similar(path, ["g4", "g0"], tmp_path / "near.parquet", n=7)
    table = pd.read_parquet(out)
    assert table.columns.tolist() == ["query", "rank", "id_str", "file_loc", "distance", "label"]
    expected = distances(standardise(features.astype(np.float32)))
    for query, row in (("g4", 4), ("g0", 0)):
        part = table[table["query"] == query]
        order = np.argsort(expected[row])[:7]
        assert part["id_str"].tolist() == [f"g{index}" for index in order]
        assert part["rank"].tolist() == list(range(1, 8))
        assert part["label"].tolist() == [FIVE.classes[index % 5].label for index in order]
        np.testing.assert_allclose(part["distance"], expected[row][order], rtol=1e-4)
    with Image.open(tmp_path / "near.png") as sheet:
        assert sheet.width > 7 * SIDE  # the query and six neighbours a line
        assert sheet.height > 4 * SIDE
    with pytest.raises(EmbeddingError, match="no galaxy 'g44'; did you mean 'g4'"):
        similar(path, ["g44"], tmp_path / "none.csv")
    with pytest.raises(EmbeddingError, match="'bad0' could not be read"):
        similar(path, ["bad0"], tmp_path / "none.csv")
    sheet_before = (tmp_path / "near.png").read_bytes()
    with pytest.raises(OutputError, match=r"near\.png exists"):  # a user's picture may have that name
        similar(path, ["g1"], tmp_path / "near.csv")
    assert (tmp_path / "near.png").read_bytes() == sheet_before
    similar(path, ["g1"], tmp_path / "near.csv", overwrite=True)
    assert (tmp_path / "near.png").read_bytes() != sheet_before
    assert len(pd.read_csv(similar(path, ["g1"], tmp_path / "all.csv", n=500))) == 29


def test_what_is_no_embedding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="no embedding at"):
        read_embedding(tmp_path / "none.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(EmbeddingError, match="is no embedding; make one"):
        read_embedding(tmp_path / "table.parquet")
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(EmbeddingError, match="can't be read as Parquet"):
        read_embedding(tmp_path / "text.parquet")
    assert not is_embedding(tmp_path / "text.parquet")
    path = write(tmp_path / "e.parquet", np.ones((3, 2)), unreadable=1)
    assert is_embedding(path)
    read = read_embedding(path)
    assert read.readable.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(read.features, [[1, 1]] * 3 + [[np.nan] * 2])


def test_a_purity_that_speaks_of_another_embedding_is_not_believed(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    classes = rng.integers(2, size=40)
    path = write(
        tmp_path / "e.parquet", rng.normal(size=(40, 3)), classes=classes, maps={"pca": rng.normal(size=(40, 2))}
    )
    write_summary(path, n_bootstrap=20)
    assert {"e-maps-five-classes.png", "e-mixing-five-classes-all.png", "e-purity.json"} <= {
        p.name for p in tmp_path.iterdir()
    }
    found = read_purity(path)
    assert found is not None
    assert found["schemas"]["five-classes"]["splits"]["all"]["n"] == 40
    write(path, rng.normal(size=(40, 3)), classes=classes)
    assert read_purity(path) is None
