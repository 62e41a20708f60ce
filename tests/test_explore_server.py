"""The explorer's server: what it answers, exactly, and whom it refuses."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import draw_galaxy
from tuningfork.catalogs import write_table
from tuningfork.errors import CatalogError, EmbeddingError, TuningforkError
from tuningfork.inference import embed, predict
from tuningfork.models import DEFAULT_MODEL

testclient = pytest.importorskip("starlette.testclient", reason="Starlette is not installed (the extra explore)")

from tuningfork.explore.app import application  # noqa: E402
from tuningfork.explore.asked import Asked  # noqa: E402
from tuningfork.explore.catalogue import Catalogue, open_catalogue  # noqa: E402
from tuningfork.explore.filters import AskedWrongError, Filter, Selected, Sort, filter_of, sort_of  # noqa: E402
from tuningfork.explore.recent import Recent  # noqa: E402
from tuningfork.explore.security import Place  # noqa: E402
from tuningfork.explore.state import ExploreState, open_state  # noqa: E402
from tuningfork.explore.tables import open_table  # noqa: E402

TOKEN, HOST = "the-token-of-this-start", "127.0.0.1:8765"
HOSTILE = "<img src=x onerror=alert(1)>\u202egpj.\x1b[31m"
N = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Galaxies of which one can't be read and one has a hostile name, their predictions and features."""
    place = tmp_path_factory.mktemp("explored")
    (place / "images").mkdir()
    rng = np.random.default_rng(0)
    for index in range(N - 2):
        pixels = draw_galaxy(float(rng.choice([0.3, 0.6, 1.0])), 0.4 * index, rng)
        Image.fromarray(pixels).save(place / "images" / f"g{index}.jpg", quality=95)
    shutil.copy(place / "images" / "g0.jpg", place / "images" / f"{HOSTILE.replace('/', '')}.jpg")
    (place / "images" / "unreadable.jpg").write_bytes(b"\xff\xd8\xff no picture")
    predict(place / "images", place / "predictions.parquet")
    embed(place / "images", place / "embedding.parquet")
    return place


@pytest.fixture(scope="module")
def state(folder: Path) -> ExploreState:
    embedding = folder / "embedding.parquet"
    return open_state(Asked(folder / "predictions.parquet", embedding=embedding, model=DEFAULT_MODEL))


def asking(state: ExploreState, host: str = HOST) -> Any:
    """A browser that has the token's cookie, and sends what a browser sends."""
    app = application(state, Place("127.0.0.1", 8765), TOKEN)
    client = testclient.TestClient(app, base_url=f"http://{host}", headers={"origin": f"http://{host}"})
    assert client.get(f"/?token={TOKEN}", follow_redirects=False).status_code == 303
    return client


@pytest.fixture(scope="module")
def client(state: ExploreState) -> Any:
    return asking(state)


def read(answer: Any) -> Any:
    """The JSON of an answer, which has no NaN and no infinity in it."""
    assert answer.status_code == 200, answer.text

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(answer.content, parse_constant=refuse)


def served(path: Path) -> Any:
    return asking(open_state(Asked(path)))


# What the catalogue is


def test_the_catalogue_is_described_by_its_own_schema(client) -> None:
    said = read(client.get("/api/catalogue"))
    columns = {column["name"]: column for column in said["columns"]}
    assert (said["name"], said["rows"]) == ("predictions.parquet", N)
    assert said["has"] == {"images": True, "embedding": True, "model": True, "labels": True}
    smooth = columns["smooth_or_featured_smooth"]
    assert (smooth["type"], smooth["role"]) == ("number", "fraction")
    assert "simply smooth" in smooth["description"]
    assert columns["smooth_or_featured_smooth_low"]["of"] == "smooth_or_featured_smooth"
    assert columns["smooth_or_featured_smooth_width"]["role"] == "width"
    assert columns["id_str"]["role"] == "id"
    assert columns["ra"]["unit"] == "deg"
    assert columns["field_arcsec"]["unit"] == "arcsec"
    assert columns["error"]["nulls"] == N - 1
    assert columns["five_class_probability"]["of"] == "five_class"
    tree = [question for question in said["questions"] if question["schema"] == "gz-challenge"]
    assert tree[1]["asked_after"] == "smooth_or_featured_features_or_disk"
    assert said["maps"] == [{"name": "pca", "x": "map:pca:0", "y": "map:pca:1"}]


