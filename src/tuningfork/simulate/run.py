"""Many simulated images: a pool of workers, a catalog written last, and going on after a kill."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import simplejpeg

from tuningfork.errors import OutputError, TuningforkError
from tuningfork.files import output_errors, read_json, software, whole_file, write_json
from tuningfork.jobs import Inputs, Job, within
from tuningfork.manifests import SimulationManifest
from tuningfork.progress import progress_bar
from tuningfork.simulate.galaxy import simulate_one
from tuningfork.simulate.truth import CLASSES

DEFAULT_MIX: dict[str, float] = {
    "smooth-round": 0.13,
    "smooth-in-between": 0.13,
    "smooth-cigar": 0.08,
    "edge-on-no-bulge": 0.08,
    "edge-on-bulge": 0.08,
    "spiral": 0.18,
    "barred-spiral": 0.12,
    "ring": 0.06,
    "merger": 0.06,
    "irregular": 0.06,
    "star-or-artifact": 0.02,
}
FORMAT, VERSION, SETTINGS = SimulationManifest.FORMAT, SimulationManifest.VERSION, SimulationManifest.NAME
ROWS = "rows"  # in the work folder: one table a finished chunk
_CHUNK = 50
_QUALITY = 92
_SMALL = 300  # fewer images are done before a worker has started


@dataclass(frozen=True)
class Simulation:
    """What fixes every byte of the output."""

    n: int
    seed: int
    size: int
    fits: bool
    mix: dict[str, float]

    def chunks(self) -> list[range]:
        """The images that are drawn together."""
        return [range(start, min(start + _CHUNK, self.n)) for start in range(0, self.n, _CHUNK)]


def examples(n: int, seed: int, size: int = 212) -> list[np.ndarray]:
    """The pictures (size, size, 3) uint8 of the first `n` galaxies of a seed, as `simulate` would write them."""
    return [simulate_one(seed, index, size, DEFAULT_MIX).rgb() for index in range(n)]


def simulate_galaxies(
    out: str | Path,
    n: int,
    seed: int,
    *,
    size: int = 212,
    fits: bool = False,
    mix: Mapping[str, float] | None = None,
    workers: int | None = None,
) -> Path:
    """Simulate `n` images into the folder `out`; a killed run, started again, goes on and ends with the same bytes.

    Writes `images/<id>.jpg`, `simulation.json` (the settings, first), `catalog.parquet` (last) and on request
    `fits/<id>.fits`: float32 (3, size, size), g, r, i in nanomaggies. Image i depends on `seed`, i,
    `size` and `mix` alone.
    Workers are spawned, so a script that calls this needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    out : str or path
        A new or empty folder, or one that an unfinished run of the same arguments left.
    n, seed : int
        How many, and which: image i of a seed is always the same.
    size : int
        Pixels along the frame's side of 84 arcsec: 212 gives the SDSS camera's 0.396 arcsec.
    fits : bool
        Whether to write FITS files too.
    mix : mapping of str to float, optional
        The relative number of each class; classes left out are not drawn. Default: as `tuningfork simulate` has it.
    workers : int, optional
        Processes; by default as many as there are cores, or this one alone for a few images.

    Returns
    -------
    Path
        The catalog.

    Raises
    ------
    TuningforkError
        If an argument is out of range.
    OutputError
        If `out` holds something else or can't be written.

    Examples
    --------
    >>> import pandas as pd, tuningfork as tf
    >>> catalog = tf.simulate_galaxies("galaxies", n=2, seed=1, size=64, mix={"spiral": 1}, workers=1)
    >>> pd.read_parquet(catalog)["sim_class"].tolist()
    ['spiral', 'spiral']
    """
    out = Path(out)
    asked = Simulation(n, seed, size, fits, _checked_mix(mix))
    if n < 1:
        raise TuningforkError(f"cannot simulate {n} images; --n must be at least 1")
    if seed < 0:
        raise TuningforkError(f"seed {seed} is negative; choose 0 or more")
    if not 32 <= size <= 2048:
        raise TuningforkError(f"size {size} is outside 32 to 2048 pixels; choose another")
    if workers is not None and workers < 1:
        raise TuningforkError(f"cannot work with {workers} workers; choose 1 or more")

    out, catalog = Path(out), Path(out) / "catalog.parquet"
    job = Job(Inputs("simulation", VERSION, asdict(asked)), out, within(out))
    settings = {"format": FORMAT, "version": VERSION, "made_by": software()} | asdict(asked)
    if (out / SETTINGS).exists():
        _refuse_other(out, settings)
        if catalog.exists() and all(_images_stand(out, asked, chunk) for chunk in asked.chunks()):
            job.clear()
            return catalog
    else:
        job.refuse_others()
    with job.run(), output_errors(out):
        for folder in ("images", *(["fits"] if fits else [])):
            (out / folder).mkdir(exist_ok=True)
        rows = job.work / ROWS
        rows.mkdir(exist_ok=True)
        if not (out / SETTINGS).exists():
            write_json(out / SETTINGS, settings)
        _draw_all(out, rows, asked, workers or _default_workers(n))
        tables = [pd.read_parquet(_rows_file(rows, chunk)) for chunk in asked.chunks()]
        with whole_file(catalog) as temporary:
            pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)
        job.finish()
    return catalog


def _checked_mix(mix: Mapping[str, float] | None) -> dict[str, float]:
    chosen = dict(DEFAULT_MIX if mix is None else mix)
    for name, weight in chosen.items():
        if name not in CLASSES:
            raise TuningforkError(f"mix: no class named {name!r}; choose among {', '.join(CLASSES)}")
        if not (math.isfinite(weight) and weight >= 0):
            raise TuningforkError(f"mix: the weight of {name!r} is {weight}; give 0 or more")
    if not sum(chosen.values()):
        raise TuningforkError("mix: every weight is 0; give one class a positive weight")
    return {name: float(chosen[name]) for name in CLASSES if chosen.get(name)}


def _refuse_other(out: Path, settings: dict[str, Any]) -> None:
    """Refuse the folder of a simulation of other settings."""
    found = read_json(out / SETTINGS, OutputError)
    for key, value in settings.items():
        was = found.get(key) if isinstance(found, dict) else None
        if was != value:
            raise OutputError(
                f"{out} holds another simulation ({key} is {was!r}, not {value!r}); choose another folder"
            )


def _draw_all(out: Path, rows: Path, job: Simulation, workers: int) -> None:
    todo = [
        chunk for chunk in job.chunks() if not (_rows_file(rows, chunk).exists() and _images_stand(out, job, chunk))
    ]
    with progress_bar("simulate", job.n) as advance:
        advance(job.n - sum(map(len, todo)))
        if workers == 1 or len(todo) == 1:
            for chunk in todo:
                advance(_draw_chunk(out, rows, job, chunk))
            return
        pool = ProcessPoolExecutor(
            min(workers, max(len(todo), 1)), mp_context=get_context("spawn"), initializer=_die_with_parent
        )
        others = set(active_children())
        with pool:
            try:
                with _interrupts_held_back():
                    drawing = [pool.submit(_draw_chunk, out, rows, job, chunk) for chunk in todo]
                for done in as_completed(drawing):
                    advance(done.result())
            except BrokenProcessPool as error:
                raise TuningforkError(
                    "a worker of the simulation died (memory full?, or a script without `if __name__ == '__main__':`); "
                    "run the same again to go on"
                ) from error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in set(active_children()) - others:
                    worker.terminate()  # what it was drawing is drawn again
                raise


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C waits for the end of this, and never reaches the processes that are started in it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with_parent() -> None:
    """Watch the parent from a worker: one that is killed outright can't tell its workers to stop."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _draw_chunk(out: Path, folder: Path, job: Simulation, chunk: range) -> int:
    """Draw a chunk's images, then write its rows, which vouch for them. Returns how many images it has."""
    rows = []
    for index in chunk:
        image = simulate_one(job.seed, index, job.size, job.mix)
        name = image.row["id_str"]
        encoded = simplejpeg.encode_jpeg(image.rgb(), quality=_QUALITY, colorspace="RGB", colorsubsampling="444")
        (out / _image_name(job, index)).write_bytes(encoded)
        if job.fits:
            image.fits().writeto(out / "fits" / f"{name}.fits", overwrite=True)
        rows.append({"id_str": name, "file_loc": _image_name(job, index)} | image.row)
    with whole_file(_rows_file(folder, chunk)) as temporary:
        pd.DataFrame(rows).to_parquet(temporary, index=False)
    return len(chunk)


def _image_name(job: Simulation, index: int) -> str:
    return f"images/sim-{job.seed}-{index:06d}.jpg"


def _images_stand(out: Path, job: Simulation, chunk: range) -> bool:
    return all((out / _image_name(job, index)).exists() for index in chunk)


def _rows_file(folder: Path, chunk: range) -> Path:
    return folder / f"{chunk.start:09d}.parquet"


def _default_workers(n: int) -> int:
    return (
        1 if n < _SMALL else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
