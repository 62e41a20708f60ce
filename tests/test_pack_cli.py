"""`tuningfork pack` as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tuningfork.cli.app import build
from tuningfork.errors import TuningforkError
from tuningfork.images import decode_stream
from tuningfork.packs import open_pack
from tuningfork.sources import open_source

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared galaxies are not here (../shared/data)")


def test_it_prints_what_it_packed(galaxies: Path, tmp_path: Path) -> None:
    options = [
        "--schema",
        "gz-challenge",
        "--schema",
        "five-classes",
        "--size",
        "16",
        "--split",
        "0.5/0.25/0.25",
        "--seed",
        "2",
    ]
    result = CliRunner().invoke(build(), ["pack", str(galaxies), str(tmp_path / "pack"), *options])
    assert result.exception is None
    pack = open_pack(tmp_path / "pack")
    assert "packed 120 galaxies, left out 0 bad images" in result.output
    assert "labels of gz-challenge: 120" in result.output
    assert f"train {len(pack.rows('train'))}" in result.output
    assert str(tmp_path / "pack") in result.output
    assert pack.pixels.shape == (120, 16, 16, 3)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["pack", *map(str, arguments)])


def test_every_fault_of_the_input_is_one_line_and_exit_code_2(
    tmp_path: Path, galaxies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels.csv").write_text("id_str,five_class\nNGC1,round\n")
    (tmp_path / "wrong.csv").write_text("id_str,Class1.1,Class1.2,Class1.3\ng0000,1.2,-0.2,0\n")
    (tmp_path / "off.csv").write_text("id_str,Class1.1,Class1.2,Class1.3\ng0000,0.2,0.2,0.1\n")
    (tmp_path / "partly.csv").write_text("id_str,Class1.1,Class1.2,Class1.3\ng0000,0.2,0.8,\n")
    (tmp_path / "twice.csv").write_text("id_str,five_class\ng0000,round\ng0000,spiral\n")
    images = galaxies.parent / "images"
    cases = [
        (["nowhere", "out"], "no such file or folder"),
        (["empty", "out"], "no images in empty"),
        ([images, "out", "--labels", "labels.csv", "--schema", "five-classes"], "no id joins an image"),
        ([images, "out", "--labels", "wrong.csv", "--schema", "gz-challenge"], "outside 0 to 1"),
        ([images, "out", "--labels", "off.csv", "--schema", "gz-challenge"], "tree"),
        ([images, "out", "--labels", "partly.csv", "--schema", "gz-challenge"], "NaN"),
        ([images, "out", "--labels", "twice.csv", "--schema", "five-classes"], "twice or more (g0000)"),
        ([images, "out", "--labels", "twice.csv", "--id-column", "name"], "no column 'name'"),
        ([images, "out", "--field", "1.5"], "a field of 1.5"),
        ([images, "out", "--split", "0.8/0.3"], "0.8/0.3"),
        ([images, "labels.csv"], "is a file; name a folder"),
    ]
    before = sorted(tmp_path.iterdir())
    for arguments, says in cases:
        error = run(*arguments).exception
        assert isinstance(error, TuningforkError), (arguments, error)
        assert says in str(error), (arguments, error)
        assert "\n" not in str(error)
        assert sorted(tmp_path.iterdir()) == before
    command = [
        sys.executable,
        "-m",
        "tuningfork",
        "pack",
        images,
        "out",
        "--labels",
        "wrong.csv",
        "--schema",
        "gz-challenge",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: wrong.csv, galaxy g0000")
    assert result.stderr.count("\n") == 2


@needs_shared
def test_the_native_images_and_the_challenges_own_labels(tmp_path: Path) -> None:
    """The original 424-pixel files, joined by GalaxyID, show the same galaxies as the shards do at half the size."""
    native = SHARED / "galaxy-zoo-challenge" / "native"
    result = run(
        *(f"{native}/images_training_rev1/94*.jpg", tmp_path / "pack"),
        *(
            "--labels",
            native / "training_solutions_rev1.csv",
            "--schema",
            "gz-challenge",
            "--size",
            "53",
            "--field",
            "0.5",
        ),
    )
    assert result.exception is None
    pack = open_pack(tmp_path / "pack")
    assert pack.manifest["labelled"] == {"gz-challenge": 76}
    shards = open_source(f"{SHARED}/galaxy-zoo-challenge/[vt]*.parquet")
    assert shards.table["split"].value_counts().to_dict() == {"train": 24660, "test": 3406, "val": 2952}
    wanted = set(pack.catalog["id_str"])
    rows = shards.table.index[shards.table["id_str"].isin(wanted)]
    row_of = {identity: row for row, identity in enumerate(pack.catalog["id_str"])}
    items = (item for item in shards.items(int(rows[0])) if item.id_str in wanted)
    decoded = list(decode_stream(items, pack.geometry))
    assert len(decoded) == 76
    for entry in decoded:
        assert entry.pixels is not None
        apart = np.abs(entry.pixels.astype(int) - pack.pixels[row_of[entry.id_str]])
        assert apart.mean() < 4, entry.id_str  # the noise of two JPEG encodings
    labels = shards.table.loc[rows].set_index("id_str").loc[pack.catalog["id_str"], "Class1.1"]
    np.testing.assert_allclose(pack.catalog["Class1.1"], labels, atol=1e-6)
