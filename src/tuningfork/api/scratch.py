"""Folders for results that nobody has named a place for; they go when the process ends."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path


@cache
def _root() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="tuningfork-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)  # left to the interpreter, it is a ResourceWarning
    return folder


def scratch_folder() -> Path:
    """A new, empty folder."""
    return Path(tempfile.mkdtemp(dir=_root().name))
