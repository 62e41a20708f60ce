"""A model's figures on a pack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuningfork.errors import PackError, SchemaError
from tuningfork.evaluation import Evaluation, evaluate_predictions
from tuningfork.inference.streaming import predict_pack
from tuningfork.models import read_manifest
from tuningfork.packs import Pack, open_pack
from tuningfork.schemas import schema_from_dict


def evaluate_model(
    model: str | Path,
    pack: str | Path | Pack,
    *,
    split: str = "test",
    where: Sequence[str] = (),
    seed: int = 0,
    n_bootstrap: int = 1000,
) -> Evaluation:
    """Predict for one split of a pack, and evaluate against its labels.

    Parameters
    ----------
    model
        A model folder, or the name of a bundled model.
    pack
        A pack, or its folder.
    split
        ``train``, ``val``, ``test`` or ``all``.
    where
        Narrows the split to rows that have these values, each written ``column=value`` or ``column=one|other``.
    seed, n_bootstrap
        Of the resamples behind the 95 % intervals.

    Raises
    ------
    ModelError, PackError
        If either can't be opened, the split is empty, or their geometries differ.
    SchemaError
        If the pack has labels for none of the schemas that the model answers.
    """
    manifest = read_manifest(model)
    if not isinstance(pack, Pack) and Path(pack).is_file():
        raise PackError(f"{pack} is no pack; a model is evaluated on one: make it with `tuningfork pack`")
    data = pack if isinstance(pack, Pack) else open_pack(pack)
    rows, chosen = data.rows(split, where), " and ".join([f"{split} split", *where])
    if len(rows) == 0:
        raise PackError(f"{data.path} has no galaxies in its {chosen}")
    held = {schema.name: schema for schema in data.schemas}  # they know most of the labels
    answered = [schema_from_dict(head["schema"], "model.json") for head in manifest["heads"]]
    answered = [held.get(schema.name, schema) for schema in answered]
    schemas = [schema for schema in answered if set(schema.columns) & set(data.catalog.columns)]
    if not schemas:
        names = ", ".join(schema.name for schema in answered)
        raise SchemaError(f"{data.path} has no labels for what the model answers ({names}); pack again with --schema")
    inputs = {"model": manifest["sha256"], "pack": data.manifest["sha256"], "split": split, "rows": list(where)}
    predictions = predict_pack(model, data, rows)
    labels = data.catalog.iloc[rows].reset_index(drop=True)
    evaluation = evaluate_predictions(
        predictions,
        labels,
        schemas,
        origin=f"{chosen} of {data.path.name}",
        inputs=inputs,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    row_of = dict(zip(labels["id_str"], rows, strict=True))
    return Evaluation(
        evaluation, predictions, labels, tuple(schemas), pixels=lambda id_str: data.pixels[row_of[id_str]]
    )
