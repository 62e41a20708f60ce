"""Functions compiled by Numba on their first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


class Compiled:
    """A function as machine code, kept on disk for later processes where that can be done.

    It runs without the interpreter's lock, so that as many threads run it as there are cores. It is compiled anew when
    its own file has changed, not for a change in one that this imports. What is kept may be cut short, another's, or
    not to be written on a full disk. That costs seconds, and no work: the function is then compiled for this process
    alone.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._alone = numba.njit(**OPTIONS)(function)
        try:
            self._run = numba.njit(cache=True, **OPTIONS)(function)
        except RuntimeError:  # Numba finds no folder to keep it in
            self._run = self._alone

    def __call__(self, *arguments: Any) -> None:
        """Run it."""
        run = self._run  # by now another thread may have found it damaged
        try:
            run(*arguments)
        except MemoryError:  # its own
            raise
        except Exception:  # whatever reading and unpickling damaged files raises
            if run is self._alone:
                raise
            self._run = self._alone
            self._run(*arguments)
