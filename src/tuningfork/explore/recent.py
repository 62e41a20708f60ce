"""What was made lately is kept, within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Recent(Generic[_T]):
    """Values by what they were made of; what has been unused longest goes first.

    Parameters
    ----------
    most
        How much is kept.
    size
        How much of that a value counts. Default: 1.
    """

    def __init__(self, most: int, size: Callable[[_T], int] = lambda value: 1) -> None:
        self._most, self._size, self._total, self._cleared = most, size, 0, 0
        self._held: OrderedDict[Hashable, _T] = OrderedDict()
        self._lock, self._making = threading.Lock(), dict[Hashable, threading.Lock]()

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """The value of a key, made where it is not held; whoever asks meanwhile waits for it."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._held:
                    return self._held[key]
                cleared = self._cleared
            try:
                value = make()
                with self._lock:
                    if cleared == self._cleared:  # else it may be made of what is no more
                        self._keep(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value

    def _keep(self, key: Hashable, value: _T) -> None:
        if key in self._held:
            self._total -= self._size(self._held.pop(key))
        self._held[key] = value
        self._total += self._size(value)
        while self._total > self._most and len(self._held) > 1:
            self._total -= self._size(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget everything, and what is being made, too."""
        with self._lock:
            self._held.clear()
            self._total = 0
            self._cleared += 1
