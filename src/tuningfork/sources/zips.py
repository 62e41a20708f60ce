"""Zip files: an index of their members, and the bytes of one."""

from __future__ import annotations

import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

from tuningfork.errors import CatalogError, ImageError
from tuningfork.files import refuse_fault
from tuningfork.images.limit import refuse_large
from tuningfork.sources.files import file_stamp
from tuningfork.sources.members import Index

ENDINGS = (".zip",)
DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)


def index(path: Path) -> Index:
    """The members of a zip file.

    Raises
    ------
    CatalogError
        If it is no zip file or cut short.
    """
    found = Index()
    try:
        archive = _opened(path, file_stamp(path))
        for number, member in enumerate(archive.infolist()):
            if member.filename[-1:] != "/" and found.add(member.filename, number, member.file_size):
                with archive.open(member) as file:
                    found.tell(member.filename, file.read(member.file_size))
    except DAMAGE as error:
        raise CatalogError(f"{path} is not a whole zip file ({error}); get it again") from error
    return found


def read(path: Path, position: int, size: int) -> bytes:
    """The bytes of a member, by its number.

    Raises
    ------
    ImageError
        If it is damaged or encrypted, or absurdly large.
    """
    refuse_large(size)
    try:
        archive = _opened(path, file_stamp(path))
        with archive.open(archive.infolist()[position]) as file:
            return file.read(size)
    except (*DAMAGE, IndexError) as error:
        refuse_fault(error, path)
        raise ImageError(f"damaged in the zip file ({error})") from error


@lru_cache(maxsize=4)
def _opened(path: Path, stamp: str) -> zipfile.ZipFile:
    """An open zip file: reading its index anew for each image would take longer than the image."""
    return zipfile.ZipFile(path)
