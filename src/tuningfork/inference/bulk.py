"""What `predict` and `embed` share: images of a source, rows made of them in shards, and one result of all rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import torch

from tuningfork.engines import find_engine, use_engine
from tuningfork.engines.device import choose_device
from tuningfork.images import Decoded
from tuningfork.inference import shards
from tuningfork.inference.order import in_order
from tuningfork.inference.ray import write_on_ray
from tuningfork.inference.shards import Rows, Shards, nothing_read, write_shards
from tuningfork.jobs import Inputs, Job, beside, fingerprint
from tuningfork.models import Model, read_manifest
from tuningfork.packs import ImageSource, Pack, PackSource, open_images
from tuningfork.sources import ImageOptions, Images

log = logging.getLogger(__name__)

Answer = Callable[[list[Decoded], Model, torch.device], pa.Table]  # the rows of a batch of images


@dataclass(frozen=True)
class How:
    """How rows are made, as `predict` takes it: where, by what, and what is said of it."""

    device: str
    engine: str | Path
    options: ImageOptions | None
    workers: int | None
    ray: str | None
    overwrite: bool
    profile: bool


class Bulk:
    """A row for every image of a source, by a model, as one result.

    Parameters
    ----------
    verb, version
        What is done, and the version of the format of its result.
    images, model, target
        The source, the model's name or folder, and the file or folder to write.
    network
        The model, loaded.
    answer
        Makes the rows of a batch; it must be found by name, since it may travel to other machines.
    views
        As of `predict`.
    """

    def __init__(
        self,
        verb: str,
        version: int,
        images: Images | Pack,
        target: Path,
        *,
        model: str | Path,
        network: Model,
        answer: Answer,
        views: int,
        how: How,
    ) -> None:
        self.verb, self.target, self.how = verb, target, how
        self.network, self.answer, self.views = network, answer, views
        self.source = open_images(images, network.spec.geometry, how.workers, how.options, network.spec.trained)
        self.source.refuse_output(target)
        self.hashes = read_manifest(model)["sha256"]
        self.engine, export = find_engine(how.engine, self.hashes)
        asked = {"views": views, "engine": str(how.engine)} | export
        self.job = Job(
            Inputs(verb, version, asked, model=self.hashes),
            target,
            beside(target),
            anew="begin anew with --overwrite",
        )

    @cached_property
    def shards(self) -> Shards:
        """Of the job, in its work folder."""
        return Shards(self.job.work, self.source, self.network.spec.geometry.at_once(shards.BATCH))

    def write(self, make: Callable[[list[Path], Path], None], check: Callable[[], None], asked: Any) -> str:
        """Make the rows that are missing, then the result, and deliver it.

        Parameters
        ----------
        make
            Writes the result, from the shards in the order asked, to a path of the target's name; further files may
            lie beside it.
        check
            Refuses a result that could not be delivered.
        asked
            What fixes the result beside the rows and the catalogue, such as its layout.

        Returns
        -------
        str
            What to say where not one image could be read; else empty.
        """
        if not self.job.delivering:
            check()
        outcome = fingerprint([self.job.fingerprint, self.shards.stamps, _hash_of(self.source.asked), asked])
        if self.job.settled(outcome):
            log.info("%s is whole already; nothing to do", self.target)
            return ""
        if self.job.delivering and not self.job.made(outcome):
            check()
        with self.job.run(overwrite=self.how.overwrite):
            if not self.job.made(outcome):
                self._write_shards()
                with self.job.making(outcome) as folder:
                    ordered = in_order(self.shards.paths, self.source.places, self.job.work / "asked")
                    make(ordered, folder / self.target.name)
            nothing = nothing_read(self.shards.paths)
            self.job.deliver(outcome, self.target.parent, self.target.name)
        return nothing

    def _write_shards(self) -> None:
        make_rows = partial(_rows, self.answer, self.network, self.how.device, self.engine, self.hashes, self.views)
        if self.how.ray is None:
            write_shards(
                self.shards,
                partial(make_rows, self.source),
                verb=self.verb,
                rows_a_shard=shards.ROWS_A_SHARD,
                profile=self.how.profile,
            )
        else:
            write_on_ray(
                self.shards,
                make_rows,
                address=self.how.ray,
                verb=self.verb,
                workers=self.how.workers,
                gpus=self.how.device != "cpu",
                profile=self.how.profile,
            )


def _rows(
    answer: Answer,
    network: Model,
    device: str,
    engine: str | Path,
    hashes: dict[str, str],
    views: int,
    source: ImageSource | PackSource | None = None,
) -> Rows:
    """The network, on a device and in an engine of the process that calls this, as what makes rows.

    Arguments as of `use_engine`.
    """
    chosen = choose_device(device)
    network.to(chosen)
    use_engine(network, engine, hashes, chosen, source, views)
    return lambda batch: answer(batch, network, chosen)


def _hash_of(table: pd.DataFrame) -> str:
    """Of the names and values of a catalogue."""
    try:
        rows = pd.util.hash_pandas_object(table, index=False)
    except TypeError:  # a column of lists, say
        rows = pd.util.hash_pandas_object(table.astype(str), index=False)
    return fingerprint([list(map(str, table.columns)), rows.to_numpy().tobytes().hex()])
