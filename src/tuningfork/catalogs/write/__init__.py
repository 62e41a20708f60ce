"""Writing tables: CSV, Parquet, FITS table, VOTable, each with what its columns mean where it can hold that."""

from tuningfork.catalogs.write.columns import ABOUT, STORED, About, Fact, Origin, about, column
from tuningfork.catalogs.write.table import write_parts, write_table
from tuningfork.catalogs.write.types import arrow_table

__all__ = ["ABOUT", "STORED", "About", "Fact", "Origin", "about", "arrow_table", "column", "write_parts", "write_table"]
