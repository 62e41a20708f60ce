"""How much a file may unpack to, by its size: what is checked before memory is taken.

Tables of galaxies pack by a factor of ten, and a row has an id of its own. A file that says it holds a thousand times
its size is damaged, or made to exhaust a machine.
"""

from __future__ import annotations

from pathlib import Path

from tuningfork.errors import CatalogError

RATIO = 40  # unpacked bytes for one
CELLS = 8  # values of a table for a byte of its file
SMALL = 128 << 20  # unpacked bytes that any file may have
FEW_CELLS = 1 << 24
FEW_ROWS = 1 << 20
PAGE = 1 << 8  # bytes of a file for each page of its columns
FEW_PAGES = 1 << 17


def most_bytes(size: int) -> int:
    """How many bytes a file of `size` bytes may unpack to."""
    return max(SMALL, RATIO * size)


def refuse_inflated(path: Path, unpacked: int, what: str = "it") -> None:
    """Raise a `CatalogError` where a file would unpack to far more than it is."""
    most = most_bytes(path.stat().st_size)
    if unpacked > most:
        raise CatalogError(
            f"{path}: {what} unpacks to more than {most >> 20} MiB, which is more than a file of its size may; "
            "if it is meant so, unpack it first"
        )


def most_pages(size: int) -> int:
    """How many pages the columns of a file of `size` bytes may have: the header of each is looked at."""
    return max(FEW_PAGES, size // PAGE)


def refuse_cells(path: Path, rows: int, columns: int, values: int = 0) -> None:
    """Raise a `CatalogError` where a table says that it has more rows or values than its file can hold.

    `values` is how many there are, where a row may hold lists.
    """
    size = path.stat().st_size
    most = max(FEW_CELLS, CELLS * size)
    if values > most:
        raise CatalogError(f"{path} says that it has {values:,} values in {size:,} bytes; if it is meant so, split it")
    if rows > max(FEW_ROWS, size) or rows * columns > most:
        raise CatalogError(
            f"{path} says that it has {rows:,} rows of {columns:,} columns in {size:,} bytes; "
            "if it is meant so, split it, or write it without compression"
        )
