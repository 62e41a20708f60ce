"""Small galaxies with known shapes, packed and trained on once a session for every test that needs them."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: two test processes on two cores

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import settings
from PIL import Image

from tuningfork.inference import expected_errors
from tuningfork.schemas import Schema

SIZE = 72
settings.register_profile("tuningfork", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("tuningfork")
LONGEST = ("test_docs", "test_tutorials", "test_ddp", "test_ray", "test_demo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: with two workers, one that came last would have a worker to itself."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _few_disturbed_images() -> None:
    """A calibration learns its expected errors from fewer of them than by default."""
    expected_errors.ENOUGH = 120


class Counted:
    """What a test has done so many times, summed up at the end of a run: ``counted("bad inputs", 3)`` is 3."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self.record = record

    def __call__(self, what: str, number: int = 1) -> int:
        self.record(f"count: {what}", number)
        return number


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Counted:
    return Counted(record_property)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say how many times it was, in all tests that passed."""
    sums: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, number in report.user_properties:
            if name.startswith("count: "):
                sums[name.removeprefix("count: ")] = sums.get(name.removeprefix("count: "), 0) + number
    for what, number in sorted(sums.items()):
        terminalreporter.write_line(f"{number:,} {what}")


def draw_galaxy(axis_ratio: float, angle: float, rng: np.random.Generator) -> np.ndarray:
    """An exponential disc seen at an angle, with a little noise: (72, 72, 3) uint8."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    u = x * np.cos(angle) + y * np.sin(angle)
    v = (-x * np.sin(angle) + y * np.cos(angle)) / axis_ratio
    light = 230 * np.exp(-np.hypot(u, v) / 7)[..., None] * np.array([1.0, 0.9, 0.8])
    return np.clip(light + rng.normal(8, 2, light.shape), 0, 255).astype(np.uint8)


def labels_of(axis_ratio: float) -> dict[str, object]:
    """What a perfect volunteer says of a smooth galaxy of this axis ratio, in two schemas."""
    from tuningfork.schemas import load_schema

    fractions = dict.fromkeys(load_schema("gz-challenge").columns, 0.0)
    fractions |= {"Class1.1": 1.0, "Class6.2": 1.0}
    answer, name = ("Class7.1", "round") if axis_ratio > 0.8 else ("Class7.2", "in-between")
    if axis_ratio < 0.45:
        answer, name = "Class7.3", "cigar"
    fractions[answer] = 1.0
    return fractions | {"five_class": name}


def make_galaxies(folder: Path, n: int, seed: int = 0) -> Path:
    """Write n JPEG files and a catalog with their labels; the path of the catalog."""
    rng = np.random.default_rng(seed)
    rows = []
    (folder / "images").mkdir(parents=True)
    for index in range(n):
        axis_ratio = float(rng.choice([0.3, 0.6, 1.0]))
        name = f"g{index:04d}"
        galaxy = draw_galaxy(axis_ratio, rng.uniform(0, np.pi), rng)
        Image.fromarray(galaxy).save(folder / "images" / f"{name}.jpg", quality=95)
        rows.append({"id_str": name, "file_loc": f"images/{name}.jpg", **labels_of(axis_ratio)})
    pd.DataFrame(rows).to_parquet(folder / "catalog.parquet")
    return folder / "catalog.parquet"


RECIPE = """
name = "test/tiny"
[encoder]
name = "plain"
options = { width = 4 }
[input]
field = 0.8
size = 32
[[head]]
schema = "gz-challenge"
kind = "tree"
dropout = 0.1
[[head]]
schema = "five-classes"
kind = "classes"
weight = 0.3
[augmentation]
rotation = 180
flip = true
[optim]
lr = 1e-2
epochs = 3
batch_size = 16
[run]
seed = 3
ema = 0.9
"""


@pytest.fixture(scope="session")
def galaxies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of 120 galaxies."""
    return make_galaxies(tmp_path_factory.mktemp("galaxies"), 120)


@pytest.fixture(scope="session")
def pack(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those galaxies packed with both schemas."""
    from tuningfork.images import Geometry
    from tuningfork.packs import make_pack

    out = tmp_path_factory.mktemp("packs") / "pack"
    make_pack(
        galaxies,
        out,
        schemas=("gz-challenge", "five-classes"),
        geometry=Geometry(0.9, 36, 3),
        split={"train": 0.6, "val": 0.2, "test": 0.2},
    )
    return out


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that trains in seconds."""
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def model(pack: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on the pack by that recipe."""
    from tuningfork.training import load_recipe, train

    return train(load_recipe(recipe_file), pack, tmp_path_factory.mktemp("models") / "model", accelerator="cpu")


def as_labels(predictions: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The answers of a predictions table with the names of the label columns."""
    answers = predictions[["id_str", *schema.prediction_columns]]
    return answers.rename(columns=dict(zip(schema.prediction_columns, schema.columns, strict=True)))
