"""What is written beside an embedding: plots of its maps, and how well its classes keep together."""

from __future__ import annotations

from glob import escape
from pathlib import Path
from typing import Any

from tuningfork.embeddings.draw import Colours, by_class, by_prediction, maps_figure, mixing_figure
from tuningfork.embeddings.embedding import Embedding, read_embedding
from tuningfork.embeddings.purity import N_BOOTSTRAP, measure_purity
from tuningfork.errors import EmbeddingError
from tuningfork.files import output_errors, read_json, sha256, stamp, write_json
from tuningfork.manifests import PurityManifest
from tuningfork.plotting.style import FORMATS, save, styled


def write_summary(path: Path, *, seed: int = 0, n_bootstrap: int = N_BOOTSTRAP, plots: str = "png") -> None:
    """Write, beside the embedding ``features.parquet``, what its maps and labels allow.

    ``features-maps.png``, by density; ``features-maps-<schema>.png`` for each schema its labels answer, and
    ``features-maps-predicted-<schema>.png`` for each the model does; for those with labels ``features-purity.json`` and
    ``features-mixing-<schema>-<split>.png``. `plots` may ask for ``pdf`` or ``svg`` beside PNG.
    """
    embedding = read_embedding(path)
    with output_errors(path):
        purity_file(path).unlink(missing_ok=True)
    files = [path.name]
    with styled():
        for name, colours in colourings(embedding).items() if embedding.maps else ():
            files += save(maps_figure(embedding, colours), _beside(path, f"{name}.png"), plots)
    if not embedding.schemas:
        return
    found = measure_purity(embedding, n_bootstrap=n_bootstrap, seed=seed)
    with styled():
        for name, result in found.items():
            for split, group in result["splits"].items():
                drawn = mixing_figure(group, result["classes"], split)
                files += save(drawn, _beside(path, f"mixing-{name}-{split}.png"), plots)
    stamped = stamp(PurityManifest.FORMAT, PurityManifest.VERSION)
    hashes = {name: sha256(path.with_name(name)) for name in files}
    content = {"seed": seed, "n_bootstrap": n_bootstrap, "schemas": found, "sha256": hashes}
    write_json(purity_file(path), stamped | content)


def colourings(embedding: Embedding) -> dict[str, Colours | None]:
    """What its maps are coloured by, by the ends of the plots' names: density, known classes, and predictions."""
    known = {f"maps-{schema.name}": by_class(embedding, schema) for schema in embedding.schemas}
    predicted = {
        f"maps-{column.replace('_', '-', 1)}": by_prediction(embedding, column) for column in embedding.predicted
    }
    return {"maps": None} | known | predicted


def read_purity(path: Path) -> dict[str, Any] | None:
    """The purity that stands beside an embedding; None where there is none, or it speaks of another embedding."""
    file = purity_file(path)
    if not file.exists():
        return None
    try:
        manifest = PurityManifest.of(read_json(file, EmbeddingError), file)
    except EmbeddingError:
        return None
    return manifest.content if manifest.sha256.get(path.name) == sha256(path) else None


def summary_files(path: Path) -> list[Path]:
    """What lies beside an embedding, or where one is to be, under the names of `write_summary`."""
    kinds = [f"{kind}.{ending}" for kind in ("maps*", "mixing-*") for ending in FORMATS]
    plots = [each for kind in kinds for each in path.parent.glob(f"{escape(path.stem)}-{kind}")]
    return sorted([*plots, purity_file(path)])


def purity_file(path: Path) -> Path:
    """Where the purity of an embedding is written."""
    return _beside(path, "purity.json")


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}-{name}")
