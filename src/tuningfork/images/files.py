"""Images that are files of their own, named by a table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.errors import ImageError
from tuningfork.images.item import Item


@dataclass
class FileSource:
    """Image files; row i of `table` (`id_str`, `file_loc` and a catalog's other columns) is item i."""

    table: pd.DataFrame
    origin: str
    base: Path = field(default_factory=Path)  # what a relative file_loc is relative to

    @property
    def n(self) -> int:
        """The number of images."""
        return len(self.table)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on."""
        rows = self.table[["id_str", "file_loc"]].iloc[start:]
        for identity, location in zip(rows["id_str"], rows["file_loc"], strict=True):
            if location:
                yield Item.of_file(identity, str(location), self._path(location))
            else:
                yield Item(identity, "", _unnamed)

    def part(self, start: int, stop: int) -> FileSource:
        """The images from `start` to `stop`."""
        return FileSource(self.table[["id_str", "file_loc"]].iloc[start:stop], self.origin, self.base.absolute())

    def describe(self) -> dict[str, Any]:
        """Where the files are, how many, and a fingerprint of each one's name, size and time of change."""
        digest = hashlib.sha256()
        for identity, location in zip(self.table["id_str"], self.table["file_loc"], strict=True):
            digest.update(
                f"{identity}\0{location}\0{file_stamp(self._path(location))}\n".encode(errors="surrogateescape")
            )
        return {"kind": "files", "origin": self.origin, "n": self.n, "fingerprint": digest.hexdigest()}

    def _path(self, location: object) -> str:
        return os.path.join(self.base, str(location))  # noqa: PTH118 -- text: there may be a million


def _unnamed() -> bytes:
    raise ImageError("the catalog names no file: its file_loc is empty")


def file_stamp(path: str | Path) -> str:
    """Size and time of change of a file: enough to tell whether it is still the same, at no cost of reading it."""
    try:
        status = os.stat(path)  # noqa: PTH116 -- a million of them
    except OSError:
        return "missing"
    return f"{status.st_size} bytes, changed {status.st_mtime_ns}"
