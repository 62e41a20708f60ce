"""Tables of galaxies: read, check, join labels, split, write."""

from tuningfork.catalogs.labels import JoinReport, check_schemas, find_id_column, join_labels, refuse_duplicates
from tuningfork.catalogs.select import matching
from tuningfork.catalogs.splits import assign_splits, check_splits, parse_fractions
from tuningfork.catalogs.tables import id_text, is_table, read_table
from tuningfork.catalogs.write import write_table

__all__ = [
    "JoinReport",
    "assign_splits",
    "check_schemas",
    "check_splits",
    "find_id_column",
    "id_text",
    "is_table",
    "join_labels",
    "matching",
    "parse_fractions",
    "read_table",
    "refuse_duplicates",
    "write_table",
]
