"""What the name of a file tells: whether it is an image's, and the id of its galaxy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

FITS = (".fits", ".fit", ".fts", ".fz")
PICTURES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif", ".jp2"),
    *(".j2k", ".jpx", ".jpf", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".pcx", ".sgi", ".qoi", ".dds"),
)
COMPRESSED = (".gz", ".bz2", ".Z")  # of FITS; on their own too, where no other ending stands before


def image_ending(name: str) -> str:
    """The ending of an image's name, such as ``.fits.gz``; empty where it is none."""
    if match := _ENDING.search(name[-_LONGEST:]):
        return match[0]
    match = _COMPRESSED.search(name)
    return "" if match is None or match[1] else match[0]


def is_fits_name(name: str) -> bool:
    """Whether the ending of a name is one of FITS files."""
    ending = image_ending(name).lower()
    return bool(ending) and ending not in PICTURES


def without_ending(name: str) -> str:
    """A name without the ending of an image: ``J1.0.jpg`` is ``J1.0``, and so is ``J1.0``."""
    ending = image_ending(name)
    return name[: -len(ending)] if ending else name


def ids_of_names(names: Sequence[str]) -> list[str]:
    """The ids of images by the names of their files: without folders and ending, if that tells them apart.

    Else they are the paths below the folder that all have in common.
    """
    ids = [without_ending(name.rpartition("/")[2]) for name in names]
    if len(set(ids)) < len(ids):
        root = os.path.commonpath([os.path.dirname(name) for name in names])  # noqa: PTH120 -- there may be a million
        ids = [os.path.relpath(without_ending(name), root or ".") for name in names]
    return ids


def natural(files: Iterable[str]) -> list[str]:
    """In the order a person would list them: numbers in names count as numbers, so that 2.jpg comes before 10.jpg."""
    return sorted(files, key=natural_key)


def natural_key(name: str) -> list[tuple[int, str]]:
    """What names are sorted by."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _any(endings: Iterable[str]) -> str:
    return "|".join(re.escape(ending) for ending in endings)


_ENDING = re.compile(
    rf"(?:(?:{_any(FITS)})(?:{_any((*COMPRESSED, '.fz'))})?|{_any(PICTURES)})\Z", re.IGNORECASE | re.ASCII
)
_LONGEST = max(map(len, (*FITS, *PICTURES))) + max(map(len, COMPRESSED))  # characters of an ending
_COMPRESSED = re.compile(rf"(\.[A-Za-z][A-Za-z0-9]*)?(?:{_any(COMPRESSED)})\Z")
_DIGITS = re.compile(r"([0-9]+)")
