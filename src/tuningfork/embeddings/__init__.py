"""Embedding spaces: maps of the features, neighbours, how well classes keep together, the strangest galaxies."""

from tuningfork.embeddings.distances import neighbours, standardise
from tuningfork.embeddings.embedding import Embedding, is_embedding, read_embedding, write_embedding
from tuningfork.embeddings.maps import check_maps, make_maps
from tuningfork.embeddings.outliers import anomalies
from tuningfork.embeddings.purity import measure_purity
from tuningfork.embeddings.similarity import similar
from tuningfork.embeddings.summary import read_purity, summary_files, write_summary

__all__ = [
    "Embedding",
    "anomalies",
    "check_maps",
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
