"""What the time of a long job went to, so that a user sees the bottleneck: `--profile`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Timing:
    """Seconds by part of a job. Parts that run in threads may add up to more than the job took."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.started = time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time spent inside towards a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    def add(self, seconds: Mapping[str, float]) -> None:
        """Count what was timed elsewhere."""
        for name, spent in seconds.items():
            self.seconds[name] += spent

    def line(self, n: int) -> str:
        """The whole in one line, for a job of `n` images."""
        whole = time.perf_counter() - self.started
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return f"profile: {n:,} images in {whole:.1f} s ({n / max(whole, 1e-9):,.0f} a second): {parts}"
