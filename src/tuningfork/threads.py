"""How the threads that do PyTorch's work wait for more."""

from __future__ import annotations

import os

SPINS = "30000"  # a tenth of libgomp's own choice


def wait_briefly() -> None:
    """Have PyTorch's threads soon sleep where there is nothing to do.

    After each step they go round and round for milliseconds, in case that there is more (libgomp's GOMP_SPINCOUNT),
    and so take a core from what comes between: another engine, threads that decode. It holds where PyTorch has not been
    imported yet, and for processes started from this one. A wish of the user's own is left alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
