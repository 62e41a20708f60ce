"""Files as they were before they were compressed, recognised by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tuningfork.catalogs.bounds import most_bytes, refuse_inflated
from tuningfork.errors import CatalogError

OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")


@contextmanager
def decompressed(path: Path) -> Iterator[BinaryIO]:
    """A file, open for reading from any place; decompressed where it is compressed.

    Raises
    ------
    CatalogError
        If it is an archive of several files, or unpacks to far more than it is.
    """
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
        if opener is not None:
            with opener(file) as plain:
                _refuse_bomb(plain, path)
                yield plain
        elif start.startswith(b"\x28\xb5\x2f\xfd"):
            import pyarrow as pa

            plain = pa.CompressedInputStream(file, "zstd")
            whole = plain.read(most_bytes(path.stat().st_size) + 1)
            refuse_inflated(path, len(whole))
            yield io.BytesIO(whole)
        elif start.startswith(b"PK\x03\x04"):
            yield _member(file, path)
        else:
            yield file


def _refuse_bomb(plain: BinaryIO, path: Path) -> None:
    """Unpack it once, keeping nothing, to see how much it is."""
    unpacked, most = 0, most_bytes(path.stat().st_size)
    while unpacked <= most and (part := plain.read(1 << 20)):
        unpacked += len(part)
    refuse_inflated(path, unpacked)
    plain.seek(0)


def _member(file: BinaryIO, path: Path) -> BinaryIO:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        if any(name.startswith(("xl/", "content.xml")) for name in names):
            raise CatalogError(f"{path} is a spreadsheet, which is not read; save it as CSV")
        if len(names) != 1:
            raise CatalogError(f"{path} holds {len(names)} files; take out the one that is the table")
        refuse_inflated(path, archive.getinfo(names[0]).file_size)
        return io.BytesIO(archive.read(names[0]))
