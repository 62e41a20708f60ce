"""Many images decoded in parallel threads, in order, in constant memory; a bad one is a result like any other."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tuningfork.errors import ImageError
from tuningfork.images.decode import decode
from tuningfork.images.geometry import Geometry
from tuningfork.images.item import Item
from tuningfork.timing import Timing


@dataclass(frozen=True)
class Decoded:
    """One image: its pixels (size, size, channels) uint8, or why there are none; and a note worth saying.

    `seconds` is how long reading and decoding took, in its thread.
    """

    id_str: str
    file_loc: str
    pixels: np.ndarray | None
    error: str | None = None
    note: str | None = None
    seconds: float = 0.0


def decode_item(item: Item, geometry: Geometry) -> Decoded:
    """Read and decode one item; an unreadable one has its `error` instead of pixels."""
    started = time.perf_counter()
    pixels, note, wrong = None, None, None
    try:
        pixels, note = decode(item.load(), geometry)
    except ImageError as error:
        wrong = str(error)
    return Decoded(item.id_str, item.file_loc, pixels, wrong, note, time.perf_counter() - started)


def decode_stream(items: Iterable[Item], geometry: Geometry, workers: int | None = None) -> Iterator[Decoded]:
    """Decode items in threads (one a core unless told), giving results in the order asked.

    At most 64 images a thread are held at once, however many there are.
    """
    threads = workers or os.cpu_count() or 1
    waiting: deque[Future[Decoded]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(decode_item, item, geometry))
                if len(waiting) >= 64 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def next_batch(decoded: Iterator[Decoded], size: int, timing: Timing) -> list[Decoded]:
    """The next `size` images or what is left of them, and the time they took; empty after the last."""
    with timing.part("waiting for images"):
        batch = list(islice(decoded, size))
    timing.seconds["decoding (in threads)"] += sum(image.seconds for image in batch)
    return batch
