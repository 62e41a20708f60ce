"""One image asked about."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.files import refuse_fault
from tuningfork.images.frame import BandFiles, Frame
from tuningfork.images.limit import refuse_large

# Without O_NONBLOCK (Windows has none) opening a pipe would wait for its other end.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)

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
        If the file is missing or unreadable, no regular file, or absurdly large.
    MachineError
        If it is not the file that is at fault.
    """
    try:
        file = os.open(path, _READ)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"cannot be read: it is {'a folder' if stat.S_ISDIR(status.st_mode) else 'no file'}")
            size = status.st_size
            refuse_large(size)
            data = os.read(file, size + 1)
            # A network may give less at once, or know late of a change; what is made as it is read has no size.
            while (len(data) != size or size == 0) and (more := os.read(file, 1 << 20)):
                data += more
                refuse_large(len(data))
        finally:
            os.close(file)
        return data
    except (OSError, MemoryError) as error:
        refuse_fault(error, path)
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except ValueError as error:  # a zero byte in the name
        raise ImageError(f"cannot be read: no name of a file ({error})") from error
