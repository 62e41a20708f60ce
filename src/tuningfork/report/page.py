"""The page put together: what each path is, its section, one HTML file."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tuningfork.catalogs import is_table
from tuningfork.embeddings import is_embedding
from tuningfork.errors import TuningforkError
from tuningfork.evaluation import read_evaluation
from tuningfork.files import refuse_existing, software_version, write_text
from tuningfork.manifests import (
    EvaluationManifest,
    ExplanationManifest,
    Manifest,
    ModelManifest,
    PackManifest,
    RobustnessManifest,
    StudyManifest,
)
from tuningfork.models import bundled_models, model_folder
from tuningfork.packs import Pack, open_pack
from tuningfork.report.blocks import Section
from tuningfork.report.embedding import embedding_section
from tuningfork.report.evaluation import evaluation_section
from tuningfork.report.explanation import explanation_section
from tuningfork.report.model import model_section
from tuningfork.report.pack import pack_section
from tuningfork.report.predictions import predictions_section
from tuningfork.report.robustness import robustness_section
from tuningfork.report.study import study_section
from tuningfork.report.thumbnails import Finder
from tuningfork.schemas import Schema, schema_from_dict

KINDS: dict[str, type[Manifest]] = {
    "pack": PackManifest,
    "model": ModelManifest,
    "evaluation": EvaluationManifest,
    "explanation": ExplanationManifest,
    "robustness": RobustnessManifest,
    "study": StudyManifest,
}


def write_report(
    paths: Sequence[str | Path], out: str | Path, title: str = "Tuningfork report", *, overwrite: bool = False
) -> Path:
    """Draw what Tuningfork makes, in the order given, as one self-contained HTML file.

    Where a study is on the page, its runs and packs are folded, and the plots of its runs are left in their folders.

    A predictions table shows galaxies whose images can be read, or are held by a pack of the same page; it is read by
    the schemas of the page's packs and models, then by the bundled ones.

    Parameters
    ----------
    paths : sequence of str or path
        Each a pack, a model, a predictions table, an embedding, an evaluation, an explanation, a robustness measurement
        or a study.
    out : str or path
        The file to write.
    title : str
        Of the page.
    overwrite : bool
        Replace a file that is there already.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TuningforkError
        If a path is none of these, or can't be read.
    OutputError
        If `out` can't be written, or is there already and `overwrite` is not set.
    """
    refuse_existing([Path(out)], overwrite=overwrite)
    found = [(path, kind_of(path)) for path in map(_named, paths)]
    if not found:
        raise TuningforkError("nothing to report on; name packs, models, predictions tables or evaluations")
    packs = {path: open_pack(path) for path, kind in found if kind == "pack"}
    models = {path: ModelManifest.read(path).content for path, kind in found if kind == "model"}
    schemas = _schemas(packs, models)
    finder = Finder(tuple(packs.values()))
    studies = [path for path, kind in found if kind == "study"]
    sections = []
    for path, kind in found:
        # Of a study on the page, runs are parts: folded, without the plots.
        brief = any(study in path.parents for study in studies)
        if kind == "pack":
            sections.append(pack_section(packs[path], folded=bool(studies)))
        elif kind == "model":
            sections.append(model_section(path, models[path], brief=brief))
        elif kind == "evaluation":
            sections.append(evaluation_section(path, read_evaluation(path), brief=brief))
        elif kind == "embedding":
            sections.append(embedding_section(path, finder))
        elif kind == "explanation":
            sections.append(explanation_section(path, ExplanationManifest.read(path).content))
        elif kind == "robustness":
            sections.append(robustness_section(path, RobustnessManifest.read(path).content))
        elif kind == "study":
            sections.append(study_section(path, StudyManifest.read(path).content))
        else:
            sections.append(predictions_section(path, schemas, finder))
    write_text(Path(out), render(sections, title))
    return Path(out)


def _named(path: str | Path) -> Path:
    """A path, or the folder of the bundled model of that name where there is no such path."""
    return model_folder(path) if not Path(path).exists() and str(path) in bundled_models() else Path(path)


def kind_of(path: Path) -> str:
    """What a path is: pack, model, evaluation, explanation, robustness, study, embedding or predictions.

    Raises
    ------
    TuningforkError
        If it is none of these.
    """
    if not path.exists():
        raise TuningforkError(f"no such file or folder: {path}")
    for kind, manifest in KINDS.items() if path.is_dir() else ():
        if (path / manifest.NAME).is_file():
            manifest.read(path)
            return kind
    if path.suffix == ".parquet" and is_embedding(path):
        return "embedding"
    if path.is_file() and is_table(path):
        return "predictions"
    names = ", ".join(each.NAME for each in KINDS.values())
    raise TuningforkError(
        f"{path} is no finished pack, model, evaluation, explanation or study (a folder with {names}) and "
        "no predictions table (.parquet, .csv, .fits, .vot)"
    )


def render(sections: Sequence[Section], title: str) -> str:
    """The HTML of a page."""
    environment = Environment(
        loader=PackageLoader("tuningfork.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = environment.get_template("report.css").render()
    return environment.get_template("report.html.jinja").render(
        title=title,
        css=css,
        policy=_policy(css),
        sections=sections,
        version=software_version(),
        created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _policy(css: str) -> str:
    """What a browser may do for the page: show its own pictures and styles; run and fetch nothing."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src-elem 'sha256-{digest}'; style-src-attr 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def _schemas(packs: dict[Path, Pack], models: dict[Path, dict[str, Any]]) -> list[Schema]:
    """The schemas that the page's packs and models know, each once."""
    known = {schema.name: schema for pack in packs.values() for schema in pack.schemas}
    for path, manifest in models.items():
        for head in manifest.get("heads") or []:
            schema = schema_from_dict(head["schema"], str(path / "model.json"))
            known.setdefault(schema.name, schema)
    return list(known.values())
