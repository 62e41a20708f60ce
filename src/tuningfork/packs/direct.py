"""Writing a large file past the system's cache.

A system keeps what is written in memory, in case it is read again. That memory must be got and filled with zeros first,
which on a virtual machine can take as long as decoding the images, and it is taken from files that are in use. A disk
takes whole blocks, from memory that begins on a page.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BLOCK = 4096  # bytes; whole blocks of nearly any disk
DIRECT = getattr(os, "O_DIRECT", 0) if fcntl else 0  # macOS and Windows have none: rows go through their caches


class DirectFile:
    """A file, which exists, whose rows are written one lot after another, each on the disk before the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks = mmap.mmap(-1, BLOCK)

    def write(self, rows: Sequence[np.ndarray], start: int) -> np.ndarray:
        """Write arrays of one shape after the first `start` bytes, in place of what is there.

        What the file holds beyond them is anything, and to be cut off in the end.

        Returns
        -------
        np.ndarray
            Their bytes, until the next call.

        Raises
        ------
        OSError
            If there is no room on the disk, say, or fewer than `start` bytes are there.
        """
        if not DIRECT:
            return self._write_plainly(rows, start)
        before, length = start % BLOCK, sum(row.nbytes for row in rows)
        whole = -(-(before + length) // BLOCK) * BLOCK
        if len(self._blocks) < whole:
            self._blocks = mmap.mmap(-1, whole)
        blocks = memoryview(self._blocks)[:whole]
        bytes_of_rows = np.frombuffer(blocks, np.uint8)[before : before + length]
        file = os.open(self.path, os.O_RDWR)
        try:
            with suppress(OSError):
                fcntl.fcntl(file, fcntl.F_SETFL, DIRECT)
            if before and _either_way(file, partial(os.preadv, file, [blocks[:BLOCK]], start - before)) < before:
                raise OSError(errno.EIO, "it is shorter than what was written")
            np.stack(rows, out=bytes_of_rows.reshape(len(rows), *rows[0].shape))
            done = 0
            while done < whole:
                done += _either_way(file, partial(os.pwrite, file, blocks[done:], start - before + done))
            os.fsync(file)
        finally:
            os.close(file)
        return bytes_of_rows

    def _write_plainly(self, rows: Sequence[np.ndarray], start: int) -> np.ndarray:
        """As `write`, where a system has no way past its cache."""
        with self.path.open("r+b") as file:
            if file.seek(0, os.SEEK_END) < start:
                raise OSError(errno.EIO, "it is shorter than what was written")
            file.seek(start)
            written = np.stack(rows)
            file.write(written.data)
            file.flush()
            os.fsync(file.fileno())
        return written.reshape(-1).view(np.uint8)


def _either_way(file: int, move: Callable[[], int]) -> int:
    """How many bytes were moved: through the cache where the file system will not do without, or not this piece."""
    try:
        return move()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fcntl.fcntl(file, fcntl.F_SETFL, 0)
        return move()
