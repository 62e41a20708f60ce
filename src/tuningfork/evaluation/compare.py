"""Evaluate a predictions file made by any program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tuningfork.catalogs import find_column, matching, read_table
from tuningfork.errors import PredictionsError, SchemaError
from tuningfork.evaluation.evaluate import N_BOOTSTRAP, evaluate_predictions
from tuningfork.evaluation.place import PLOTS, Place
from tuningfork.evaluation.write import write_evaluation
from tuningfork.files import read_json, sha256
from tuningfork.jobs import fingerprint
from tuningfork.manifests import EvaluationManifest
from tuningfork.plotting.style import check_format
from tuningfork.schemas import ClassSchema, Schema, load_schema, schema_from_dict, schema_to_dict


def evaluate_file(
    predictions: str | Path,
    labels: str | Path,
    out: str | Path,
    *,
    split: str = "test",
    where: Sequence[str] = (),
    schemas: Sequence[str | Path] = (),
    seed: int = 0,
    n_bootstrap: int = N_BOOTSTRAP,
    plots: str = "png",
    overwrite: bool = False,
) -> Path:
    """Evaluate a predictions table against the labels of a pack or a catalog; write the evaluation to the folder `out`.

    Parameters
    ----------
    predictions : str or path
        A table: .parquet, .csv, .fits, .vot.
    labels : str or path
        A pack (folder) or a catalog (table).
    out : str or path
        The folder to write; made if need be. Where it holds this evaluation already, nothing is done.
    split : str
        The rows of the labels that count, or ``all``; a catalog without a column `split` counts whole.
    where : sequence of str
        Of these the rows that have these values, each written ``column=value``.
    schemas : sequence of str or path
        Names of schemas, or TOML files. A pack knows its own: by default those that the predictions answer.
    seed, n_bootstrap : int
        Of the resamples behind the intervals.
    plots : {'png', 'pdf', 'svg'}
        Plots are PNG, which pages show; as PDF or SVG, for a paper, they lie beside it.
    overwrite : bool
        Replace another evaluation that is in `out`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    CatalogError
        If a table can't be read.
    SchemaError
        If no schema is named for a catalog, one is unknown, or labels don't obey theirs.
    PredictionsError
        If the split is empty, or as `evaluate_predictions` says.
    OutputError
        If `out` can't be written, or holds another evaluation and `overwrite` is not set; if `plots` is none of these.
    """
    check_format(plots)
    predictions, labels, out = Path(predictions), Path(labels), Path(out)
    given = read_table(predictions)
    table, known = _labels(labels)
    chosen = _choose(schemas, known, given, predictions, labels)
    rows = _of_split(table, split, labels)
    rows = rows[matching(rows, where, str(labels))]
    if rows.empty:
        raise PredictionsError(f"no row of {labels} has {' and '.join(where)}")
    origin = ", ".join([f"{predictions.name} on {labels.name}", *[f"{split} split"] * ("split" in table), *where])
    inputs = {
        "predictions": {"name": predictions.name, "sha256": sha256(predictions)},
        "labels": {"name": labels.name, "sha256": sha256(labels / "catalog.parquet" if labels.is_dir() else labels)},
        "schemas": {schema.name: fingerprint(schema_to_dict(schema)) for schema in chosen},
        "split": split if "split" in table else None,
        "rows": list(where),
    }
    asked = {"where": origin, "inputs": inputs, "seed": seed, "n_bootstrap": n_bootstrap}
    asked |= {PLOTS: plots}
    if Place(EvaluationManifest, out, asked, overwrite).finished():
        return out
    evaluation = evaluate_predictions(
        given, rows, chosen, origin=origin, inputs=inputs, n_bootstrap=n_bootstrap, seed=seed
    )
    return write_evaluation(out, evaluation, given, rows, chosen, plots=plots, overwrite=overwrite)


def _labels(path: Path) -> tuple[pd.DataFrame, tuple[Schema, ...]]:
    """The labels, and the schemas that are known with them (those of a pack; none of a table)."""
    if not path.is_dir():
        return read_table(path), ()
    manifest = path / "pack.json"
    if not manifest.exists():
        raise PredictionsError(f"{path} holds no pack.json: give a finished pack, or a catalog (.csv, .parquet, ...)")
    described = read_json(manifest, PredictionsError).get("schemas", [])
    return read_table(path / "catalog.parquet"), tuple(schema_from_dict(entry, str(manifest)) for entry in described)


def _choose(
    asked: Sequence[str | Path], known: tuple[Schema, ...], predictions: pd.DataFrame, given: Path, labels: Path
) -> list[Schema]:
    by_name = {schema.name: schema for schema in known}
    if asked:
        return [by_name.get(str(name)) or load_schema(name) for name in asked]
    if not known:
        raise SchemaError(f"{labels} does not say what its labels are; name their schema with --schema")
    answered = [schema for schema in known if _answers(predictions, schema)]
    if not answered:
        names = ", ".join(by_name)
        raise PredictionsError(f"{given} has no column of what {labels} has labels for ({names}); name a --schema")
    return answered


def _answers(predictions: pd.DataFrame, schema: Schema) -> bool:
    columns = {*schema.prediction_columns, *schema.published_columns}
    columns |= {schema.label_column} if isinstance(schema, ClassSchema) else set()
    return any(find_column(predictions, [column]) is not None for column in columns)


def _of_split(table: pd.DataFrame, split: str, labels: Path) -> pd.DataFrame:
    if "split" not in table or split == "all":
        return table
    rows = table[table["split"] == split]
    if rows.empty:
        there = ", ".join(sorted(table["split"].dropna().astype(str).unique()))
        raise PredictionsError(f"{labels} has no galaxy in its {split!r} split; it has: {there}")
    return rows.reset_index(drop=True)
