"""One file a band, by a pattern with a place for the band: ``stamps/*_{band}.fits``."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Sequence

import pandas as pd

from tuningfork.errors import CatalogError
from tuningfork.sources.bands import KNOWN, MARK, without_band
from tuningfork.sources.files import FileSource, braced
from tuningfork.sources.names import ids_of_names, natural
from tuningfork.sources.source import Introduction


def source_of_pattern(pattern: str, bands: Sequence[str]) -> FileSource:
    """The galaxies that have a file of at least one band; where one is missing, its row will say so.

    Raises
    ------
    CatalogError
        If no bands are stated, or no file matches.
    """
    if not bands:
        raise CatalogError(f"{pattern}: say which bands {MARK} stands for with --bands, such as --bands g,r,z")
    galaxies = files_of_bands(pattern, bands)
    keys = natural(galaxies)
    files = [
        tuple((KNOWN.get(band, band), galaxies[key].get(band, key.replace(MARK, band))) for band in bands)
        for key in keys
    ]
    table = {"id_str": ids_of_names([without_band(key) for key in keys])}
    table["file_loc"] = [braced([name for _, name in row]) for row in files]
    short = sum(len(found) < len(bands) for found in galaxies.values())
    notes = (f"a file for each of {', '.join(bands)}", *((f"files are missing of {short}",) if short else ()))
    return FileSource(pd.DataFrame(table, dtype=object), pattern, Introduction("file names", notes), files)


def files_of_bands(pattern: str, bands: Sequence[str]) -> dict[str, dict[str, str]]:
    """The file of each band, by the name that the files of a galaxy or tile share, with `MARK` where the band is.

    Raises
    ------
    CatalogError
        If no file matches.
    """
    groups: dict[str, dict[str, str]] = {}
    for band in bands:
        for written in dict.fromkeys((band, band.swapcase())):
            found = _with_mark(pattern, written)
            for key, name in found.items():
                groups.setdefault(key, {})[band] = name
            if found:
                break
    if not groups:
        raise CatalogError(f"no file matches {pattern} with {' or '.join(bands)} for {MARK}")
    return groups


def _with_mark(pattern: str, band: str) -> dict[str, str]:
    """The files of a band, by their names with `MARK` where the pattern has it."""
    parts = [_regex(part) for part in pattern.split(MARK)]
    whole = re.compile("(" + f"){re.escape(band)}(".join(parts) + ")", re.DOTALL)
    found = {}
    for name in glob.glob(pattern.replace(MARK, glob.escape(band)), recursive=True):  # noqa: PTH207
        if os.path.isfile(name) and (match := whole.fullmatch(name)):  # noqa: PTH113
            found[MARK.join(match.groups())] = name
    return found


def _regex(part: str) -> str:
    """A piece of a glob pattern as a regular expression without groups."""
    return fnmatch.translate(part).removeprefix("(?s:").removesuffix(r")\Z").removesuffix(r")\z")
