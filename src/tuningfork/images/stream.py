"""Many images decoded in parallel threads, in order, in constant memory; a bad one is a result like any other."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.files import refuse_fault
from tuningfork.images.decoding import read_image
from tuningfork.images.geometry import Geometry
from tuningfork.images.item import Item
from tuningfork.images.position import position_note
from tuningfork.images.reading import Reading
from tuningfork.timing import Timing

GROUP = 16  # images that one thread takes at a time: handing them over costs as much as a tenth of decoding one
GROUPS_A_THREAD = 4


@dataclass(frozen=True)
class Decoded:
    """One image: its pixels (size, size, channels) uint8, or why there are none; and a note worth saying.

    `pixel_scale` is the arcseconds a pixel of the image, and `field_arcsec` those of the side of the square that was
    cut out, and `sky` its middle (ra, dec in degrees), where they are known; `bands` are as of `Frame`. `seconds`
    is how long reading and decoding took, in its thread.
    """

    id_str: str
    file_loc: str
    pixels: np.ndarray | None
    error: str | None = None
    note: str | None = None
    pixel_scale: float | None = None
    field_arcsec: float | None = None
    sky: tuple[float, float] | None = None
    bands: tuple[str, ...] = ()
    seconds: float = 0.0


Asked = tuple[Item, Mapping[str, Any]]  # an image, and what its row of the catalogue says of it
NOTHING: Mapping[str, Any] = {}


def decode_item(asked: Asked, geometry: Geometry, reading: Reading) -> Decoded:
    """Read and decode one item; an unreadable one has its `error` instead of pixels."""
    started = time.perf_counter()
    item, row = asked
    try:
        how = reading.for_row({**row, "hdu": item.hdu} if item.hdu else row)
        seen = read_image(item.load(), geometry, how)
    except ImageError as error:
        return Decoded(item.id_str, item.file_loc, None, str(error), seconds=time.perf_counter() - started)
    except MemoryError as error:
        refuse_fault(error, item.file_loc or item.id_str)
        raise
    also = (item.note, position_note(row, seen.sky, seen.field_arcsec))
    return Decoded(
        item.id_str,
        item.file_loc,
        seen.pixels,
        note="; ".join((*seen.notes, *filter(None, also))) or None,
        pixel_scale=seen.pixel_scale,
        field_arcsec=seen.field_arcsec,
        sky=seen.sky,
        bands=seen.bands,
        seconds=time.perf_counter() - started,
    )


def decode_stream(
    items: Iterable[Item],
    geometry: Geometry,
    workers: int | None = None,
    reading: Reading | None = None,
    rows: Iterable[Mapping[str, Any]] | None = None,
) -> Generator[Decoded, None, None]:
    """Decode items in threads, giving results in the order asked.

    `rows` is what the catalogue says of each of the items, as `Reading.rows` gives it.

    By default there is one thread a core and one more, for while another waits for its turn in Python.

    At most 64 images a thread are held at once, however many there are.
    """
    threads = workers or (os.cpu_count() or 1) + 1
    waiting: deque[Future[list[Decoded]]] = deque()
    remaining, size = zip(items, rows or repeat(NOTHING), strict=False), 1
    how = reading or Reading()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        try:
            while group := list(islice(remaining, size)):
                size = min(GROUP, size + 1)  # small ones first: a short job is for all threads
                waiting.append(pool.submit(_decode_group, group, geometry, how))
                if len(waiting) >= GROUPS_A_THREAD * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _decode_group(asked: list[Asked], geometry: Geometry, reading: Reading) -> list[Decoded]:
    return [decode_item(one, geometry, reading) for one in asked]


def next_batch(decoded: Iterator[Decoded], size: int, timing: Timing) -> list[Decoded]:
    """The next `size` images or what is left of them, and the time they took; empty after the last."""
    with timing.part("waiting for images"):
        batch = list(islice(decoded, size))
    timing.seconds["decoding (in threads)"] += sum(image.seconds for image in batch)
    return batch
