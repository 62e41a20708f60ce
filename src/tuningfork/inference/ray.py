"""Many machines: Ray Data hands parts of the images to workers, each with a model of its own.

Names travel, pixels don't: a worker reads the images of its part and writes the rows as a shard named by its place, so
that a worker killed in the middle costs its part once more, and every row stands in the table once.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from tuningfork.errors import TuningforkError, first_line
from tuningfork.extras import require
from tuningfork.files import whole_file
from tuningfork.inference.shards import BATCH, Rows, Shards, Tally, shards
from tuningfork.process import tune_process
from tuningfork.progress import progress_bar
from tuningfork.timing import Timing

log = logging.getLogger(__name__)

PARTS, LARGEST_PART = 256, 16 * BATCH  # enough for many workers; not so many that handing them out takes long


def write_on_ray(
    there: Shards,
    make_rows: Callable[[], Rows],
    *,
    address: str,
    verb: str,
    workers: int | None,
    gpus: bool,
    profile: bool = False,
) -> None:
    """Write the rows that are not there yet, by the workers of a Ray cluster.

    Every machine of the cluster must see the images and the shards' folder under the same names.

    Parameters
    ----------
    make_rows
        Called once by each worker: loads a model, and gives what makes the rows of a batch of images.
    address
        Of the cluster; ``local`` starts one on this machine.
    verb
        The name of the progress bar.
    workers
        Cores of each worker: one, or the share of its GPU, by default.
    gpus
        Whether each worker takes a GPU, where the cluster has any.
    profile
        Say at the end what the time of the workers went to.

    Raises
    ------
    TuningforkError
        If Ray is not installed, there is no such cluster, it has no room for one worker, or a worker fails.
    """
    timing, tally, n = Timing(), Tally(), there.source.n
    size, gaps = rows_a_part(n), there.missing()
    parts = [(start, min(start + size, gap.stop)) for gap in gaps for start in range(gap.start, gap.stop, size)]
    if parts:
        with _connected(address) as ray, progress_bar(verb, n) as advance:
            advance(n - sum(map(len, gaps)))
            for done, seconds in _answers(ray, there, parts, make_rows, _room(ray, workers, gpus)):
                tally.add(done)
                timing.add(seconds)
                advance(done.rows)
    tally.say()
    if profile:
        log.info(timing.line(tally.rows))


def rows_a_part(n: int) -> int:
    """Of `n` images, how many a part has: whole batches, whatever the cluster, so that another goes on with them."""
    return int(min(BATCH * -(-n // (BATCH * PARTS)), LARGEST_PART))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster; one that is connected already is used, and left so."""
    # Before it is imported: it tells nobody, and prints no warning of how Ray Data starts workers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if address == "local":
        _keep_to_this_machine()
    ray = require("ray", "ray")
    require("ray.data", "ray")
    if ray.is_initialized():
        yield ray
        return
    try:
        if ":" in address:  # Ray itself would try for minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        options = {"include_dashboard": False} if address == "local" else {}
        with _silence():
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = first_line(error)
        raise TuningforkError(
            f"no Ray cluster at {address!r} ({reason}); start one with `ray start --head`, or use --ray local"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _keep_to_this_machine() -> None:
    """Let a cluster listen on the loopback interface alone, as on Windows and macOS, and know its own by a token."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error, from C++ either: Ray writes there that it is now quiet."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _answers(
    ray: Any,
    there: Shards,
    ranges: list[tuple[int, int]],
    make_rows: Callable[[], Rows],
    room: tuple[int, int, int],
) -> Iterator[tuple[Tally, dict[str, float]]]:
    """What the workers tell of each part, and what its time went to, as they finish them."""
    cpus, gpus, most = room
    _quiet(ray)
    parts = [
        {
            "shard": str(there.path(start, stop).absolute()),
            "part": pickle.dumps(there.source.part(start, stop, cpus)),
        }
        for start, stop in ranges
    ]
    answers = ray.data.from_items(parts, override_num_blocks=len(parts)).map_batches(
        _Worker,
        fn_constructor_args=(ray.put(make_rows), cpus),
        batch_size=1,
        batch_format="numpy",
        num_cpus=cpus,
        num_gpus=gpus,
        # Machines may join and leave. Ray starts a worker that dies again, and gives its part out again, without end.
        # One part at a time, so that none waits for a slow worker while another is idle.
        compute=ray.data.ActorPoolStrategy(
            min_size=1, initial_size=min(most, len(parts)), max_tasks_in_flight_per_actor=1
        ),
    )
    try:
        for row in answers.iter_rows():
            yield Tally(**json.loads(row["tally"])), json.loads(row["seconds"])
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, TuningforkError):
            raise cause from error
        reason = str(cause or error).strip().splitlines()[-1]
        raise TuningforkError(f"a worker of the Ray cluster failed ({reason}); run the command again") from error


def _room(ray: Any, workers: int | None, gpus: bool) -> tuple[int, int, int]:
    """CPUs and GPUs of each worker, and how many have room: one a GPU, with its share of the cores, or one a core."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    with_gpu = [machine for machine in machines if machine.get("GPU", 0) >= 1] if gpus else []
    share = min((int(machine.get("CPU", 0) // machine["GPU"]) for machine in with_gpu), default=1)
    cpus = workers or max(1, share)
    room = sum(
        int(min(machine.get("CPU", 0) // cpus, machine.get("GPU", 0) if with_gpu else np.inf)) for machine in machines
    )
    if room == 0:
        raise TuningforkError(f"no machine of the Ray cluster has {cpus} CPUs for a worker; use fewer --workers")
    return cpus, int(bool(with_gpu)), room


def _quiet(ray: Any) -> None:
    """Ray's own bars and lines would break ours."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


class _Worker:
    """A process with a model of its own."""

    def __init__(self, make_rows: Any, threads: int) -> None:
        tune_process()
        torch.set_num_threads(threads)
        self.rows: Rows = require("ray", "ray").get(make_rows)()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        """Write the shard of one part; tell of it."""
        tally, timing = Tally(), Timing()
        (shard,), (part,) = batch["shard"], batch["part"]
        # S301: this job pickled it, and it came through Ray, whose cluster the user trusts with his code.
        images = pickle.loads(part)  # noqa: S301
        (table,) = shards(images.decoded(), self.rows, tally.count, BATCH, images.n, timing)
        with timing.part("writing"), whole_file(Path(str(shard))) as temporary:
            pq.write_table(table, temporary)
        return {"tally": [json.dumps(vars(tally))], "seconds": [json.dumps(timing.seconds)]}
