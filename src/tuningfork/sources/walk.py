"""All the files below a folder, links followed once, and what was passed by."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tuningfork.sources.contents import is_fits_table
from tuningfork.sources.names import image_ending, is_fits_name

MANIFESTS = (
    *("pack.json", "model.json", "evaluation.json", "explanation.json", "robustness.json", "study.json", "export.json"),
    "simulation.json",
)


@dataclass
class Walk:
    """The files below a folder: images, and others by their ending; `passed` counts what was not looked at, by kind."""

    images: list[str] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def of(self, *endings: str) -> list[str]:
        """The other files with these endings."""
        return [name for ending in endings for name in self.others.get(ending, ())]

    def add(self, path: str) -> None:
        """Take up a file by its ending."""
        if image_ending(path) and not (is_fits_name(path) and is_fits_table(path)):
            self.images.append(path)
        else:
            self.others.setdefault(ending(path), []).append(path)


def ending(path: str) -> str:
    """The ending of a name in lower case; of what is compressed, both."""
    stem, last = os.path.splitext(os.path.basename(path).lower())  # noqa: PTH119, PTH122
    return os.path.splitext(stem)[1] + last if last in (".gz", ".bz2", ".z", ".xz") else last  # noqa: PTH122


def walk(folder: Path) -> Walk:
    """Look through a folder and those below it, hidden ones left out.

    Links to folders and files are followed after all that is no link, and nothing is taken twice. A folder that this
    software made (its manifest is in it) holds plots, no galaxies.
    """
    found, folders = Walk(), [(str(folder), False)]
    links: list[str] = []
    linked_files: set[str] = set()
    seen: set[tuple[int, int]] = set()
    above = {_identity(parent) for parent in folder.resolve().parents}
    while folders or links:
        path, linked = folders.pop() if folders else (links.pop(0), True)
        if linked and not os.path.isdir(path):  # noqa: PTH112
            found.add(path)
            linked_files.add(path)
            continue
        identity = _identity(path)
        if identity in seen or identity in above:
            found.passed["link to a folder that is looked through already"] += 1
            continue
        seen.add(identity)
        for entry in _entries(path, found, top=path == str(folder)):
            if entry.is_symlink():
                links.append(entry.path)
            elif entry.is_dir():
                folders.append((entry.path, linked))
            else:
                found.add(entry.path)
    _drop_repeated(found, linked_files)
    return found


def drop_plots(found: Walk) -> None:
    """Pass by sheets of ``--look``, and the plots of `embed` beside its Parquet file, which have its name and more."""
    sheets = {name for name in found.images if name.endswith("-look.png") and _is_sheet(name)}
    if sheets:
        found.images = [name for name in found.images if name not in sheets]
        found.passed["sheet of --look"] += len(sheets)
    for table in found.of(".parquet"):
        stem = table.removesuffix(".parquet") + "-"
        plots = {name for name in found.images if name.startswith(stem) and name.endswith(".png")}
        if plots and _is_ours(table):
            found.images = [name for name in found.images if name not in plots]
            found.passed["plot of an embedding"] += len(plots)


def _is_sheet(path: str) -> bool:
    """Whether this software made a PNG, as a note at its beginning says."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return b"Software\0tuningfork " in file.read(256)
    except OSError:
        return False


def _is_ours(path: str) -> bool:
    """Whether a Parquet file is an embedding, as its metadata say."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return any(b"tuningfork-embedding" in value for value in (pq.read_schema(path).metadata or {}).values())
    except (OSError, pa.ArrowException):
        return False


def _entries(path: str, found: Walk, *, top: bool) -> Iterator[os.DirEntry[str]]:
    """What is in a folder; it is noted where it can't be read, and what is hidden is counted."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        found.unreadable.append(f"{path}: {error.strerror}")
        return
    if not top and any(entry.name in MANIFESTS for entry in entries):
        found.passed["folder that tuningfork made"] += 1
        return
    for entry in entries:
        if entry.name.startswith("."):
            found.passed["hidden folder" if entry.is_dir() else "hidden file"] += 1
        else:
            yield entry


def _drop_repeated(found: Walk, links: set[str]) -> None:
    """Take a file that links lead to once, under its own name where that is below the folder."""
    linked = [path for path in found.images if path in links]
    if not linked:
        return
    seen = {os.path.realpath(path) for path in found.images if path not in links}
    repeated = set()
    for path in linked:
        real = os.path.realpath(path)
        if real in seen:
            repeated.add(path)
        seen.add(real)
    found.images = [path for path in found.images if path not in repeated]
    if repeated:
        found.passed["link to an image that is there already"] += len(repeated)


def _identity(path: str | Path) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return (-1, hash(str(path)))
    return status.st_dev, status.st_ino
