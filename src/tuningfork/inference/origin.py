"""What made a table of predictions: the model, the images, and how they were read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from tuningfork.catalogs import Fact, Origin
from tuningfork.files import sha256, stamp
from tuningfork.models import Model, model_folder, read_manifest
from tuningfork.packs import ImageSource, PackSource
from tuningfork.schemas import schema_to_dict

FORMAT = "tuningfork-predictions"
VERSION = 1


def predictions_origin(
    model: str | Path, network: Model, source: ImageSource | PackSource, views: int, engine: str | Path
) -> Origin:
    """All of it as Parquet keeps it, and the main facts for FITS and VOTable.

    `views` and `engine` are those the predictions are made with.
    """
    manifest: dict[str, Any] = stamp(FORMAT, VERSION) | {
        "n": source.n,
        "inputs": {"images": source.origin(), "model": model_origin(model)},
        "geometry": network.spec.geometry.as_dict(),
        "reading": asdict(source.reading) if isinstance(source, ImageSource) else None,
        "views": views,
        "engine": str(engine),
        "calibrated": network.uncertainty is not None,
        "schemas": [schema_to_dict(schema) for schema in network.schemas],
    }
    return Origin(manifest, _facts(manifest))


def model_origin(model: str | Path) -> dict[str, Any]:
    """A model's name and the hashes of its files."""
    manifest = model_folder(model) / "model.json"
    return {"name": str(model), "manifest": sha256(manifest), "sha256": read_manifest(model)["sha256"]}


def _facts(manifest: dict[str, Any]) -> tuple[Fact, ...]:
    images, model = manifest["inputs"]["images"], manifest["inputs"]["model"]
    return (
        Fact("format", "TFFORMAT", f"{FORMAT} {VERSION}", "What this table is"),
        Fact("made_by", "TFVERS", manifest["made_by"], "The software that made it"),
        Fact("created", "DATE", manifest["created"].removesuffix("+00:00"), "When, UTC"),
        Fact("model", "TFMODEL", model["name"], "The model that answered"),
        Fact("model_sha256", "TFHASH", model["manifest"], "SHA-256 of its model.json"),
        Fact("views", "TFVIEWS", str(manifest["views"]), "Views averaged over"),
        Fact("engine", "TFENGINE", manifest["engine"], "What ran the networks"),
        Fact("images", "TFIMAGES", images["origin"], "Where the images were"),
    )
