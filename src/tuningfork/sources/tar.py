"""Tar files: an index of their members, and the bytes of one."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import ReadError
from typing import IO, Self

from tuningfork.errors import CatalogError, ImageError
from tuningfork.files import refuse_fault
from tuningfork.images.limit import LARGEST_FILE, refuse_large
from tuningfork.sources.members import Index

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ENDINGS = (".tar", *COMPRESSED)
DAMAGED = (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError, tarfile.EmptyHeaderError)  # type: ignore[attr-defined]


def index(path: Path) -> Index:
    """The members of a tar file, each by its header; links and devices are passed by.

    Raises
    ------
    CatalogError
        If it is no tar file, damaged or cut short.
    """
    found = Index()
    with _open(path) as archive:
        for member in _members(archive):
            if member.isdir():
                continue
            if not member.isreg() or member.sparse is not None:
                found.passed["member that is no plain file"] += 1
            elif found.add(member.name, member.offset_data, member.size):
                found.tell(member.name, _bytes(archive, member))
    return found


def read(path: Path, position: int, size: int) -> bytes:
    """The bytes of a member of a tar file that is not compressed.

    Raises
    ------
    ImageError
        If they can't be read, or are absurdly many.
    """
    refuse_large(size)
    try:
        with path.open("rb") as file:
            file.seek(position)
            data = file.read(size)
    except OSError as error:
        refuse_fault(error, path)
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    if len(data) < size:
        raise ImageError("cannot be read: the tar file has become shorter")
    return data


def stream(path: Path, positions: Iterator[int]) -> Iterator[bytes | None]:
    """The bytes of members at ascending positions, read through once; None for one that is absurdly large."""
    wanted = next(positions, None)
    with _open(path) as archive:
        for member in _members(archive):
            if wanted is None:
                return
            if member.isreg() and member.offset_data == wanted:
                yield _bytes(archive, member) if member.size <= LARGEST_FILE else None
                wanted = next(positions, None)


class _Strict(tarfile.TarInfo):
    """A member whose header must be whole: Python takes a damaged one, or none, for the end of the file."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except DAMAGED as error:
            raise ReadError(str(error)) from error


@contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar file; whatever goes wrong in reading it is a `CatalogError` that names it."""
    try:
        with tarfile.open(path, "r|*" if path.name.lower().endswith(COMPRESSED) else "r:", tarinfo=_Strict) as archive:
            yield archive
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise CatalogError(f"{path} is not a whole tar file ({error}); get it again") from error


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members one at a time, none kept: they would fill the memory."""
    while (member := archive.next()) is not None:
        yield member
        archive.members = []  # type: ignore[attr-defined]


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file: IO[bytes] | None = archive.extractfile(member)  # into memory, never to the disk
    return file.read() if file else b""
