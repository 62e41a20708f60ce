"""Embedding spaces: maps of the features, neighbours, how well classes keep together, the strangest galaxies."""

from tuningfork.spaces.anomalies import anomalies
from tuningfork.spaces.embedding import Embedding, is_embedding, read_embedding, write_embedding
from tuningfork.spaces.maps import check_maps, make_maps
from tuningfork.spaces.neighbours import neighbours, standardise
from tuningfork.spaces.purity import purity
from tuningfork.spaces.similar import similar
from tuningfork.spaces.summary import read_purity, write_summary

__all__ = [
    "Embedding",
    "anomalies",
    "check_maps",
    "is_embedding",
    "make_maps",
    "neighbours",
    "purity",
    "read_embedding",
    "read_purity",
    "similar",
    "standardise",
    "write_embedding",
    "write_summary",
]
