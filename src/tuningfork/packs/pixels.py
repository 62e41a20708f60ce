"""The growing pixel file of a pack: whole chunks are appended, a journal says what is there.

Plain writes, not a memory map: on a full disk they raise an error where a map would kill the process.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tuningfork.files import output_errors, sha256, whole_file
from tuningfork.images import Decoded, Geometry
from tuningfork.images.notes import Angles, count_notes, widest
from tuningfork.jobs import Journal
from tuningfork.packs.direct import DirectFile
from tuningfork.packs.twins import mark

HEADER = 128  # bytes; a multiple of 64, so that a memory map is aligned
LOT = 64 << 20  # bytes that are written at once, at most, if a row has no more
SAMPLES, SAMPLE = 64, 64 << 10  # places of a file that are looked at, and the bytes at each


@dataclass
class Progress:
    """How far packing is: images read, the rows of those that could be, and what there is to say of them.

    `marks` are what twins are known by (see `twins`), one after another.
    """

    read: int = 0
    good: array[int] = field(default_factory=lambda: array("q"))  # eight bytes each: there may be a billion
    marks: bytearray = field(default_factory=bytearray)
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    arcsec: Angles | None = None  # the smallest and largest angle of a square, where known
    bands: set[tuple[str, ...]] = field(default_factory=set)  # in which images are shown, by their files


class PixelFile:
    """`pixels.npy` in the making, and its journal, in a working folder.

    Its hash is taken as it grows, as that of a file with all the `expected` images: reading it again would take a tenth
    of the time that packing does.
    """

    def __init__(self, folder: Path, geometry: Geometry, expected: int) -> None:
        self.path, self.journal = folder / "pixels.npy", Journal(folder / "journal.jsonl")
        self.shape = (geometry.size, geometry.size, geometry.channels)
        self.row_bytes = int(np.prod(self.shape))
        self.expected = expected
        self._file = DirectFile(self.path)
        self._digest = hashlib.sha256(npy_header((expected, *self.shape)))
        self.progress = self._resume()

    def append(self, chunk: list[Decoded]) -> None:
        """Add one chunk of images: pixels first, then the line of the journal that makes them count."""
        done = self.progress
        notes: dict[str, int] = {}
        for decoded in chunk:
            if decoded.note:
                count_notes(notes, decoded.note)
        entry: dict[str, Any] = {
            "read": len(chunk),
            "bad": [
                {"index": index, "id_str": d.id_str, "file_loc": d.file_loc, "error": d.error}
                for index, d in enumerate(chunk)
                if d.error is not None
            ],
            "notes": notes,
            "arcsec": widest(d.field_arcsec for d in chunk),
            "bands": sorted({d.bands for d in chunk if d.pixels is not None}),
        }
        pixels = [decoded.pixels for decoded in chunk if decoded.pixels is not None]
        with output_errors(self.path):
            at_once = max(1, LOT // self.row_bytes)
            for first in range(0, len(pixels), at_once):
                start = HEADER + (len(done.good) + first) * self.row_bytes
                written = self._file.write(pixels[first : first + at_once], start)
                self._take(written.data)
        self.journal.add(entry)
        self._count(entry)

    def finish(self, target: Path, order: np.ndarray) -> str:
        """Make the file `target`, its header written now that the number of rows is known; its SHA-256.

        Its row i is the row number `order[i]` of those that were appended.
        """
        n = len(self.progress.good)
        with output_errors(target):
            if self.path.exists():  # else a kill came after it was renamed
                with self.path.open("r+b") as file:
                    file.write(npy_header((n, *self.shape)))
                    file.truncate(HEADER + n * self.row_bytes)
                    os.fsync(file.fileno())
                if (np.diff(order) < 0).any():
                    self._reorder(target, order)
                    return sha256(target)
                self.path.replace(target)
                if n == self.expected:
                    return self._digest.hexdigest()
            return sha256(target)

    def _reorder(self, target: Path, order: np.ndarray) -> None:
        """Write the rows to `target` in another order."""
        at_once = max(1, LOT // self.row_bytes)
        rows = np.load(self.path, mmap_mode="r")
        with whole_file(target) as temporary, temporary.open("wb") as file:
            file.write(npy_header(rows.shape))
            for first in range(0, len(order), at_once):
                file.write(rows[order[first : first + at_once]].data)
            file.flush()
            os.fsync(file.fileno())
        self.path.unlink()

    def _count(self, entry: dict[str, Any]) -> None:
        bad = {wrong["index"] for wrong in entry["bad"]}
        start = self.progress.read
        self.progress.good.extend(start + index for index in range(entry["read"]) if index not in bad)
        self.progress.errors += [{k: v for k, v in wrong.items() if k != "index"} for wrong in entry["bad"]]
        for note, count in entry["notes"].items():
            count_notes(self.progress.notes, note, count)
        self.progress.arcsec = widest(entry["arcsec"] or (), self.progress.arcsec)
        self.progress.bands |= {tuple(bands) for bands in entry["bands"]}
        self.progress.read += entry["read"]

    def _resume(self) -> Progress:
        self.progress = Progress()
        for entry in self.journal.read():
            self._count(entry)
        if not self.progress.read:
            with output_errors(self.path):
                self.path.write_bytes(b"\0" * HEADER)
        elif self.path.exists():
            self._hash_rows(len(self.progress.good))
        return self.progress

    def _hash_rows(self, n: int) -> None:
        """Take the rows that an earlier run wrote into the hash."""
        with output_errors(self.path), self.path.open("rb") as file:
            file.seek(HEADER)
            for _ in range(n):
                self._take(file.read(self.row_bytes))

    def _take(self, rows: bytes | memoryview) -> None:
        """Whole rows into the hash of the file, and the mark of each."""
        self._digest.update(rows)
        flat = memoryview(rows).cast("B")
        for start in range(0, len(flat), self.row_bytes):
            self.progress.marks += mark(flat[start : start + self.row_bytes])


def sampled_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes at evenly spaced places: quick, however large it is."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in np.linspace(0, max(0, path.stat().st_size - SAMPLE), SAMPLES).astype(np.int64):
            file.seek(start)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()


def npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of a NumPy file (format 1.0) of uint8 pixels, of fixed length so that it can be written last."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11).encode() + b"\n"
