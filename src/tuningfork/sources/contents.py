"""What a file holds, seen from its first bytes, where its name does not tell."""

from __future__ import annotations

import bz2
import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tuningfork.catalogs.bounds import most_bytes

BLOCK = 2880
MOST_UNITS = 10_000
_CARD = re.compile(rb"([A-Z0-9_-]+) *= *('[^']*'|[^/ ]*)")
_OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open}


def is_image(path: Path) -> bool:
    """Whether a file begins as an image does that Pillow reads, or FITS."""
    from PIL import Image

    try:
        with path.open("rb") as file:
            if file.read(9) == b"SIMPLE  =":
                return True
        with Image.open(path):
            return True
    except (OSError, ValueError, SyntaxError):
        return False


def is_fits_table(path: str | Path) -> bool:
    """Whether a FITS file holds a table and no image.

    Seen from the headers: the data are passed over, and the file may be cut short.
    """
    tables = 0
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- text: there may be a million
            start = file.read(3)
        opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), open)
        with opener(path, "rb") as file:
            for _ in range(MOST_UNITS):
                cards = _header(file)
                if not cards or _is_image(cards):
                    return not cards and tables > 0
                tables += b"XTENSION" in cards
                after = file.tell() + _data_bytes(cards)
                if opener is not open and after > most_bytes(os.path.getsize(path)):  # noqa: PTH202
                    return tables > 0  # whoever reads it says that it unpacks to too much
                file.seek(after)
    except (OSError, EOFError, ValueError):
        return False
    return False


def _header(file: IO[bytes]) -> dict[bytes, bytes]:
    """The cards of the unit that begins here; none at the end of the file."""
    cards: dict[bytes, bytes] = {}
    while len(block := file.read(BLOCK)) == BLOCK:
        for at in range(0, BLOCK, 80):
            card = block[at : at + 80]
            if card.rstrip() == b"END":
                return cards
            if match := _CARD.match(card):
                cards.setdefault(match[1], match[2].strip(b"' "))
        if len(cards) > 100_000:
            break
    return cards if b"NAXIS" in cards else {}


def _axes(cards: dict[bytes, bytes]) -> list[int]:
    return [int(cards.get(b"NAXIS%d" % (axis + 1), b"0")) for axis in range(min(999, int(cards.get(b"NAXIS", b"0"))))]


def _is_image(cards: dict[bytes, bytes]) -> bool:
    if cards.get(b"XTENSION") == b"BINTABLE":
        return cards.get(b"ZIMAGE") == b"T"
    axes = _axes(cards)
    return cards.get(b"XTENSION") != b"TABLE" and sum(length > 1 for length in axes) > 1


def _data_bytes(cards: dict[bytes, bytes]) -> int:
    """The length of a unit's data, in whole blocks."""
    count = abs(int(cards.get(b"BITPIX", b"8"))) // 8 if _axes(cards) else 0
    for length in _axes(cards):
        count *= length
    count += abs(int(cards.get(b"PCOUNT", b"0"))) * abs(int(cards.get(b"BITPIX", b"8"))) // 8
    return -(-max(0, count) // BLOCK) * BLOCK