def test_the_ranges_of_columns_are_those_of_their_values(client, folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    for column in read(client.get("/api/catalogue"))["columns"]:
        if column["type"] == "number" and column["name"] in table and table[column["name"]].notna().any():
            values = table[column["name"]]
            assert column["min"] == float(values.min()), column["name"]
            assert column["max"] == float(values.max())
            assert column["nulls"] == int(values.isna().sum())


def test_values_are_those_of_the_file_to_the_last_bit(client, folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    names = [name for name in table.columns if table[name].dtype == np.float32]
    said = read(client.post("/api/rows", json={"columns": names, "limit": N}))
    assert said["total"] == N
    for entry in said["rows"]:
        for name, value in entry["values"].items():
            stored = table[name].iloc[entry["row"]]
            assert value is None if np.isnan(stored) else np.float32(value) == stored
            assert value is None or value == float(stored)


def test_names_are_data(client) -> None:
    said = read(client.post("/api/rows", json={"columns": ["file_loc"], "limit": N}))
    named = [entry for entry in said["rows"] if "onerror" in entry["id"]]
    assert len(named) == 1
    assert HOSTILE in named[0]["values"]["file_loc"]
    galaxy = client.get(f"/api/galaxy/{named[0]['row']}")
    assert galaxy.headers["content-type"].startswith("application/json")
    assert galaxy.headers["x-content-type-options"] == "nosniff"
    assert galaxy.json()["id"] == named[0]["id"]


# Filters, orders, histograms

FLOATS = st.one_of(st.none(), st.floats(width=32), st.sampled_from([0.1, 0.25, math.inf, -math.inf, math.nan]))
WHOLE = st.one_of(st.none(), st.integers(-(2**62), 2**62), st.integers(-3, 3))
TEXTS = st.one_of(st.none(), st.sampled_from(["spiral", "Spiral", "round", "", "%_\\", "Ω"]), st.text(max_size=4))
ROWS = st.lists(st.tuples(FLOATS, WHOLE, TEXTS, st.one_of(st.none(), st.booleans())), min_size=1, max_size=30)
TYPES = {"f": pa.float32(), "i": pa.int64(), "t": pa.string(), "b": pa.bool_()}
LIMITS = st.one_of(st.none(), st.floats(-2, 2), st.integers(-(2**62), 2**62))


def catalogue_of(rows: list[tuple[Any, ...]], path: Path) -> tuple[Catalogue, list[tuple[Any, ...]]]:
    """Rows as a catalogue, and as it must have understood them: what is no number is missing."""
    columns = {name: pa.array([row[at] for row in rows], kind) for at, (name, kind) in enumerate(TYPES.items())}
    pq.write_table(pa.table(columns), path, row_group_size=7)
    stored = list(zip(*(pa.table(columns)[name].to_pylist() for name in TYPES), strict=True))
    return open_catalogue(path), [(None if f is not None and math.isnan(f) else f, *rest) for f, *rest in stored]


@settings(deadline=None, max_examples=25)
@given(rows=ROWS, low=LIMITS, high=LIMITS, column=st.sampled_from("fi"))
def test_limits_compare_exactly(tmp_path_factory, rows, low, high, column) -> None:
    catalogue, known = catalogue_of(rows, tmp_path_factory.mktemp("limits") / "table.parquet")
    kept = catalogue.rows_where(filter_of({"all": [{"column": column, "min": low, "max": high}]}))
    at = list(TYPES).index(column)
    expected = [
        index
        for index, row in enumerate(known)
        if row[at] is not None and (low is None or row[at] >= low) and (high is None or row[at] <= high)
    ]
    assert kept.tolist() == expected


@settings(deadline=None, max_examples=25)
@given(rows=ROWS, wanted=st.lists(st.one_of(TEXTS, WHOLE, st.booleans()), max_size=4))
def test_lists_texts_and_missing_values_are_found(tmp_path_factory, rows, wanted) -> None:
    catalogue, known = catalogue_of(rows, tmp_path_factory.mktemp("texts") / "table.parquet")
    wanted = [value for value in wanted if value is not None]

    def rows_of(**condition: Any) -> list[int]:
        return catalogue.rows_where(filter_of({"all": [condition]})).tolist()

    texts = [value for value in wanted if isinstance(value, str)]
    assert rows_of(column="t", **{"in": texts}) == [at for at, row in enumerate(known) if row[2] in texts]
    truths = [value for value in wanted if isinstance(value, bool)]
    assert rows_of(column="b", **{"in": truths}) == [at for at, row in enumerate(known) if row[3] in truths]
    numbers = [value for value in wanted if type(value) is int]
    assert rows_of(column="i", **{"in": numbers}) == [at for at, row in enumerate(known) if row[1] in numbers]
    for name, at in zip(TYPES, range(4), strict=True):
        assert rows_of(column=name, null=True) == [index for index, row in enumerate(known) if row[at] is None]
        assert rows_of(column=name, null=False) == [index for index, row in enumerate(known) if row[at] is not None]
    for text in (value for value in texts if value.isascii()):
        found = [at for at, row in enumerate(known) if row[2] is not None and text.lower() in row[2].lower()]
        assert rows_of(column="t", contains=text) == found


@settings(deadline=None, max_examples=25)
@given(rows=ROWS, column=st.sampled_from("fitb"), descending=st.booleans())
def test_orders_are_stable_with_missing_values_last(tmp_path_factory, rows, column, descending) -> None:
    catalogue, known = catalogue_of(rows, tmp_path_factory.mktemp("orders") / "table.parquet")
    order = catalogue.order(Sort(column, descending)).tolist()
    at = list(TYPES).index(column)
    there = [index for index, row in enumerate(known) if row[at] is not None]
    expected = sorted(there, key=lambda index: known[index][at], reverse=descending)
    if descending:  # equal ones stand as in the table, either way
        expected = sorted(there, key=lambda index: _Reversed(known[index][at]))
    assert order == [*expected, *(index for index in range(len(known)) if index not in there)]


class _Reversed:
    """Larger ones first; Python's `reverse` would turn equal ones, too."""

    def __init__(self, value: Any) -> None:
        self.value = value.encode() if isinstance(value, str) else value

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)


@settings(deadline=None, max_examples=15)
@given(rows=ROWS, bins=st.integers(1, 200))
def test_any_table_is_described_shown_and_counted_in_valid_json(tmp_path_factory, rows, bins) -> None:
    path = tmp_path_factory.mktemp("any") / "table.parquet"
    catalogue, known = catalogue_of(rows, path)
    client = asking(ExploreState(catalogue))
    read(client.get("/api/catalogue"))
    said = read(client.post("/api/rows", json={"columns": list(TYPES)}))
    for entry, row in zip(said["rows"], known, strict=True):
        for value, stored in zip(entry["values"].values(), row, strict=True):
            if isinstance(stored, float) and math.isinf(stored):
                assert value == ("Infinity" if stored > 0 else "-Infinity")
            else:
                assert (value if not isinstance(value, str) or isinstance(stored, str) else int(value)) == stored
    for name, at in zip("fi", (0, 1), strict=True):
        counted = read(client.post("/api/histogram", json={"column": name, "bins": bins}))
        finite = [row[at] for row in known if row[at] is not None and math.isfinite(row[at])]
        assert sum(counted["all"]) == sum(counted["kept"]) == len(finite)
        assert len(counted["edges"]) == len(counted["all"]) + 1
        assert counted["nulls"] == sum(row[at] is None for row in known)
    read(client.get("/api/galaxy/0"))


def test_a_histogram_counts_what_a_filter_keeps(client, folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    chosen = {"all": [{"column": "smooth_or_featured_smooth", "min": 0.3}]}
    said = read(client.post("/api/histogram", json={"column": "ood_score", "filter": chosen, "bins": 5}))
    kept = table["ood_score"][table["smooth_or_featured_smooth"] >= 0.3]
    assert said["kept"] == np.histogram(kept, said["edges"])[0].tolist()
    classes = read(client.post("/api/histogram", json={"column": "five_class", "filter": chosen}))
    counts = table["five_class"][table["smooth_or_featured_smooth"] >= 0.3].value_counts()
    assert dict(zip(classes["values"], classes["kept"], strict=True)) == {
        name: int(counts.get(name, 0)) for name in classes["values"]
    }


def test_pages_go_on_where_the_last_ended(client) -> None:
    said = {"sort": {"column": "smooth_or_featured_smooth_width", "descending": True}, "columns": ["ood_score"]}
    whole = read(client.post("/api/rows", json=said | {"limit": 100}))
    parts = [
        read(client.post("/api/rows", json=said | {"limit": 4, "offset": start}))["rows"] for start in (0, 4, 8, 12)
    ]
    assert [entry for part in parts for entry in part] == whole["rows"]
    assert parts[3] == []


def test_points_and_bits_are_of_all_rows_in_order(client, folder: Path) -> None:
    table, space = (pd.read_parquet(folder / f"{name}.parquet") for name in ("predictions", "embedding"))
    data = client.post("/api/points", json={"x": "map:pca:0", "y": "map:pca:1", "colour": "five_class"}).content
    (n,) = struct.unpack("<I", data[:4])
    x, _, colour = np.frombuffer(data[4:], "<f4").reshape(3, n)
    space = space.set_index("id_str").loc[table["id_str"]]
    np.testing.assert_array_equal(x, space["pca_x"].to_numpy(np.float32))
    columns = {column["name"]: column for column in read(client.get("/api/catalogue"))["columns"]}
    values = [value for value, _ in columns["five_class"]["values"]]
    named = [None if np.isnan(index) else values[int(index)] for index in colour]
    assert named == [None if pd.isna(name) else name for name in table["five_class"]]
    bits = client.post("/api/kept", json={"filter": {"all": [{"column": "error", "null": True}]}}).content
    kept = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")[:N]
    assert kept.tolist() == table["error"].isna().astype(int).tolist()


def test_a_selection_is_named_by_its_rows(client) -> None:
    first = read(client.post("/api/select", json={"rows": [5, 1, 3, 1]}))
    binary = {"content": np.array([1, 3, 5], "<u4").tobytes(), "headers": {"content-type": "application/octet-stream"}}
    assert read(client.post("/api/select", **binary)) == first
    assert first["n"] == 3
    chosen = {"all": [{"selection": first["selection"]}]}
    rows = read(client.post("/api/rows", json={"filter": chosen}))["rows"]
    assert [entry["row"] for entry in rows] == [1, 3, 5]
    assert client.post("/api/select", json={"rows": [N]}).status_code == 400
    gone = client.post("/api/kept", json={"filter": {"all": [{"selection": "gone"}]}})
    assert "no longer known" in gone.json()["error"]


def test_columns_and_orders_can_be_put_beside_the_table(folder: Path) -> None:
    catalogue = open_catalogue(folder / "predictions.parquet")
    from tuningfork.explore.columns import Column

    values = np.linspace(0, 1, N)
    catalogue.put("learned_ring", values, Column("learned_ring", "Ring", "number", "probability"))
    assert catalogue.order(sort_of({"column": "learned_ring", "descending": True})).tolist() == list(range(N))[::-1]
    catalogue.put("learned_ring", 1 - values, Column("learned_ring", "Ring", "number", "probability"))
    assert catalogue.order(sort_of({"column": "learned_ring", "descending": True})).tolist() == list(range(N))
    catalogue.put_order("queue", np.array([4, 2]))
    assert catalogue.order(sort_of({"order": "queue"})).tolist() == [
        4,
        2,
        *(row for row in range(N) if row not in (2, 4)),
    ]
    with pytest.raises(CatalogError, match="already"):
        catalogue.put("ood_score", values, Column("ood_score", "", "number"))


def test_what_was_made_lately_is_bounded_and_never_outlives_its_origin() -> None:
    held, begun, go_on = Recent[bytes](10, len), threading.Event(), threading.Event()
    for key in range(5):
        held.get(key, lambda: b"four")
    made: list[int] = []
    for key in (3, 4, 2):
        held.get(key, lambda key=key: made.append(key) or b"four")
    assert made == [2]  # the last two were kept

    def slowly() -> bytes:
        begun.set()
        go_on.wait(10)
        return b"old"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held.get, "slow", slowly)
        begun.wait(10)
        second = pool.submit(held.get, "slow", lambda: b"new")  # waits for the first
        held.clear()
        go_on.set()
        assert (first.result(10), second.result(10)) == (b"old", b"new")
    assert held.get("slow", lambda: b"other") == b"new"


# Pictures, galaxies, similar ones, Grad-CAM


def shown(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def test_pictures_are_cut_as_the_model_sees_them(client, folder: Path, model: Path) -> None:
    from tuningfork.explore.galaxy_images import view_of
    from tuningfork.images import Geometry, decode
    from tuningfork.models import read_manifest

    seen = shown(client.get("/image/0?size=64"))
    assert seen.size == (64, 64)
    field = 1.0  # the model looks for the galaxy in all of it
    name = pd.read_parquet(folder / "predictions.parquet")["file_loc"].iloc[0]
    pixels, _ = decode((folder / name).read_bytes(), Geometry(field, 64, 3))
    assert np.abs(np.asarray(seen).astype(int) - pixels).mean() < 3  # of what a JPEG changes
    whole = np.asarray(shown(client.get("/image/0?size=64&view=frame"))).astype(int)
    assert np.abs(whole - pixels).mean() < 3
    assert view_of(str(model), {}).field == read_manifest(model)["input"]["field"] < 1  # one that does not look


def test_a_picture_can_be_brighter_or_of_one_band(client) -> None:
    dark, plain, bright = (
        np.asarray(shown(client.get(f"/image/1?stretch={stretch}"))).mean() for stretch in (-0.5, 0, 0.5)
    )
    assert dark < plain < bright
    assert shown(client.get("/image/1?band=2")).mode == "L"
    assert client.get("/image/1?band=3").status_code == 404


def test_fits_files_are_shown_in_bands(tmp_path: Path) -> None:
    from astropy.io import fits

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :60] - np.array([20, 30])[:, None, None]
    light = np.exp(-np.hypot(x, y) / 4)
    flux = np.stack([light * scale for scale in (0.3, 0.6, 1.0)]) + rng.normal(0, 1e-3, (3, 40, 60))
    header = fits.Header({"BANDS": "grz", "BUNIT": "nanomaggy"})
    fits.PrimaryHDU(flux.astype(np.float32), header).writeto(tmp_path / "a.fits")
    pd.DataFrame({"id_str": ["a"], "file_loc": ["a.fits"]}).to_csv(tmp_path / "cat.csv", index=False)
    client = served(tmp_path / "cat.csv")
    galaxy = read(client.get("/api/galaxy/0"))
    assert (galaxy["bands"], galaxy["band_names"]) == (3, ["g", "r", "z"])
    whole = np.asarray(shown(client.get("/image/0?size=60&view=frame")))
    assert whole[:8].max() < 40  # above and below a wide frame there is nothing but sky
    faint, strong = (np.asarray(shown(client.get(f"/image/0?band={band}"))).mean() for band in (0, 2))
    assert faint < strong


def test_images_that_are_not_there_are_errors_of_their_own(client, folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    bad = int(np.flatnonzero(table["error"].notna())[0])
    answer = client.get(f"/image/{bad}")
    assert answer.status_code == 404
    assert "JPEG" in answer.json()["error"]
    galaxy = read(client.get(f"/api/galaxy/{bad}"))
    assert galaxy["error"] == table["error"].iloc[bad]
    assert galaxy["image_error"]
    assert read(client.get("/api/galaxy/0"))["path"][0]["reached"] == pytest.approx(1, abs=1e-6)


def test_the_way_down_the_tree_goes_by_the_most_likely_answers(client, folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    for row in np.flatnonzero(table["error"].isna())[:4].tolist():
        way = read(client.get(f"/api/galaxy/{row}"))["path"]
        reached = {entry["question"]: entry for entry in way}
        first = reached["smooth-or-featured"]
        assert [answer["fraction"] for answer in first["answers"]] == [
            float(table[answer["column"]].iloc[row]) for answer in first["answers"]
        ]
        smooth = first["answers"][first["chosen"]]["title"] == "smooth"
        assert ("roundedness" in reached) == smooth
        assert ("edge-on" in reached) != smooth
        for entry in way:
            total = sum(answer["fraction"] for answer in entry["answers"])
            assert entry["reached"] == pytest.approx(total, abs=1e-5)
            for answer in entry["answers"]:
                assert answer["low"] is None or answer["low"] <= answer["fraction"] <= answer["high"]


def test_similar_galaxies_are_those_that_the_library_finds(client, folder: Path) -> None:
    from tuningfork.embeddings import read_embedding

    space = read_embedding(folder / "embedding.parquet")
    own = read(client.post("/api/rows", json={"limit": 1}))["rows"][0]["id"]
    near = read(client.get("/api/similar/0?n=4"))["rows"]
    expected = space.similar(own, 4)
    assert [entry["distance"] for entry in near] == pytest.approx(expected["distance"].tolist(), rel=1e-4, abs=1e-4)
    assert all(read(client.get(f"/api/galaxy/{entry['row']}"))["id"] == entry["id"] for entry in near)


def test_grad_cam_is_drawn_for_an_answer(client) -> None:
    cam = shown(client.get("/api/gradcam/0?answer=smooth_or_featured_smooth"))
    assert cam.mode == "RGB"
    assert cam.size[0] == cam.size[1]
    assert "nearest" in client.get("/api/gradcam/0?answer=smoth").json()["error"]


# Other catalogues


@pytest.mark.parametrize("ending", ["csv", "fits", "vot"])
def test_any_catalogue_is_explored(folder: Path, tmp_path: Path, ending: str) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")[["id_str", "file_loc", "ood_score", "ood"]]
    table["file_loc"] = [str(folder / name) for name in table["file_loc"]]
    write_table(table.assign(ra=np.arange(N) * 10.0, dec=-5.0, count=np.arange(N)), tmp_path / f"cat.{ending}")
    client = served(tmp_path / f"cat.{ending}")
    said = read(client.get("/api/catalogue"))
    assert said["maps"] == [{"name": "sky", "x": "ra", "y": "dec"}]
    assert {column["name"]: column["type"] for column in said["columns"]}["count"] == "integer"
    rows = read(client.post("/api/rows", json={"sort": {"column": "ra", "descending": True}, "limit": 2}))["rows"]
    assert [entry["row"] for entry in rows] == [N - 1, N - 2]
    galaxy = read(client.get("/api/galaxy/3"))
    assert (galaxy["ra"], galaxy["dec"]) == (30.0, -5.0)
    assert shown(client.get("/image/3")).size == (96, 96)


def test_a_folder_of_parquet_is_one_catalogue(folder: Path, tmp_path: Path) -> None:
    whole = pq.read_table(folder / "predictions.parquet")
    parts = tmp_path / "cat"
    parts.mkdir()
    for index, start in enumerate(range(0, N, 4)):
        pq.write_table(whole.slice(start, 4), parts / f"part-{index:05d}-of-00003.parquet", row_group_size=2)
    client, one = served(parts), served(folder / "predictions.parquet")
    said = {"sort": {"column": "ood_score"}, "columns": ["ood_score", "five_class", "error"], "limit": 100}
    assert read(client.post("/api/rows", json=said)) == read(one.post("/api/rows", json=said))
    assert read(client.get("/api/galaxy/7"))["columns"] == read(one.get("/api/galaxy/7"))["columns"]
    pq.write_table(whole.drop_columns(["ood"]), parts / "part-00009.parquet")
    with pytest.raises(CatalogError, match="other columns"):
        open_table(parts)


def test_images_may_lie_elsewhere_or_in_a_pack(folder: Path, tmp_path: Path) -> None:
    from tuningfork.packs import make_pack

    table = pq.read_table(folder / "predictions.parquet").drop_columns(["file_loc"])
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "cat.parquet")
    assert served(tmp_path / "cat.parquet").get("/image/0").status_code == 404
    moved = tmp_path / "moved"
    shutil.copytree(folder / "images", moved)
    (moved / "unreadable.jpg").unlink()
    make_pack(moved, tmp_path / "pack")
    ids = table["id_str"].to_pylist()
    for place in (moved, tmp_path / "pack"):
        client = asking(open_state(Asked(tmp_path / "cat.parquet", images=str(place))))
        assert shown(client.get(f"/image/{ids.index('g1')}")).size == (96, 96)
        assert "of this id" in client.get(f"/image/{ids.index('unreadable')}").json()["error"]


def test_a_catalogue_may_hold_its_images(folder: Path, tmp_path: Path) -> None:
    files = sorted((folder / "images").glob("g*.jpg"))
    images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    table = pa.table({"id_str": [file.stem for file in files], "image": images, "size": np.arange(len(files))})
    pq.write_table(table, tmp_path / "cat.parquet", row_group_size=3)
    client = served(tmp_path / "cat.parquet")
    assert [column["name"] for column in read(client.get("/api/catalogue"))["columns"]] == ["id_str", "size"]
    for row in (7, 0):
        whole = np.asarray(shown(client.get(f"/image/{row}?size=72&view=frame"))).astype(int)
        assert np.abs(whole - np.asarray(Image.open(files[row]))).mean() < 3
    assert read(client.get("/api/galaxy/4"))["columns"][1]["value"] == 4


def test_ids_and_classes_are_read_as_everywhere(tmp_path: Path) -> None:
    classes = {"kind": {"_type": "ClassLabel", "names": ["round", "spiral"]}}
    described = {"huggingface": json.dumps({"info": {"features": classes}})}
    table = pa.table({"objid": [7.0, 8.0, 9.0], "kind": [1, -1, 0]}).replace_schema_metadata(described)
    pq.write_table(table, tmp_path / "cat.parquet")
    client = served(tmp_path / "cat.parquet")
    rows = read(client.post("/api/rows", json={"columns": ["objid", "kind"]}))["rows"]
    assert [(entry["id"], *entry["values"].values()) for entry in rows] == [
        *(("7", "7", "spiral"), ("8", "8", None), ("9", "9", "round")),
    ]
    galaxy = read(client.get("/api/galaxy/0"))
    assert [column["value"] for column in galaxy["columns"]] == ["7", "spiral"]
    pq.write_table(pa.table({"objid": [5.8772298173612e17]}), tmp_path / "rounded.parquet")
    with pytest.raises(CatalogError, match="rounded"):
        open_catalogue(tmp_path / "rounded.parquet")


def test_an_embedding_of_other_galaxies_is_refused(folder: Path, tmp_path: Path) -> None:
    pd.DataFrame({"id_str": ["someone", "else"]}).to_parquet(tmp_path / "cat.parquet")
    with pytest.raises(EmbeddingError, match="none of the galaxies"):
        open_state(Asked(tmp_path / "cat.parquet", embedding=folder / "embedding.parquet"))


def test_a_catalogue_that_changes_is_an_error_that_says_so(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "cat.parquet"
    shutil.copy(folder / "predictions.parquet", path)
    client = served(path)
    assert client.post("/api/rows", json={"columns": ["ood"]}).status_code == 200
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    for answer in (client.post("/api/rows", json={"columns": ["ood"]}), client.get("/api/galaxy/5")):
        assert answer.status_code == 409
        assert "has changed since it was opened" in answer.json()["error"]
    path.unlink()
    assert "is gone" in client.get("/api/catalogue").json()["error"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"PAR1 and no more"), "can't be read as Parquet"),
        (lambda path: pq.write_table(pa.table({"id_str": pa.array([], pa.string())}), path), "has no rows"),
        (lambda path: path.mkdir(), "holds no Parquet"),
        (lambda path: path.write_bytes(b"\x89PNG"), "PNG"),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, make: Any, said: str) -> None:
    path = tmp_path / "cat.parquet"
    make(path)
    with pytest.raises(CatalogError, match=said):
        open_catalogue(path)


# Who is refused


def test_nothing_is_answered_without_the_token(state: ExploreState) -> None:
    client = testclient.TestClient(application(state, Place("127.0.0.1", 8765), TOKEN), base_url=f"http://{HOST}")
    paths = ["/", "/api/catalogue", "/image/0", "/api/galaxy/0", "/map.html", "/api.js", "/?token=", "/?token=wrong"]
    for path in paths:
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 403, path
        assert TOKEN not in answer.text
    client.cookies.set("tuningfork-8765", "wrong")
    assert client.get("/api/catalogue").status_code == 403
    welcome = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert welcome.headers["location"] == "/"
    cookie = welcome.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost:8765.evil.example", ""])
def test_other_names_of_this_machine_are_refused(client, host: str) -> None:
    assert client.get("/api/catalogue", headers={"host": host}).status_code == 403


def test_the_usual_names_are_taken(state: ExploreState) -> None:
    assert asking(state, "localhost:8765").get("/api/catalogue").status_code == 200
    everywhere = Place("0.0.0.0", 80)
    assert everywhere.knows("192.168.1.5:80")
    assert not everywhere.knows("rebound.example:80")
    assert Place("::1", 80).knows("[::1]:80")
    assert Place("127.0.0.1", 80).knows("127.0.0.1")
    for wrong in (
        "[::1]",
        "::1",
        "localhost:",
        "localhost:x",
        "localhost:8765:8765",
        "a@localhost:8765",
        "[localhost]:8765",
    ):
        assert not Place("127.0.0.1", 8765).knows(wrong), wrong


def test_cookies_of_others_do_no_harm(client) -> None:
    cookie = f'_xsrf=2|a"b; {{"x": 1}}; tuningfork-8765={TOKEN}; other=é'.encode()
    plain = testclient.TestClient(client.app, base_url=f"http://{HOST}")
    assert plain.get("/api/catalogue", headers={"cookie": cookie}).status_code == 200
    assert plain.get("/api/catalogue", headers={"cookie": b"tuningfork-8765="}).status_code == 403


def test_changes_are_taken_from_the_page_alone(client) -> None:
    good = {"origin": f"http://{HOST}", "content-type": "application/json"}
    for wrong, status in (
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/octet-stream"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
    ):
        assert client.post("/api/rows", content=b"{}", headers=good | wrong).status_code == status, wrong
    assert client.post("/api/rows", content=b"{}", headers=good).status_code == 200
    assert client.put("/api/rows", content=b"{}", headers=good).status_code == 405


def test_every_answer_bears_its_policy(client) -> None:
    for path in ("/", "/api/catalogue", "/image/0", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert "unsafe-eval" in client.get("/map.html").headers["content-security-policy"]
    assert client.get("/api/catalogue").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "said",
    [
        {"limit": 501},
        {"limit": -1},
        {"limit": "all"},
        {"offset": 1.5},
        {"columns": "id_str"},
        {"columns": ["no such column"]},
        {"columns": [["id_str"]]},
        {"columns": ["id_str"] * 401},
        {"filter": []},
        {"filter": {"all": "x"}},
        {"filter": {"all": [{"column": "ood_score"}]}},
        {"filter": {"all": [{"column": "ood_score", "min": "0 or 1=1"}]}},
        {"filter": {"all": [{"column": "ood_score", "min": True}]}},
        {"filter": {"all": [{"column": "ood_score", "min": 10**400}]}},
        {"filter": {"all": [{"column": "id_str", "min": 1}]}},
        {"filter": {"all": [{"column": "ood_score", "contains": "1"}]}},
        {"filter": {"all": [{"column": "id_str", "contains": "x" * 1001}]}},
        {"filter": {"all": [{"column": "id_str", "in": ["x"] * 1001}]}},
        {"filter": {"all": [{"column": "id_str", "in": [{}]}]}},
        {"filter": {"all": [{"column": "id_str", "in": ["\ud800"]}]}},
        {"filter": {"all": [{"column": "id_str", "contains": "\udfff"}]}},
        {"filter": {"all": [{"column": "error", "null": 1}]}},
        {"filter": {"all": [{"column": "error", "null": True}] * 201}},
        {"sort": {"column": 'ood_score"; drop table'}},
        {"sort": "ood_score"},
        {"sort": {"order": "nothing"}},
    ],
)
def test_what_can_not_be_is_refused_in_one_line(client, said: dict[str, Any]) -> None:
    answer = client.post("/api/rows", content=json.dumps(said), headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert "\n" not in error
    assert len(error) <= 300


def test_numbers_that_no_row_can_have_are_in_none(client) -> None:
    for value in (10**400, "1" * 400, "nan", 1e300):
        asked = {"all": [{"column": "ood_score", "in": [value]}]}
        assert read(client.post("/api/rows", json={"filter": asked}))["total"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b'{"limit": NaN}', b"\xff", b"null"])
def test_what_is_no_json_is_refused(client, body: bytes) -> None:
    assert client.post("/api/rows", content=body, headers={"content-type": "application/json"}).status_code == 400


def test_sizes_are_bounded(client) -> None:
    large = b'{"x": "' + b"x" * (8 << 20) + b'"}'
    kind = {"content-type": "application/json"}
    assert client.post("/api/rows", content=large, headers=kind).status_code == 413
    pieces = (large[start : start + (1 << 20)] for start in range(0, len(large), 1 << 20))  # of no stated length
    assert "8 MB" in client.post("/api/rows", content=pieces, headers=kind).json()["error"]
    for query in ("size=4096", "size=1e3", "size=-5", "band=-1", "band=x", "stretch=2", "stretch=nan", "view=sky"):
        assert client.get(f"/image/0?{query}").status_code == 400, query
    assert client.post("/api/histogram", json={"column": "ood_score", "bins": 201}).status_code == 400
    assert client.get("/api/similar/0?n=100000").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        *("/image/999", "/image/-1", "/image/g0", "/image/..%2f..%2fetc%2fpasswd", "/api/galaxy/99999999999999999999"),
        f"/image/{'9' * 5000}",
        *("/../pyproject.toml", "/..%2fapp.py", "/%2e%2e/app.py", "/app.py", "/%00", "/api/galaxy/1%00"),
    ],
)
def test_rows_are_numbers_and_never_paths(client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"import" not in answer.content


def test_a_filter_of_a_selection_is_not_another_filter() -> None:
    assert filter_of({"all": [{"selection": "abc"}]}) == Filter((Selected("abc"),))
    with pytest.raises(AskedWrongError):
        filter_of({"all": [{}]})


# The command


@pytest.fixture
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The real command, and the address it prints."""
    words = [sys.executable, "-m", "tuningfork", "explore", "predictions.parquet", "--no-browser"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        found = re.fullmatch(rf"predictions\.parquet, {N} galaxies: (http://127\.0\.0\.1:\d+/\?token=\S+) .*\n", line)
        assert found, (line, process.stderr.read())
        yield process, found[1]
        process.kill()


def test_the_command_serves_until_it_is_interrupted(running: tuple[subprocess.Popen[str], str]) -> None:
    import http.client

    process, address = running
    host = address.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", "/" + address.split("/", 3)[3])
    welcome = connection.getresponse()
    welcome.read()
    cookie = welcome.headers["set-cookie"].partition(";")[0]
    for path in ("/api/catalogue", "/image/0"):
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        assert (answer.status, len(answer.read()) > 100) == (200, True)
        assert "server" not in {name.lower() for name in answer.headers}
    connection.request("POST", "/api/rows", "{}", {"Cookie": cookie, "Content-Type": "application/json"})
    refused = connection.getresponse()  # without an origin
    assert (refused.status, len(refused.read()) > 0) == (403, True)
    process.send_signal(signal.SIGINT)  # with a connection that is still open
    out, err = process.communicate(timeout=30)
    connection.close()
    assert (process.returncode, out, err) == (0, "ended\n", "")


def test_the_command_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('uvicorn')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    words = [sys.executable, "-m", "tuningfork", "explore", "predictions.parquet"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr == 'error: this needs uvicorn, which is not installed: pip install "tuningfork[explore]"\n'


def test_a_port_that_is_taken_is_one_line(folder: Path) -> None:
    import socket

    from tuningfork.explore.serve import explore

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(TuningforkError, match="can't listen"):
        asked = Asked(folder / "predictions.parquet")
        explore(asked, "127.0.0.1", taken.getsockname()[1], browser=False, say=print)
