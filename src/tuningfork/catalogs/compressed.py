"""Files as they were before they were compressed, recognised by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tuningfork.errors import CatalogError

ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")


@contextmanager
def decompressed(path: Path) -> Iterator[BinaryIO]:
    """A file, open for reading from any place; decompressed where it is compressed.

    Raises
    ------
    CatalogError
        If it is an archive of several files.
    """
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(file) as plain:
                yield plain  # type: ignore[misc]
        elif start.startswith(b"BZh"):
            with bz2.open(file) as plain:
                yield plain  # type: ignore[misc]
        elif start == b"\xfd7zXZ\x00":
            with lzma.open(file) as plain:
                yield plain  # type: ignore[misc]
        elif start.startswith(b"\x28\xb5\x2f\xfd"):
            import pyarrow as pa

            yield io.BytesIO(pa.CompressedInputStream(file, "zstd").read())
        elif start.startswith(b"PK\x03\x04"):
            yield _member(file, path)
        else:
            yield file


def _member(file: BinaryIO, path: Path) -> BinaryIO:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        if any(name.startswith(("xl/", "content.xml")) for name in names):
            raise CatalogError(f"{path} is a spreadsheet, which is not read; save it as CSV")
        if len(names) != 1:
            raise CatalogError(f"{path} holds {len(names)} files; take out the one that is the table")
        return io.BytesIO(archive.read(names[0]))
