"""How far a model's answers hold when images are turned, shifted, noisier, blurred, coarser or compressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tuningfork.engines import use_torch
from tuningfork.errors import PackError, SchemaError
from tuningfork.evaluation.bootstrap import Measure, estimate
from tuningfork.evaluation.evaluate import measures_of
from tuningfork.evaluation.place import PLOTS, Place
from tuningfork.evaluation.tables import join
from tuningfork.manifests import RobustnessManifest
from tuningfork.models import Model, load_model, read_manifest
from tuningfork.packs import Pack, PackSource, open_pack
from tuningfork.plotting.style import check_format, styled
from tuningfork.progress import progress_bar
from tuningfork.robustness.disturbances import DISTURBANCES
from tuningfork.robustness.example import example_figure
from tuningfork.robustness.write import write_robustness
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema

BATCH = 128
N_BOOTSTRAP = 500


def measure_robustness(
    model: str | Path,
    pack: str | Path,
    out: str | Path,
    *,
    split: str = "val",
    where: Sequence[str] = (),
    limit: int = 500,
    seed: int = 0,
    plots: str = "png",
    overwrite: bool = False,
) -> Path:
    """Measure a model on disturbed galaxies, and write `robustness.json` and its curves to the folder `out`.

    For each disturbance and amount: the model's main figure (RMSE of fractions, accuracy of classes, mean absolute
    error of the first quantity) with its bootstrap interval, and `change`, the root mean square by which the answers
    differ from those to the undisturbed images. Test-time augmentation is that of the model's calibration.

    Parameters
    ----------
    model : str or path
        A model folder, or the name of a bundled model.
    pack : str or path
        Labelled galaxies, packed.
    out : str or path
        The folder to write. Where it holds this measurement already, nothing is done.
    split : {'val', 'test', 'train', 'all'}
        The galaxies.
    where : sequence of str
        Of these the rows that have these values, each written ``column=value``.
    limit : int
        How many of them are measured, drawn by `seed`.
    seed : int
        Of the draw and of the disturbances.
    plots : {'png', 'pdf', 'svg'}
        Plots are PNG, which pages show; as PDF or SVG, for a paper, they lie beside it.
    overwrite : bool
        Replace another measurement that is in `out`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError, PackError, SchemaError
        If either can't be opened, their geometries differ, or there is no galaxy with a label the model answers.
    OutputError
        If `out` can't be written, or holds another measurement and `overwrite` is not set; if `plots` is no format.
    """
    check_format(plots)
    network, data = load_model(model), open_pack(pack)
    source = PackSource(data, network.spec.geometry, data.rows(split, where), located=network.spec.located)
    data, rows = source.pack, source.rows
    schemas = [schema for schema in network.schemas if set(schema.columns) & set(data.catalog.columns)]
    if not schemas:
        names = ", ".join(schema.name for schema in network.schemas)
        raise SchemaError(f"{data.path} has no labels for what the model answers ({names}); pack again with --schema")
    known = data.catalog[[c for schema in schemas for c in schema.columns if c in data.catalog]].notna().any(axis=1)
    rows = rows[known.to_numpy()[rows]]
    if len(rows) == 0:
        raise PackError(f"{data.path} has no labelled galaxies in its {' and '.join([f'{split} split', *where])}")
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:limit])
    drawn = data.catalog.iloc[rows]
    schemas = [schema for schema in schemas if drawn.filter(items=schema.columns).notna().to_numpy().any()]
    content = {
        "where": f"{' and '.join([f'{split} split', *where])} of {data.path.name}",
        "n": len(rows),
        "seed": seed,
        "n_bootstrap": N_BOOTSTRAP,
        "views": network.uncertainty.views if network.uncertainty else 1,
        "inputs": {"model": read_manifest(model)["sha256"], "pack": data.manifest["sha256"], "n": len(rows)},
        PLOTS: plots,
    }
    place = Place(RobustnessManifest, Path(out), content, overwrite)
    if not place.finished():
        with styled():
            example = example_figure(data.pixels[rows[:1]][0], data.geometry, str(drawn["id_str"].iloc[0]))
        curves = _curves(network, data, rows, schemas, seed)
        write_robustness(place, content | {"curves": curves}, example, plots)
    return place.out


def _curves(
    network: Model, data: Pack, rows: np.ndarray, schemas: Sequence[Schema], seed: int
) -> dict[str, dict[str, Any]]:
    """By schema and disturbance: its words, and a point for each amount."""
    device = use_torch(network)
    pixels, labels = data.pixels[rows], data.catalog.iloc[rows].reset_index(drop=True)
    found: dict[str, dict[str, Any]] = {schema.name: {} for schema in schemas}
    whole = _answers(network, pixels, device)
    with progress_bar("robustness", sum(len(way.levels) for way in DISTURBANCES.values())) as advance:
        for name, way in DISTURBANCES.items():
            points: dict[str, list[dict[str, Any]]] = {schema.name: [] for schema in schemas}
            for level in way.levels:
                answers = _answers(network, way.apply(pixels, data.geometry, level), device)
                for schema in schemas:
                    given, base = answers[schema.name], whole[schema.name]
                    change = float(np.sqrt(np.mean((given - base)[:, _shown(schema)] ** 2)))
                    figure, value = _figure(given, labels, schema, seed)
                    points[schema.name].append({"level": level, "figure": figure, **value, "change": change})
                advance(1)
            for schema in schemas:
                found[schema.name][name] = {"title": way.title, "amount": way.amount, "points": points[schema.name]}
    return found


def _answers(network: Model, pixels: np.ndarray, device: torch.device) -> dict[str, np.ndarray]:
    views = network.uncertainty.views if network.uncertainty else 1
    parts = [
        network.predict(torch.from_numpy(part).to(device), views)
        for part in np.array_split(pixels, -(-len(pixels) // BATCH))
    ]
    return {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}


def _figure(answers: np.ndarray, labels: pd.DataFrame, schema: Schema, seed: int) -> tuple[str, dict[str, Any]]:
    """The main figure of some answers: its name, and its value, interval and number of galaxies."""
    table = pd.DataFrame(answers, columns=list(schema.prediction_columns)).assign(id_str=labels["id_str"])
    kept, known, _ = join(table, labels, [schema], "disturbed galaxies")
    measures = measures_of(kept, known, schema, "disturbed galaxies")
    name, measure = _main(measures, schema)
    return name, estimate({name: measure}, len(kept), N_BOOTSTRAP, seed)[name]


def _shown(schema: Schema) -> slice:
    """The answers whose change stands beside the figure: all, or, of quantities with units of their own, the first."""
    return slice(0, 1) if isinstance(schema, QuantitySchema) else slice(None)


def _main(measures: dict[str, Any], schema: Schema) -> tuple[str, Measure]:
    if isinstance(schema, QuantitySchema):
        column = schema.columns[0]
        return f"{column} mae", measures["quantities"][column]["mae"]
    name = "accuracy" if isinstance(schema, ClassSchema) else "rmse"
    return name, measures["figures"][name]
