"""Tables of galaxies: read, check, join labels, split, write."""

from tuningfork.catalogs.groups import joined_groups, sky_groups
from tuningfork.catalogs.ids import ID_NAMES, find_ids, id_text
from tuningfork.catalogs.labels import JoinReport, check_schemas, find_id_column, join_labels, refuse_duplicates
from tuningfork.catalogs.names import find_column, listed, with_names
from tuningfork.catalogs.select import matching
from tuningfork.catalogs.sky import find_position_columns, positions
from tuningfork.catalogs.splits import assign_splits, check_fractions, check_splits, parse_fractions
from tuningfork.catalogs.tables import TableLike, is_table, name_of, read_table, table_of
from tuningfork.catalogs.units import in_arcsec
from tuningfork.catalogs.write import (
    ABOUT,
    STORED,
    About,
    Fact,
    Origin,
    about,
    arrow_table,
    column,
    write_parts,
    write_table,
)

__all__ = [
    "ABOUT",
    "ID_NAMES",
    "STORED",
    "About",
    "Fact",
    "JoinReport",
    "Origin",
    "TableLike",
    "about",
    "arrow_table",
    "assign_splits",
    "check_fractions",
    "check_schemas",
    "check_splits",
    "column",
    "find_column",
    "find_id_column",
    "find_ids",
    "find_position_columns",
    "id_text",
    "in_arcsec",
    "is_table",
    "join_labels",
    "joined_groups",
    "listed",
    "matching",
    "name_of",
    "parse_fractions",
    "positions",
    "read_table",
    "refuse_duplicates",
    "sky_groups",
    "table_of",
    "with_names",
    "write_parts",
    "write_table",
]
