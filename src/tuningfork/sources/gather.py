"""From the files of a folder or a glob to galaxies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from tuningfork.errors import CatalogError
from tuningfork.sources.bands import MARK, group_by_band, without_band
from tuningfork.sources.companions import without_companions
from tuningfork.sources.files import Bands, FileSource, braced
from tuningfork.sources.layout import folder_columns
from tuningfork.sources.names import ids_of_names, image_ending, is_fits_name, natural_key, without_ending
from tuningfork.sources.source import Introduction
from tuningfork.sources.walk import Walk

LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")


@dataclass
class Galaxies:
    """Galaxies by the names they have without band and ending, their files, and what there is to say of these."""

    names: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    bands: list[Bands] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def source_of_files(found: Walk, origin: str, root: str, bands: Sequence[str] = ()) -> FileSource:
    """The galaxies whose image files were found.

    Parameters
    ----------
    root
        The folder whose subfolders may be classes and splits.
    bands
        Those that are wanted of galaxies of one file a band; all unless given.

    Raises
    ------
    CatalogError
        If two files would have the same id, or a name is no text.
    """
    _refuse_bytes(found.images, origin)
    galaxies = gather(found.images, bands)
    ids = ids_of_names(galaxies.names)
    table = pd.DataFrame({"id_str": ids, "file_loc": galaxies.files}, dtype=object)
    columns, said = folder_columns(_folders_below(galaxies.names, root or "."))
    introduction = Introduction(
        "file names" if all(MARK not in name and "/" not in name for name in ids) else "paths, for file names repeat",
        (*galaxies.notes, *said),
        (*galaxies.left_out, *left_out(found)),
    )
    return FileSource(table.assign(**columns), origin, introduction, galaxies.bands if any(galaxies.bands) else ())


def _folders_below(names: Sequence[str], root: str) -> list[str]:
    """The folder of each file, relative to the root."""
    folders = [os.path.dirname(name) for name in names]  # noqa: PTH120 -- there may be a million
    below = {folder: os.path.relpath(folder or ".", root) for folder in set(folders)}
    return ["" if below[folder] == os.curdir else below[folder] for folder in folders]


def gather(files: Sequence[str], bands: Sequence[str] = ()) -> Galaxies:
    """The galaxies of files: companions left out, files of one band each brought together, one file of each stem."""
    images, companions = without_companions(files)
    grouped = group_by_band(images, bands)
    galaxies = Galaxies(left_out=[count(number, kind) for kind, number in companions.items()])
    galaxies.left_out += [count(number, f"file of band {band}", "") for band, number in grouped.unused.items()]
    rows: list[tuple[str, str, Bands]] = [(without_ending(name), name, ()) for name in grouped.others]
    for key, found in grouped.galaxies.items():
        every = dict.fromkeys([*grouped.bands, *found])
        each = tuple((band, found.get(band, key.replace(MARK, band))) for band in every)
        rows.append((without_band(key), braced([file for _, file in each]), each))
    if grouped.galaxies:
        some = next(iter(grouped.galaxies))
        galaxies.notes.append(
            f"{count(len(grouped.galaxies), 'galaxy', 'galaxies')} of one file a band ({', '.join(grouped.bands)}), "
            f"such as {os.path.basename(some).replace(MARK, '{' + ','.join(grouped.bands) + '}')}"  # noqa: PTH119
        )
    if grouped.apart:
        galaxies.notes.append(
            f"files that differ by a band, such as {braced([os.path.basename(name) for name in grouped.apart])}, "  # noqa: PTH119
            "are a galaxy each; name the bands with --bands where they are of one"
        )
    rows = sorted(_one_of_each(rows, galaxies), key=lambda row: natural_key(row[2][0][1] if row[2] else row[1]))
    galaxies.names, galaxies.files, galaxies.bands = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
    return galaxies


def left_out(found: Walk) -> Iterator[str]:
    """What a walk passed by, in words."""
    if others := sum(map(len, found.others.values())):
        kinds = ", ".join(sorted(ending or "no ending" for ending in found.others)[:6])
        yield f"{count(others, 'file')} of other kinds ({kinds})"
    yield from (count(number, kind) for kind, number in found.passed.items())


def _one_of_each(rows: list[tuple[str, str, Bands]], galaxies: Galaxies) -> list[tuple[str, str, Bands]]:
    """One row for each name: a galaxy's FITS rather than a picture of it, what is exact rather than a JPEG."""
    if len({name for name, _, _ in rows}) == len(rows):
        return rows
    chosen: dict[str, tuple[str, str, Bands]] = {}
    pairs: list[str] = []
    for row in sorted(rows, key=_rank):
        kept = chosen.setdefault(row[0], row)
        if kept is not row:
            if row[2] or (kept[2] and is_fits_name(row[1])):
                raise CatalogError(
                    f"{kept[1]} and {row[1]} would both have the id {os.path.basename(row[0])!r}; "  # noqa: PTH119
                    "name the files that are meant by a pattern such as '*_{band}.fits'"
                )
            pairs.append(f"{os.path.basename(kept[1])} and not {os.path.basename(row[1])}")  # noqa: PTH119
    if pairs:
        galaxies.notes.append(
            f"files of the same name but for the ending are one galaxy: {pairs[0]} is read"
            + (f", and so for {len(pairs) - 1} more" if len(pairs) > 1 else "")
        )
    return list(chosen.values())


def _rank(row: tuple[str, str, Bands]) -> tuple[bool, bool, str]:
    _, name, bands = row
    return not bands and not is_fits_name(name), image_ending(name).lower() in LOSSY, image_ending(name).lower()


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun; the first word before ``to`` or ``of`` or ``that`` takes the plural."""
    if number == 1:
        return f"1 {noun}"
    if plural:
        return f"{number:,} {plural}"
    head, space, rest = noun.partition(next((w for w in (" to ", " of ", " that ") if w in noun), "\0"))
    return f"{number:,} {head}s{space}{rest}"


def _refuse_bytes(files: Sequence[str], origin: str) -> None:
    try:
        "\n".join(files).encode()
    except UnicodeEncodeError as error:
        raise CatalogError(
            f"{origin} holds a file whose name is not valid text ({str(error.object[:40])!a}...); rename it"
        ) from error
