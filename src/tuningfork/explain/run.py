"""Explaining many galaxies: two figures each, and a manifest written last."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from tuningfork.errors import ImageError, OutputError
from tuningfork.explain.galaxy import draw_galaxy, explain_pixels
from tuningfork.explain.occluding import default_patch
from tuningfork.explain.target import find_target
from tuningfork.files import output_errors
from tuningfork.images import Decoded
from tuningfork.images.notes import counted
from tuningfork.jobs import Inputs, Job, Journal, refuse_occupied, within
from tuningfork.manifests import ExplanationManifest
from tuningfork.models import GalaxyModel, load_model, model_folder, read_manifest
from tuningfork.packs import ImageSource, Pack, PackSource, open_images
from tuningfork.plotting.style import check_format
from tuningfork.progress import progress_bar
from tuningfork.sources import ImageOptions, Images

log = logging.getLogger(__name__)

JOURNAL, PLOTS = "journal.jsonl", "plots"  # in the work folder


@dataclass(frozen=True)
class Drawing:
    """What is drawn: of which network, which answer (None: the leading one), of how many galaxies, in which format."""

    network: GalaxyModel
    answer: str | None
    limit: int
    plots: str


def explain_images(
    model: str | Path,
    images: Images | Pack,
    out: str | Path,
    *,
    answer: str | None = None,
    limit: int = 12,
    plots: str = "png",
    options: ImageOptions | None = None,
    overwrite: bool = False,
) -> Path:
    """Draw for each galaxy what a model's answer rests on, and its feature maps layer by layer.

    An unreadable image is listed with its error and the rest goes on. The same call after a kill goes on after the last
    galaxy that was drawn.

    Parameters
    ----------
    model : str or path
        A model folder, or the name of a bundled model.
    images : path, list, array, table or Pack
        As of `TrainedModel.predict`.
    out : str or path
        The folder to write: ``ID.png`` and ``ID-features.png`` for each galaxy, then ``explanation.json``.
    answer : str, optional
        The answer explained, a prediction column. Default: for each galaxy the one most worth explaining.
    limit : int
        How many images are taken, the first of them.
    plots : {'png', 'pdf', 'svg'}
        Plots are PNG, which pages show; as PDF or SVG, for a paper, they lie beside it.
    options : ImageOptions, optional
        What is said of the images: which columns name them, how they are to be read.
    overwrite : bool
        Replace an explanation that is in `out` already.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    CatalogError, ImageError, ModelError, PackError, OutputError
        If the images or the model can't be opened, the model has no such answer, or `out` can't be written or holds
        anything else.
    """
    check_format(plots)
    folder = Path(out)
    members = load_model(model).members
    network = members[0]
    if len(members) > 1:
        log.info("the first of %d members explains itself, by one look: the ensemble's answers differ", len(members))
    if answer is not None:
        find_target(network, answer)
    source = open_images(images, network.spec.geometry, options=options, trained=network.spec.trained)
    inputs = {"model": read_manifest(model)["sha256"], "images": source.describe(), "answer": answer, "limit": limit}
    drawing = Drawing(network, answer, limit, plots)
    job = Job(
        Inputs(
            "explain",
            ExplanationManifest.VERSION,
            {"answer": answer, "limit": limit, "plots": plots},
            inputs["images"],
            inputs["model"],
        ),
        folder,
        within(folder),
        anew="begin anew with --overwrite",
    )
    if job.settled(job.fingerprint):
        log.info("%s is whole already; nothing to do", folder)
        return folder
    if not job.begun:
        _refuse_others(folder, overwrite=overwrite)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    with job.run(overwrite=overwrite):
        if job.made(job.fingerprint):
            records = Journal(job.work / JOURNAL).read()
        else:
            records = _explain_rest(job.work, source, drawing)
            manifest = _manifest(records, model_folder(model).name, network, inputs)
            ExplanationManifest.write(job.work / PLOTS, manifest)
            job.seal(job.work / PLOTS, job.fingerprint)
        _remove_old(folder, records)
        job.deliver(job.fingerprint, folder, ExplanationManifest.NAME)
    if not any("error" not in record for record in records):
        raise ImageError(
            f"none of {counted(len(records))} could be read; the first, {records[0]['id_str']}: {records[0]['error']}"
        )
    return folder


def _refuse_others(folder: Path, *, overwrite: bool) -> None:
    """Only an empty folder is written to, one that a killed run left, or, to overwrite, an explanation's."""
    if not (folder / ExplanationManifest.NAME).exists():
        refuse_occupied(folder, OutputError)
    elif not overwrite:
        raise OutputError(f"{folder} holds an explanation; choose another folder, or replace it with --overwrite")


