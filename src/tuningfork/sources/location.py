"""From what a catalogue says of a file to its bytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from tuningfork.errors import ImageError
from tuningfork.images.item import read_bytes
from tuningfork.sources.names import is_fits_name

REMOTE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://")
UNIT = re.compile(r"(?P<file>.+)\[(?P<unit>[^\[\]]*)\]\Z")


def is_remote(location: str) -> bool:
    """Whether a location is an address rather than a path."""
    return REMOTE.match(location) is not None


def split_unit(location: str) -> tuple[str, str]:
    """``file.fits[SCI]`` as the file and its unit; the unit is empty where none is named."""
    match = UNIT.fullmatch(location)
    return (match["file"], match["unit"]) if match and is_fits_name(match["file"]) else (location, "")


def find(location: str, bases: Sequence[str]) -> str:
    """The path of the first file there is; where there is none, the first that it could have.

    `bases` are the folders that a relative path may be relative to.
    """
    places = list(_places(location, bases))
    if len(places) == 1:
        return places[0]
    return next((path for path in places if os.path.exists(path)), places[0] if places else "")  # noqa: PTH110 -- there may be a million


def read(location: str, bases: Sequence[str]) -> bytes:
    """The bytes of a file.

    Raises
    ------
    ImageError
        If it is missing, unreadable or elsewhere; what was tried is said.
    """
    if is_remote(location):
        raise ImageError("it is a remote address, and only files are read; download it and name the file")
    tried = list(_places(location, bases))
    for path in tried[:-1]:
        if os.path.exists(path):  # noqa: PTH110
            return read_bytes(path)
    try:
        return read_bytes(tried[-1])
    except ImageError as error:
        if len(tried) == 1:
            raise
        raise ImageError(f"{error}; tried {' and '.join(tried)}") from error


def _places(location: str, bases: Sequence[str]) -> Iterator[str]:
    """Where a file may be, the likeliest place first."""
    name = os.path.expanduser(location.removeprefix("file://"))  # noqa: PTH111
    for text in (name, name.replace("\\", "/")) if "\\" in name else (name,):
        for base in bases if not os.path.isabs(text) else ("",):  # noqa: PTH117
            yield os.path.join(base, text)  # noqa: PTH118
