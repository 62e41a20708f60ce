"""What a source of images is, and what is said of it before any work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from tuningfork.errors import OutputError
from tuningfork.images.item import Item
from tuningfork.images.notes import counted


@dataclass(frozen=True)
class Introduction:
    """What a user should know of a source.

    Parameters
    ----------
    ids
        Where the ids come from, in the plural: ``file names``, ``the column objid``.
    notes
        What was assumed of the names.
    left_out
        What was skipped, with numbers: ``3 files of other kinds (.txt)``.
    """

    ids: str
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Source(Protocol):
    """Images to be read in order; row i of `table` (id_str, file_loc and the catalog's other columns) is item i.

    The index of `table` says where each row stands in the order asked.
    """

    table: pd.DataFrame
    origin: str
    introduction: Introduction

    @property
    def n(self) -> int:
        """The number of images."""

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on, in constant memory."""

    def part(self, start: int, stop: int) -> Source:
        """The images from `start` to `stop` alone, small enough to be sent to another process or machine.

        Raises
        ------
        CatalogError
            If they can't be read apart from the others.
        """

    def describe(self) -> dict[str, Any]:
        """What a manifest keeps of the source; it changes when a file of it does."""

    def files(self) -> Iterable[Path]:
        """The files that it is read from."""


def introduce(source: Source) -> str:
    """In one line, how many images there are, where the ids come from, what was assumed and what left out."""
    first = source.table["id_str"].iloc[int(source.table.index.argmin())]
    parts = [f"{counted(source.n)} in {source.origin}", f"ids are {source.introduction.ids}, the first {first}"]
    parts += source.introduction.notes
    if source.introduction.left_out:
        parts.append(f"left out: {', '.join(source.introduction.left_out)}")
    return "; ".join(parts)


def refuse_output(files: Iterable[Path], out: Path) -> None:
    """Raise an `OutputError` where to write `out` would destroy one of the files that images are read from."""
    if out.exists() and any(path.exists() and path.samefile(out) for path in files):
        raise OutputError(f"{out} is what the images are read from; choose another name for the output")
