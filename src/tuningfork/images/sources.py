"""Where images come from: a folder, a glob, a catalog, Parquet with embedded images. All are streamed as items."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.catalogs import find_id_column, id_text, is_table, read_table, refuse_duplicates
from tuningfork.errors import CatalogError, ImageError
from tuningfork.images.item import Item

ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".fits", ".fit")
SHARD = re.compile(r"^(?P<split>[A-Za-z]+)-\d{5}-of-\d{5}$")
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class Source(Protocol):
    """Images to be read in order; row i of `table` (id_str, file_loc and the catalog's other columns) is item i."""

    n: int
    table: pd.DataFrame

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on, in constant memory."""

    def describe(self) -> dict[str, Any]:
        """What a manifest keeps of the source."""


def open_source(source: str | Path, id_column: str | None = None) -> Source:
    """Open a folder of images or of Parquet shards, a glob, a catalog, Parquet with images, or one image.

    Raises
    ------
    CatalogError
        If there is nothing there, an id stands twice, or a catalog names no images.
    """
    text, path = str(source), Path(source)
    if glob.has_magic(text) and not path.exists():
        files = [Path(name) for name in glob.glob(text, recursive=True)]
        if not files:
            raise CatalogError(f"no file matches {text}")
        return _of_files(sorted(files, key=_natural), text, id_column)
    if path.is_dir():
        shards = sorted(path.glob("*.parquet"), key=_natural)
        if shards:
            return _of_parquet(shards, text, id_column)
        found = [p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith(".")]
        files = sorted((p for p in found if p.is_file()), key=_natural)
        if not files:
            raise CatalogError(f"no images in {path}; looked for {', '.join(ENDINGS)} and .parquet there")
        return FileSource.of_paths(files, text, root=path)
    if not path.exists():
        raise CatalogError(f"no such file or folder: {path}")
    return _of_files([path], text, id_column)


def _of_files(files: list[Path], origin: str, id_column: str | None) -> Source:
    if all(path.suffix == ".parquet" for path in files):
        return _of_parquet(files, origin, id_column)
    if len(files) == 1 and is_table(files[0]) and not _is_fits_image(files[0]):
        return _of_catalog(read_table(files[0]), files[0], origin, id_column)
    return FileSource.of_paths(files, origin, root=None)


def _of_parquet(files: list[Path], origin: str, id_column: str | None) -> Source:
    try:
        embedded = [pa.types.is_struct(pq.read_schema(path).field("image").type) for path in files]
    except KeyError:
        embedded = [False]
    except (OSError, pa.ArrowInvalid) as error:
        raise CatalogError(f"{origin} is not readable Parquet ({error}); get it again") from error
    if all(embedded):
        return ParquetSource(files, origin, id_column)
    if len(files) > 1:
        raise CatalogError(f"{origin}: several Parquet files need an `image` column each")
    return _of_catalog(read_table(files[0]), files[0], origin, id_column)


def _of_catalog(table: pd.DataFrame, path: Path, origin: str, id_column: str | None) -> Source:
    if "file_loc" not in table:
        raise CatalogError(f"{path} names no images: it has neither `file_loc` nor an `image` column")
    table = table.assign(id_str=id_text(table[find_id_column(table, str(path), asked=id_column)]))
    refuse_duplicates(table["id_str"], str(path))
    unnamed = table["file_loc"].isna()
    if unnamed.any():
        raise CatalogError(f"{path}, galaxy {table.loc[unnamed, 'id_str'].iloc[0]}: file_loc is empty")
    return FileSource(table.reset_index(drop=True), origin, base=path.parent)


@dataclass
class FileSource:
    """Image files, one a row of a table; a relative `file_loc` is relative to `base`."""

    table: pd.DataFrame
    origin: str
    base: Path = field(default_factory=Path)

    def __post_init__(self) -> None:
        self.n = len(self.table)

    @staticmethod
    def of_paths(files: Sequence[Path], origin: str, root: Path | None) -> FileSource:
        """Files by name: the id is the stem, or the path below `root` where stems clash."""
        stems = pd.Series([path.stem for path in files], dtype=object)
        if root is not None and stems.duplicated().any():
            stems = pd.Series([path.relative_to(root).with_suffix("").as_posix() for path in files], dtype=object)
        table = pd.DataFrame({"id_str": stems, "file_loc": [str(path) for path in files]})
        refuse_duplicates(table["id_str"], origin)
        return FileSource(table, origin)

    def items(self, start: int = 0) -> Iterator[Item]:
        """The files from the `start`-th on."""
        pairs = zip(self.table["id_str"].iloc[start:], self.table["file_loc"].iloc[start:], strict=True)
        for identity, location in pairs:
            yield Item(identity, str(location), _FileLoader(self.base / location))

    def describe(self) -> dict[str, Any]:
        """Where the files are, how many, and a fingerprint of their names."""
        names = pd.util.hash_pandas_object(self.table[["id_str", "file_loc"]], index=False)
        return {"kind": "files", "origin": self.origin, "n": self.n, "fingerprint": f"{int(names.sum()) & (2**64 - 1):x}"}


@dataclass(frozen=True)
class _FileLoader:
    path: Path

    def __call__(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror}); check the path") from error


class ParquetSource:
    """Parquet files with a Hugging Face `image` column: a struct of bytes and path.

    Where the files are named as Hugging Face names shards (``train-00000-of-00004.parquet``) and there is no `split`
    column, the name gives the split.
    """

    def __init__(self, files: Sequence[Path], origin: str, id_column: str | None) -> None:
        self.files, self.origin = list(files), origin
        self.rows = [pq.read_metadata(path).num_rows for path in files]
        self.n = sum(self.rows)
        if self.n == 0:
            raise CatalogError(f"{origin} has no rows")
        frames = [self._labels(path) for path in self.files]
        table = pd.concat(frames, ignore_index=True)
        column = find_id_column(table, origin, asked=id_column)
        self.table = table.assign(id_str=id_text(table[column]))
        if "file_loc" not in self.table:
            self.table["file_loc"] = [
                f"{path.name}#{row}" for path, count in zip(self.files, self.rows, strict=True) for row in range(count)
            ]
        refuse_duplicates(self.table["id_str"], origin)

    @staticmethod
    def _labels(path: Path) -> pd.DataFrame:
        table = read_table(path)
        shard = SHARD.match(path.stem)
        if "split" not in table and shard and shard["split"] in SPLIT_NAMES:
            table["split"] = SPLIT_NAMES[shard["split"]]
        return table

    def items(self, start: int = 0) -> Iterator[Item]:
        """The images from the `start`-th on, a record batch at a time."""
        row = 0
        for path, count in zip(self.files, self.rows, strict=True):
            if row + count <= start:
                row += count
                continue
            for batch in pq.ParquetFile(path).iter_batches(batch_size=128, columns=["image"]):
                blobs = batch.column(0).field("bytes")
                for blob in blobs:
                    if row >= start:
                        names = self.table.iloc[row]
                        yield Item(names["id_str"], str(names["file_loc"]), _BytesLoader(blob))
                    row += 1

    def describe(self) -> dict[str, Any]:
        """The files, with their sizes."""
        sizes = {path.name: path.stat().st_size for path in self.files}
        return {"kind": "parquet", "origin": self.origin, "n": self.n, "files": sizes}


@dataclass(frozen=True)
class _BytesLoader:
    blob: pa.Scalar

    def __call__(self) -> bytes:
        data = self.blob.as_py()
        if data is None:
            raise ImageError("the image column is empty in this row")
        return bytes(data)


def _is_fits_image(path: Path) -> bool:
    """Whether a .fits file holds an image rather than a table."""
    if path.suffix.lower() not in (".fits", ".fit"):
        return False
    from astropy.io import fits

    try:
        with fits.open(path) as units:
            return not any(isinstance(unit, fits.BinTableHDU | fits.TableHDU) for unit in units)
    except OSError:
        return True  # not FITS at all: as an image it gets a row with its error


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key: numbers in names count as numbers, so that 2.jpg comes before 10.jpg."""
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
