"""Where images come from: a folder, a glob, a catalog, Parquet or HDF5 with pixels. All are streamed as items."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from tuningfork.catalogs import find_id_column, is_table, read_table, refuse_duplicates
from tuningfork.errors import CatalogError
from tuningfork.images.files import FileSource
from tuningfork.images.hdf5 import Hdf5Source, is_hdf5
from tuningfork.images.item import Item
from tuningfork.images.options import ImageOptions
from tuningfork.images.shards import ShardSource, is_embedded

ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".fits", ".fit", ".fits.gz", ".fits.fz")


class Source(Protocol):
    """Images to be read in order; row i of `table` (id_str, file_loc and the catalog's other columns) is item i."""

    table: pd.DataFrame

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


def open_source(source: str | Path, options: ImageOptions | None = None) -> Source:
    """Open a source of images; nothing is decoded yet.

    Parameters
    ----------
    source
        A folder of images (looked through with its subfolders, hidden ones left out) or of Parquet shards with a
        Hugging Face `image` struct; a glob pattern of either; a catalog with `file_loc` (relative to the catalog's
        folder, or absolute); an HDF5 file with a data set `images`, as Galaxy10 is; or one image.
    options
        Which columns of a catalog hold ids and files, and whatever else the user says of the images.

    Raises
    ------
    CatalogError
        If there is nothing there, an id stands twice, or a catalog names no images.
    """
    options = options or ImageOptions()
    text, path, id_column = str(source), Path(source), options.id_column
    if path.is_dir():
        return _of_folder(path, text, id_column)
    if path.exists():
        return _of_files([text], text, id_column)
    if not glob.has_magic(text):
        raise CatalogError(f"no such file or folder: {path}")
    matches = glob.glob(text, recursive=True)  # noqa: PTH207 -- Path.glob knows no absolute pattern
    files = [name for name in matches if Path(name).is_file()]
    if not files:
        raise CatalogError(f"no file matches {text}")
    return _of_files(_natural(files), text, id_column)


def _of_folder(folder: Path, origin: str, id_column: str | None) -> Source:
    if (folder / "pack.json").exists():
        raise CatalogError(f"{folder} is a pack already; name the images it was made from")
    shards = [str(path) for path in folder.glob("*.parquet") if not path.name.startswith(".")]
    if shards:
        return _of_parquet(_natural(shards), origin, id_column)
    files = _natural(_images_below(folder))
    if not files:
        raise CatalogError(f"no images in {folder} or below it; looked for {', '.join(ENDINGS)}, and .parquet in it")
    return _of_images(files, origin)


def _of_files(files: Sequence[str], origin: str, id_column: str | None) -> Source:
    if all(name.endswith(".parquet") for name in files):
        return _of_parquet(files, origin, id_column)
    if any(is_hdf5(Path(name)) for name in files):
        return _of_hdf5(files, origin, id_column)
    if len(files) == 1 and is_table(Path(files[0])) and not _is_fits_image(Path(files[0])):
        return _of_catalog(Path(files[0]), origin, id_column)
    return _of_images(files, origin)


def _of_parquet(files: Sequence[str], origin: str, id_column: str | None) -> Source:
    paths = [Path(name) for name in files]
    embedded = [is_embedded(path) for path in paths]
    if all(embedded):
        return ShardSource(paths, origin, id_column)
    if len(files) > 1:
        raise CatalogError(
            f"{paths[embedded.index(False)]} has no column image, as several Parquet files need; name one file"
        )
    return _of_catalog(paths[0], origin, id_column)


def _of_hdf5(files: Sequence[str], origin: str, id_column: str | None) -> Hdf5Source:
    if len(files) > 1:
        raise CatalogError(f"{origin} matches {len(files)} files, HDF5 among them; name one HDF5 file")
    return Hdf5Source(Path(files[0]), origin, id_column)


def _of_catalog(path: Path, origin: str, id_column: str | None) -> FileSource:
    table = read_table(path, ids=[id_column] if id_column else [])
    if "file_loc" not in table:
        raise CatalogError(f"{path} names no images: it has neither file_loc nor an image column")
    table = table.assign(id_str=table[find_id_column(table, str(path), asked=id_column)])  # text, as it was read
    refuse_duplicates(table["id_str"], str(path))
    unnamed = table["file_loc"].isna()
    if unnamed.all():
        raise CatalogError(f"{path} names no images: its file_loc is empty")
    table["file_loc"] = table["file_loc"].where(~unnamed, "")  # such a galaxy is one whose image can't be read
    return FileSource(table.reset_index(drop=True), origin, base=path.parent)


def _of_images(files: Sequence[str], origin: str) -> FileSource:
    """Files by name: the id is the stem, or, where stems clash between folders, the path below the folder of all."""
    try:
        "\n".join(files).encode()
    except UnicodeEncodeError as error:
        raise CatalogError(
            f"{origin} holds a file whose name is not valid text ({str(error.object[:40])!a}...); rename it"
        ) from error
    ids = [_without_ending(os.path.basename(name)) for name in files]  # noqa: PTH119 -- text: there may be a million
    if len(set(ids)) < len(ids):
        root = os.path.commonpath([os.path.dirname(name) for name in files])  # noqa: PTH120
        ids = [os.path.relpath(_without_ending(name), root or ".") for name in files]
    owners: dict[str, str] = {}
    for identity, name in zip(ids, files, strict=True):
        if owners.setdefault(identity, name) != name:
            raise CatalogError(f"{owners[identity]} and {name} would both have the id {identity!r}; rename one")
    return FileSource(pd.DataFrame({"id_str": ids, "file_loc": list(files)}, dtype=object), origin)


def _images_below(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                yield os.path.join(parent, name)  # noqa: PTH118 -- text: there may be a million


def _without_ending(name: str) -> str:
    return _ENDING.sub("", name)


def _is_fits_image(path: Path) -> bool:
    """Whether a .fits file holds an image rather than a table alone: seen from its headers, for it may be cut short."""
    if path.suffix.lower() != ".fits":
        return False
    with path.open("rb") as file:
        headers = file.read(1 << 16)
    table_alone = b"NAXIS   =                    0" in headers[:2880] and b"'BINTABLE'" in headers
    return not table_alone or b"ZIMAGE  =" in headers


def _natural(files: Iterable[str]) -> list[str]:
    """In the order a person would list them: numbers in names count as numbers, so that 2.jpg comes before 10.jpg."""
    return sorted(files, key=_natural_key)


def _natural_key(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


_ENDING = re.compile(f"({'|'.join(map(re.escape, ENDINGS))})\\Z", re.IGNORECASE | re.ASCII)
_DIGITS = re.compile(r"([0-9]+)")
