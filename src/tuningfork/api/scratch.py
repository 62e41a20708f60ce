"""Folders for results that nobody has named a place for; they go when the process ends."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path


@cache
def _root() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tuningfork-", ignore_cleanup_errors=True)


def scratch_folder() -> Path:
    """A new, empty folder."""
    return Path(tempfile.mkdtemp(dir=_root().name))
