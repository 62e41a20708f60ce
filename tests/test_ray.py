"""Prediction and embedding on a Ray cluster of two machines: the rows of a single one, whatever is killed."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from conftest import make_galaxies

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported
pytest.importorskip("ray", reason="Ray is an extra")

import ray
from ray.cluster_utils import Cluster

import tuningfork.inference.ray as room
from tuningfork.cli.app import build
from tuningfork.errors import TuningforkError
from tuningfork.inference import embed, export_model, predict
from tuningfork.inference.ray import rows_a_part

# Ray warns of settings of its own.
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\..*")

SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20}
N, PART = 24, 8


# What workers run first: a file waits to be opened as long as another stands beside it, of its name and ".held".
HOLDING = """
import os, time

opened = os.open

def wait(path, *rest, **more):
    while isinstance(path, str | os.PathLike) and os.path.exists(os.fspath(path) + ".held"):
        time.sleep(0.05)
    return opened(path, *rest, **more)

os.open = wait
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two machines of one core; the driver is on the first."""
    first = tmp_path_factory.mktemp("first")
    (first / "sitecustomize.py").write_text(HOLDING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(first), prepend=os.pathsep)
        machines = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
        machines.add_node(**SMALL)
    yield machines
    ray.shutdown()
    machines.shutdown()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "rows_a_part", lambda n: PART)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images, one of them broken."""
    images = make_galaxies(tmp_path / "made", N).parent / "images"
    (images / "g0003.jpg").write_bytes(b"no image")
    return images


class Held:
    """An image that is not there yet: whoever reads it waits, until it is given."""

    def __init__(self, path: Path) -> None:
        self.mark = path.with_name(f"{path.name}.held")
        self.mark.touch()

    def give(self) -> None:
        """Let it be read."""
        self.mark.unlink()


