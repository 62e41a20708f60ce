"""Threads that share out the parts of one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

PIECES = 4  # a thread, into which work should be cut where there is enough of it

Part = TypeVar("Part")


class ThreadPool:
    """The calling thread, and as many others as make `threads` together."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._others = ThreadPoolExecutor(max(1, threads - 1), "fused")

    def share(self, work: Callable[[Part], None], parts: Sequence[Part]) -> None:
        """Do all parts, each thread whichever is next: one that is held up leaves work to the others."""
        rest = iter(parts)

        def help_out() -> None:
            for part in rest:
                work(part)

        helpers = [self._others.submit(help_out) for _ in range(min(self.threads, len(parts)) - 1)]
        help_out()
        for helper in helpers:
            if not helper.cancel():  # else it had not begun, and nothing is left
                helper.result()