def _explain_rest(work: Path, source: PackSource | ImageSource, drawing: Drawing) -> list[dict[str, Any]]:
    """Explain the galaxies that are not in the journal yet; the records of all."""
    journal, plots = Journal(work / JOURNAL), work / PLOTS
    with output_errors(plots):
        plots.mkdir(exist_ok=True)
    records = journal.read()
    if records:
        log.info("going on after the %d galaxies that an earlier run left in %s", len(records), work)
    total = min(drawing.limit, source.n)
    taken = {name.casefold() for record in records for name in record.get("plots", ())}
    notes: Counter[str] = Counter()
    with progress_bar("explain", total) as advance:
        advance(len(records))
        for decoded in islice(source.decoded(len(records)), total - len(records)):
            record = _explain_one(plots, decoded, drawing, taken)
            journal.add(record)
            records.append(record)
            notes.update([decoded.note] if decoded.note else [])
            advance(1)
    for note, count in notes.items():
        log.info("%s: %s", counted(count), note)
    return records


def _explain_one(folder: Path, decoded: Decoded, drawing: Drawing, taken: set[str]) -> dict[str, Any]:
    record: dict[str, Any] = {"id_str": decoded.id_str, "file_loc": decoded.file_loc}
    if decoded.pixels is None:
        log.warning("unreadable: %s: %s", decoded.file_loc or decoded.id_str, decoded.error)
        return record | {"error": decoded.error}
    plots = _file_names(decoded.id_str, taken)
    record |= {"note": decoded.note} if decoded.note else {}
    shown = explain_pixels(drawing.network, decoded.id_str, decoded.pixels, drawing.answer)
    return record | draw_galaxy(decoded.id_str, shown, [folder / name for name in plots], drawing.plots)


def _remove_old(folder: Path, records: list[dict[str, Any]]) -> None:
    """Take away the plots of an explanation that is replaced, but for those whose names come again."""
    if (folder / ExplanationManifest.NAME).exists():
        ours = {name for record in records for name in record.get("sha256", ())}
        for galaxy in ExplanationManifest.read(folder).galaxies:
            for name in {*galaxy.plots, *galaxy.sha256} - ours:
                (folder / name).unlink(missing_ok=True)


def _file_names(identity: str, taken: set[str]) -> list[str]:
    """File names for a galaxy's two plots that any file system takes and no galaxy before it has; adds them."""
    stem = re.sub(r"[^\w.+-]", "_", identity).strip(".")[:80] or "galaxy"
    number = 1
    while True:
        unique = stem if number == 1 else f"{stem}-{number}"
        names = [f"{unique}.png", f"{unique}-features.png"]
        if taken.isdisjoint(name.casefold() for name in names):
            taken.update(name.casefold() for name in names)
            return names
        number += 1


def _manifest(records: list[dict[str, Any]], name: str, network: GalaxyModel, inputs: dict[str, Any]) -> dict[str, Any]:
    galaxies = [record for record in records if "error" not in record]
    errors = [record for record in records if "error" in record]
    if errors:
        log.warning("%d of %s could not be read; the manifest holds the errors", len(errors), counted(len(records)))
    view = network.spec.view
    return {
        "model": name,
        "member": 1,
        "view": {
            "field": view.field,
            "size": view.size,
            "patch": default_patch(network),
            "located": network.spec.located,
        },
        "galaxies": galaxies,
        "errors": errors,
        "inputs": inputs,
    }
