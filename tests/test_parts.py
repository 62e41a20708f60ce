"""Parts of a source, as workers on other machines get them: pickled, and opened in another folder."""

from __future__ import annotations

import pickle
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuningfork.errors import CatalogError
from tuningfork.images import Decoded, Geometry
from tuningfork.inference.shards import shards
from tuningfork.packs import ImageSource, PackSource, open_images

GEOMETRY = Geometry(0.9, 36, 3)
N = 120


@cache
def opened(galaxies: Path, pack: Path, kind: str) -> ImageSource | PackSource:
    if kind == "pack":
        return open_images(pack, GEOMETRY)
    if kind == "catalog":
        return open_images(galaxies, GEOMETRY)
    if kind == "folder":
        return open_images(galaxies.parent / "images", GEOMETRY)
    folder = galaxies.parent / "embedded"
    if not folder.exists():
        folder.mkdir()
        files = sorted((galaxies.parent / "images").iterdir())
        images = [{"bytes": path.read_bytes(), "path": path.name} for path in files]
        kind_of_image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        for index, (start, stop) in enumerate(pairwise([0, 1, 40, 40, 110, N])):  # one shard is empty
            table = pa.table({"image": pa.array(images[start:stop], kind_of_image)})
            pq.write_table(table, folder / f"{index}.parquet", row_group_size=7)
    return open_images(folder, GEOMETRY)


@pytest.mark.parametrize("kind", ["folder", "catalog", "parquet", "pack"])
@given(bounds=st.lists(st.integers(0, N), min_size=2, max_size=2, unique=True).map(sorted))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_holds_the_images_of_its_place(
    galaxies: Path, pack: Path, kind: str, bounds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(galaxies.parent)
    source = opened(galaxies, pack, kind)
    sent = pickle.dumps(source.part(*bounds, 1))
    assert len(sent) < 5000 + 100 * (bounds[1] - bounds[0]), "names travel, pixels don't"
    monkeypatch.chdir("/")
    part = pickle.loads(sent)
    entries, whole = list(part.decoded()), list(source.decoded(0))[slice(*bounds)]
    assert part.n == len(entries)
    assert [(entry.id_str, entry.file_loc) for entry in entries] == [(entry.id_str, entry.file_loc) for entry in whole]
    for entry, other in zip(entries, whole, strict=True):
        np.testing.assert_array_equal(entry.pixels, other.pixels)


def test_hdf5_is_not_shared(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "g.h5", "w") as file:
        file["images"] = np.zeros((3, 20, 20, 3), np.uint8)
    with pytest.raises(CatalogError, match="pack it first"):
        open_images(tmp_path / "g.h5", GEOMETRY).part(0, 2, 1)


def test_a_shard_is_closed_when_its_time_is_up(galaxies: Path, pack: Path) -> None:
    def rows(batch: list[Decoded]) -> pa.Table:
        return pa.table({"id_str": [entry.id_str for entry in batch]})

    source, seen = opened(galaxies, pack, "pack"), []
    hasty = list(shards(source.decoded(0), rows, seen.extend, 16, N, seconds_a_shard=0.0))
    patient = list(shards(source.decoded(0), rows, seen.extend, 16, N))
    assert [len(table) for table in hasty] == [16] * 7 + [8]
    assert [len(table) for table in patient] == [N]
    assert pa.concat_tables(hasty).equals(pa.concat_tables(patient))
    assert len(seen) == 2 * N
