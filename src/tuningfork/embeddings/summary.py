"""What is written beside an embedding: plots of its maps, and how well its classes keep together."""

from __future__ import annotations

from glob import escape
from pathlib import Path
from typing import Any

from tuningfork.embeddings.draw import maps_figure, mixing_figure
from tuningfork.embeddings.embedding import read_embedding
from tuningfork.embeddings.purity import N_BOOTSTRAP, measure_purity
from tuningfork.errors import EmbeddingError
from tuningfork.files import output_errors, read_json, sha256, stamp, write_json
from tuningfork.manifests import PurityManifest
from tuningfork.plotting.style import save, styled


def write_summary(path: Path, *, seed: int = 0, n_bootstrap: int = N_BOOTSTRAP) -> None:
    """Write, beside the embedding ``features.parquet``, what its maps and labels allow.

    ``features-maps.png``, or ``features-maps-<schema>.png`` for each schema its labels answer; for those with labels
    ``features-purity.json`` and ``features-mixing-<schema>-<split>.png``.
    """
    embedding = read_embedding(path)
    with output_errors(path):
        purity_file(path).unlink(missing_ok=True)
    with styled():
        if embedding.maps:
            for schema in embedding.schemas or (None,):
                name = f"maps-{schema.name}" if schema else "maps"
                save(maps_figure(embedding, schema), _beside(path, f"{name}.png"))
    if not embedding.schemas:
        return
    found = measure_purity(embedding, n_bootstrap=n_bootstrap, seed=seed)
    with styled():
        for name, result in found.items():
            for split, group in result["splits"].items():
                save(mixing_figure(group, result["classes"], split), _beside(path, f"mixing-{name}-{split}.png"))
    stamped = stamp(PurityManifest.FORMAT, PurityManifest.VERSION)
    content = {"seed": seed, "n_bootstrap": n_bootstrap, "schemas": found, "sha256": {path.name: sha256(path)}}
    write_json(purity_file(path), stamped | content)


def read_purity(path: Path) -> dict[str, Any] | None:
    """The purity that stands beside an embedding; None where there is none, or it speaks of another embedding."""
    file = purity_file(path)
    if not file.exists():
        return None
    try:
        manifest = PurityManifest.of(read_json(file, EmbeddingError), file)
    except EmbeddingError:
        return None
    return manifest.content if manifest.sha256 == {path.name: sha256(path)} else None


def summary_files(path: Path) -> list[Path]:
    """What lies beside an embedding, or where one is to be, under the names of `write_summary`."""
    plots = [each for kind in ("maps*.png", "mixing-*.png") for each in path.parent.glob(f"{escape(path.stem)}-{kind}")]
    return sorted([*plots, purity_file(path)])


def purity_file(path: Path) -> Path:
    """Where the purity of an embedding is written."""
    return _beside(path, "purity.json")


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}-{name}")