def run(*arguments: object) -> None:
    result = CliRunner().invoke(build(), [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def same(first: Path, second: Path) -> None:
    ours, theirs = pq.read_table(first), pq.read_table(second)
    assert ours.schema.names == theirs.schema.names
    assert ours.schema.types == theirs.schema.types
    pd.testing.assert_frame_equal(ours.to_pandas(), theirs.to_pandas(), rtol=1e-5, atol=1e-6)


def workers(cluster: Any) -> list[int]:
    """The processes of this cluster's machines that hold a model."""
    machines = {info.process.pid for node in cluster.list_all_nodes() for info in node.all_processes["raylet"]}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in machines and b"_Worker" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def wait_for_the_end_of(processes: list[int]) -> None:
    """Until they are gone, one of them may still take what is meant for its successor."""
    assert processes
    places = [Path("/proc") / str(process) / "cmdline" for process in processes]
    wait_for(lambda: not any(place.exists() and place.read_bytes() for place in places), "the end of processes")


def in_background(*arguments: object) -> threading.Thread:
    thread = threading.Thread(target=run, args=arguments, daemon=True)
    thread.start()
    return thread


def shards(out: Path) -> dict[str, int]:
    """The shards that are done, and the file that each is."""
    return {path.name: path.stat().st_ino for path in (out.parent / f".{out.name}.partial").glob("[0-9]*.parquet")}


def test_parts_are_whole_batches() -> None:
    assert [rows_a_part(n) for n in (1, 1000, 70_000, 10**6, 10**9)] == [256, 256, 512, 4096, 4096]


def test_a_cluster_that_is_not_there_is_said(folder: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningforkError, match="no Ray cluster at"):
        run("predict", folder, tmp_path / "out.parquet", "--model", model, "--ray", "127.0.0.1:9")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who listens is read from /proc, which Linux has")
def test_a_local_cluster_listens_to_nobody_else(tmp_path: Path) -> None:
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    alone = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    seen = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=alone, timeout=120)
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.splitlines() == ["some listeners", "others: []", "a stranger is refused"]


ALONE = """
import os, subprocess, sys
from pathlib import Path
from tuningfork.inference.ray import _connected

LOOPBACK = ("0100007F:", "0000000000000000FFFF00000100007F:", "00000000000000000000000001000000:")

def listening():
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    return {line.split()[1] for table in tables for line in table if line.split()[3] == "0A"}

before = listening()
with _connected("local") as ray:
    now = listening() - before
    print("some listeners" if now else "no listeners")
    print("others:", [place for place in now if not place.startswith(LOOPBACK)])
    address = ray.get_runtime_context().gcs_address
    code = f"import ray; ray.init({address!r}, logging_level='CRITICAL'); print(ray.cluster_resources())"
    stranger = dict(os.environ, RAY_AUTH_TOKEN="0" * 64)
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=stranger)
    print("a stranger is refused" if seen.returncode and "CPU" not in seen.stdout else seen.stdout)
"""


def test_a_worker_larger_than_any_machine_is_refused(cluster: Any, folder: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningforkError, match="fewer --workers"):
        run("predict", folder, tmp_path / "out.parquet", "--model", model, "--ray", cluster.address, "--workers", 2)


def test_why_a_worker_failed_is_said(cluster: Any, folder: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningforkError, match="no device 'cuda:9' here"):
        run("predict", folder, tmp_path / "o.csv", "--model", model, "--ray", cluster.address, "--device", "cuda:9")


@pytest.mark.slow
def test_an_embedding_of_a_pack_in_an_engine_is_that_of_a_single_machine(
    cluster: Any,
    pack: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(room, "rows_a_part", lambda n: 50)
    monkeypatch.chdir(tmp_path)  # names as a user gives them, relative to where the command runs
    Path("pack").symlink_to(pack)
    engine = export_model(model, "exported")
    options = ("--model", model, "--engine", engine, "--ray", cluster.address, "--profile")
    with caplog.at_level(logging.INFO, "tuningfork"):
        run("embed", "pack", "many.parquet", *options)
    same(Path("many.parquet"), embed(pack, "one.parquet", model=model, engine=engine, device="cpu"))
    assert re.search(r"profile: 120 images in .*model [0-9.]+ s, writing [0-9.]+ s", caplog.text)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_parts_that_are_not_there(
    cluster: Any, folder: Path, model: Path, tmp_path: Path
) -> None:
    held, out = Held(folder / "g0010.jpg"), tmp_path / "out.parquet"
    script = f"import tuningfork.inference.ray as r, tuningfork.cli as c; r.rows_a_part = lambda n: {PART}; c.main()"
    arguments = ["predict", folder, out, "--model", model, "--ray", cluster.address]
    with subprocess.Popen([sys.executable, "-c", script, *arguments], stderr=subprocess.DEVNULL) as driver:
        wait_for(lambda: len(shards(out)) == N // PART - 1, "all parts but one")
        orphans = workers(cluster)
        driver.kill()
    done = shards(out)
    wait_for_the_end_of(orphans)
    going_on = in_background(*arguments)
    held.give()
    wait_for(lambda: out.exists() or len(shards(out)) == N // PART, "the last part")
    assert done.items() <= shards(out).items() or out.exists()
    going_on.join()
    same(out, predict(folder, tmp_path / "one.parquet", model=model, device="cpu"))


def test_killed_workers_and_a_machine_that_leaves_cost_no_row(
    cluster: Any, folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last, for the machine does not come back."""
    monkeypatch.chdir(folder.parent)
    held, out = [Held(folder / f"g00{index}.jpg") for index in (10, 20)], tmp_path / "many"
    predicting = in_background("predict", folder.name, out, "--model", model, "--ray", cluster.address)

    def all_wait(but: list[int]) -> list[int]:
        """The workers, one on each machine, when they have done what can be done; not those that have been killed."""
        wait_for(lambda: len(shards(out)) == N // PART - len(held), "all parts but those held")
        wait_for(lambda: len(set(workers(cluster)) - set(but)) == 2, "a worker on each machine")
        return list(set(workers(cluster)) - set(but))

    killed = all_wait([])
    for process in killed:
        os.kill(process, signal.SIGKILL)
    wait_for_the_end_of(killed)
    both = all_wait(killed)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    wait_for_the_end_of(list(set(both) - set(workers(cluster))))
    for image in held:
        image.give()
    predicting.join()
    assert sorted(path.name for path in out.iterdir()) == [f"part-{index:05d}-of-00003.parquet" for index in range(3)]
    assert not (tmp_path / ".many.partial").exists()
    same(out, predict(folder.name, tmp_path / "one.parquet", model=model, device="cpu"))
