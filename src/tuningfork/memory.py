"""What becomes of memory that is freed: kept at hand for the next image of the same size, or given back."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

# glibc's malloc.h: the parameters of mallopt.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
MIB = 1 << 20


@cache
def keep_freed_memory() -> bool:
    """Have the C library hold on to memory that is freed, where it would give it back; whether it does.

    Images and batches are large arrays that are made and freed all the time, and of the same few sizes. glibc asks the
    system for each of them anew, which then fills it with zeros, page by page: more work than decoding a JPEG file.
    It holds for the whole process. What is free at the end of the library's heap is kept up to half a GiB, what lies
    between blocks in use whatever its size. Threads' own heaps end at 64 MiB, beyond which each block is asked for anew
    all the same. Settings of the user's own are left alone, and so are other C libraries.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None or any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    wanted = {MMAP_MAX: 0, TRIM_THRESHOLD: 512 * MIB, TOP_PAD: 16 * MIB}  # no block is got and given back on its own
    taken = [mallopt(parameter, value) for parameter, value in wanted.items()]
    return all(taken)


def give_back_freed_memory() -> None:
    """Give freed memory back to the system, after something large that will not come again."""
    import pyarrow as pa  # which the command need not wait for

    pa.default_memory_pool().release_unused()
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> ctypes._NamedFuncPointer | None:
    """A function of the C library that only glibc has."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
