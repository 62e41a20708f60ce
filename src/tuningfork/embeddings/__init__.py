"""Embedding spaces: maps of the features, neighbours, how well classes keep together, the strangest galaxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuningfork.lazy import import_when_asked

if TYPE_CHECKING:
    from tuningfork.embeddings.distances import neighbours, standardise
    from tuningfork.embeddings.embedding import (
        Embedding,
        embedding_manifest,
        feature_array,
        is_embedding,
        read_embedding,
        write_embedding,
    )
    from tuningfork.embeddings.maps import check_maps, make_maps
    from tuningfork.embeddings.outliers import anomalies
    from tuningfork.embeddings.purity import measure_purity
    from tuningfork.embeddings.similarity import similar
    from tuningfork.embeddings.summary import read_purity, summary_files, write_summary

_HOMES = {
    "Embedding": "embedding",
    "anomalies": "outliers",
    "check_maps": "maps",
    "embedding_manifest": "embedding",
    "feature_array": "embedding",
    "is_embedding": "embedding",
    "make_maps": "maps",
    "measure_purity": "purity",
    "neighbours": "distances",
    "read_embedding": "embedding",
    "read_purity": "summary",
    "similar": "similarity",
    "standardise": "distances",
    "summary_files": "summary",
    "write_embedding": "embedding",
    "write_summary": "summary",
}

__all__ = [
    "Embedding",
    "anomalies",
    "check_maps",
    "embedding_manifest",
    "feature_array",
    "is_embedding",
    "make_maps",
    "measure_purity",
    "neighbours",
    "read_embedding",
    "read_purity",
    "similar",
    "standardise",
    "summary_files",
    "write_embedding",
    "write_summary",
]

import_when_asked(__name__, _HOMES)
