"""One image asked about."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.frame import BandFiles, Frame

Payload = bytes | np.ndarray | BandFiles | Frame


@dataclass(frozen=True)
class Item:
    """One image asked about: its galaxy, where it is said to be, and how to get it (raises `ImageError`).

    `load` gives the bytes of a file of any format, or of one file a band, or pixels (H, W, C) uint8, or a frame that
    has been read already. `hdu` is the unit of a FITS file, where its location names one; `note` what its source
    has to say of it.
    """

    id_str: str
    file_loc: str
    load: Callable[[], Payload]
    hdu: str = ""
    note: str = ""

    @staticmethod
    def of_file(id_str: str, file_loc: str, path: str | Path) -> Item:
        """An item whose bytes are those of a file."""
        return Item(id_str, file_loc, partial(read_bytes, path))


def read_bytes(path: str | Path) -> bytes:
    """A file's bytes, by the fewest calls: at each one a thread that decodes may have to wait for its turn again.

    Raises
    ------
    ImageError
        If the file is missing or unreadable.
    """
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(file).st_size
            data = os.read(file, size + 1)
            # A network may give less at once, or know late of a change; what is made as it is read has no size.
            while (len(data) != size or size == 0) and (more := os.read(file, 1 << 20)):
                data += more
        finally:
            os.close(file)
        return data
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
