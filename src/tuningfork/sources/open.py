"""Opening a source: which kind it is."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tuningfork.catalogs import TableLike, is_table, refuse_duplicates
from tuningfork.errors import CatalogError
from tuningfork.sources.archives import ENDINGS as ARCHIVES
from tuningfork.sources.archives import ArchiveSource
from tuningfork.sources.arrays import ENDINGS as ARRAYS
from tuningfork.sources.arrays import ArraySource
from tuningfork.sources.arrow import is_saved, saved_shards
from tuningfork.sources.bands import MARK
from tuningfork.sources.catalog import source_of_catalog
from tuningfork.sources.contents import is_fits_table, is_image
from tuningfork.sources.files import FileSource, in_unit
from tuningfork.sources.gather import left_out, source_of_files
from tuningfork.sources.hdf5 import ENDINGS as HDF5
from tuningfork.sources.hdf5 import Hdf5Source
from tuningfork.sources.location import is_remote, split_unit
from tuningfork.sources.memory import Images, MemorySource
from tuningfork.sources.metadata import with_metadata
from tuningfork.sources.names import ids_of_names, image_ending, is_fits_name, natural
from tuningfork.sources.options import ImageOptions
from tuningfork.sources.parquet import ParquetShard, is_embedded
from tuningfork.sources.pattern import source_of_pattern
from tuningfork.sources.shards import ShardSource
from tuningfork.sources.source import Introduction, Source
from tuningfork.sources.tiles import TileSource
from tuningfork.sources.walk import MANIFESTS, Walk, drop_plots, ending, walk

log = logging.getLogger(__name__)

WHAT_IS = (
    "images are .jpg, .png, .tif, .fits and whatever else Pillow reads; or name a table of files (.csv, .parquet, "
    ".fits, .vot), Parquet or Arrow with images, HDF5, .tar, .zip, .npy or .npz"
)


def open_source(source: Images, options: ImageOptions | None = None) -> Source:
    """Open a source of images; nothing is decoded yet.

    Parameters
    ----------
    source
        A folder of images (looked through with its subfolders, links followed once, hidden ones left out) or of
        Parquet shards with a Hugging Face `image` struct; a glob pattern of either; a pattern with ``{band}``, a file a
        band; a catalog with `file_loc` (relative to the catalog's folder or the working folder, or absolute); an HDF5
        file with a data set `images`, as Galaxy10 is; tar shards or zip files of images; a NumPy file of pixels; or
        one image. In memory: a DataFrame or an astropy Table that names files; a list of files; or whatever
        `memory.MemorySource` takes.
    options
        Which columns of a catalog hold ids and files, and whatever else the user says of the images.

    Raises
    ------
    CatalogError
        If there is nothing there, an id stands twice, or a catalog names no images.
    """
    options = options or ImageOptions()
    if not isinstance(source, str | os.PathLike):
        return _of_memory(source, options)
    text = os.path.expanduser(str(source))  # noqa: PTH111 -- a pattern is no path
    if is_remote(text):
        raise CatalogError(f"{text} is a remote address, and only files are read; download it and name the file")
    path = Path(text)
    if options.tiles:
        from tuningfork.sources.tiles import open_tiles  # astropy, which other sources need not wait for

        return open_tiles(path, options.tiles, options)
    if path.is_dir():
        return _of_folder(path, text, options)
    if path.exists():
        return _of_file(text, text, options)
    if MARK in text:
        return source_of_pattern(text, options.reading.stated.bands or options.reading.assumed.bands)
    if not glob.has_magic(text):
        raise CatalogError(f"no such file or folder: {path}")
    return _of_pattern(text, options)


def decoding_threads(source: Source) -> int | None:
    """How many threads decode the images of a source most quickly; None: as many as for files.

    astropy decompresses tiles in one thread at a time, and others that wait for it make it slower.
    """
    return 1 if isinstance(source, TileSource) else None


def _of_memory(source: Any, options: ImageOptions) -> Source:
    """A table, a list of files, or images."""
    if getattr(getattr(source, "dtype", None), "kind", "") in ("O", "U"):  # a column of a table
        source = source.tolist()
    if isinstance(source, pd.DataFrame) or hasattr(source, "to_pandas"):
        if options.tiles:
            from tuningfork.sources.tiles import open_tiles  # astropy, which other sources need not wait for

            return open_tiles(source, options.tiles, options)
        return _of_catalog(source, "the table", options)
    if isinstance(source, list | tuple) and source and all(isinstance(one, str | os.PathLike) for one in source):
        names = [os.fspath(one) for one in source]
        table = pd.DataFrame({"id_str": ids_of_names(names), "file_loc": names}, dtype=object)
        refuse_duplicates(table["id_str"], "the list of files")
        return FileSource(table, "the list of files", Introduction("the names of the files"))
    return MemorySource(source)


def _of_catalog(path: TableLike, origin: str, options: ImageOptions) -> Source:
    """A catalogue of files; galaxies that share one are cut out of it."""
    source = source_of_catalog(path, origin, options)
    if not source.table["file_loc"].duplicated().any():
        return source
    from tuningfork.sources.tiles import cut_out_shared  # astropy, which other sources need not wait for

    return cut_out_shared(source, options)


def _of_pattern(text: str, options: ImageOptions) -> Source:
    """What a glob matches; a unit in brackets after it, as after the name of a file, is that of every file."""
    named, unit = split_unit(text)
    names = _matches(text)
    if unit and not names:
        found = Walk(images=_matches(named))
        if found.images:
            return in_unit(_of_images(found, text, options), unit)
    return _of_files(names, text, options)


def _matches(pattern: str) -> list[str]:
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 -- Path.glob knows no absolute pattern
    return natural(name for name in names if os.path.isfile(name))  # noqa: PTH113


def _of_files(names: Sequence[str], origin: str, options: ImageOptions) -> Source:
    """Several files: the images among them, or else what they all are."""
    found = Walk()
    for name in names:
        found.add(name)
    files = natural(name for some in found.others.values() for name in some)
    if found.images and len(names) > 1:
        return _of_images(found, origin, options)
    if len(names) == 1:
        return _of_file(names[0], origin, options)
    if not names:
        raise CatalogError(f"no file matches {origin}")
    if set(found.others) == {".parquet"}:
        return _of_parquet(files, origin, options)
    if set(found.others) <= set(ARCHIVES):
        return ArchiveSource([Path(name) for name in files], origin, options.id_column)
    raise CatalogError(f"{origin} matches {len(names)} files, and no images: {', '.join(files[:3])}, ...; name one")


def _of_folder(folder: Path, origin: str, options: ImageOptions) -> Source:
    made = next((name for name in MANIFESTS if (folder / name).exists()), None)
    if made == "pack.json":
        raise CatalogError(f"{folder} is a pack already; name the images it was made from")
    if is_saved(folder):
        return ShardSource(saved_shards(folder), origin, options.id_column)
    found = walk(folder)
    drop_plots(found)
    if found.unreadable:
        raise CatalogError(
            f"a folder can't be read ({found.unreadable[0]}), and its galaxies would be missing; make it readable, "
            "or name what is meant by a pattern"
        )
    shards = [name for name in found.of(".parquet") if os.path.dirname(name) == str(folder)]  # noqa: PTH120
    embedded = natural(name for name in shards if is_embedded(Path(name)))
    if embedded:
        return _of_shards_in_folder(folder, embedded, found, origin, options)
    if found.images:
        beside = natural(name for names in found.others.values() for name in names)
        return with_metadata(_of_images(found, origin, options, str(folder)), beside, options.id_column)
    if archives := natural(found.of(*ARCHIVES)):
        return ArchiveSource([Path(name) for name in archives], origin, options.id_column)
    if len(shards) == 1:
        return _of_catalog(Path(shards[0]), origin, options)
    others = natural(name for names in found.others.values() for name in names)
    there = f"there are {', '.join(os.path.basename(name) for name in others[:4])}" if others else "it is empty"  # noqa: PTH119
    raise CatalogError(f"no images in {folder} or below it: {there}; {WHAT_IS}")


def _of_shards_in_folder(
    folder: Path, shards: Sequence[str], found: Walk, origin: str, options: ImageOptions
) -> ShardSource:
    """The Parquet shards of a folder; what else there is is said, and images beside them are refused."""
    beside = next((name for name in found.images if os.path.dirname(name) == str(folder)), None)  # noqa: PTH120
    if beside:
        raise CatalogError(
            f"{folder} holds {shards[0]}, which has images in it, and image files such as {beside}; name the ones "
            f"that are meant: '{folder}/*.parquet', or a pattern of the files"
        )
    source = ShardSource([ParquetShard(Path(name)) for name in shards], origin, options.id_column)
    found.others[".parquet"] = [name for name in found.of(".parquet") if name not in set(shards)]
    found.others = {kind: names for kind, names in found.others.items() if names}
    below = (f"{len(found.images):,} image files in subfolders",) if found.images else ()
    source.introduction = replace(source.introduction, left_out=(*below, *left_out(found)))
    return source


def _of_images(found: Walk, origin: str, options: ImageOptions, root: str | None = None) -> FileSource:
    if root is None:
        root = os.path.commonpath([os.path.dirname(name) for name in found.images])  # noqa: PTH120
    return source_of_files(found, origin, root, options.reading.stated.bands)


def _of_file(name: str, origin: str, options: ImageOptions) -> Source:
    """One file: whatever it is."""
    path = Path(name)
    if path.suffix.lower() == ".parquet":
        return _of_parquet([name], origin, options)
    if path.suffix.lower() in HDF5:
        return Hdf5Source(path, origin, options.id_column)
    if is_fits_table(path) if is_fits_name(name) else is_table(path):
        return _of_catalog(path, origin, options)
    if ending(name) in ARCHIVES:
        return ArchiveSource([path], origin, options.id_column)
    if ending(name) in ARRAYS:
        return ArraySource(path, origin, options.id_column)
    if not image_ending(name) and not is_image(path):
        raise CatalogError(f"{name} is neither an image nor a table; {WHAT_IS}")
    return source_of_files(Walk(images=[name]), origin, "")


def _of_parquet(files: Sequence[str], origin: str, options: ImageOptions) -> Source:
    paths = [Path(name) for name in files]
    embedded = [is_embedded(path) for path in paths]
    if all(embedded):
        return ShardSource([ParquetShard(path) for path in paths], origin, options.id_column)
    if len(files) > 1:
        raise CatalogError(
            f"{paths[embedded.index(False)]} has no column image, as several Parquet files need; name one file"
        )
    return _of_catalog(paths[0], origin, options)
