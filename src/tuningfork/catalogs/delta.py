"""How long the texts of a Parquet page are that are written as what differs from the one before (DELTA_BYTE_ARRAY).

The page has the length that each text shares with the one before, then the length of its rest, then the rests: both
lengths as DELTA_BINARY_PACKED (Parquet's ``Encodings.md``).
"""

from __future__ import annotations

import numpy as np

ENCODING = 7  # its number in a page's header
MOST_WIDTH = 64  # bits of a number


def text_length(data: bytes, most: int) -> int:
    """How many bytes the texts of a page are, all together, of which there are `most` at most.

    Raises
    ------
    ValueError
        If the lengths can't be read.
    """
    numbers = _Numbers(data)
    shared, own = numbers.read(most), numbers.read(most)
    if len(shared) != len(own) or (shared < 0).any() or (own < 0).any():
        raise ValueError("the lengths of texts do not go together")
    return int(shared.sum()) + int(own.sum())


class _Numbers:
    """Numbers that are packed as differences, one list after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, most: int) -> np.ndarray:
        """The next list, int64."""
        block, parts, count, first = (*(self._unsigned() for _ in range(3)), self._signed())
        if count > most or not 0 < parts <= block <= 1 << 20 or block % (8 * parts):
            raise ValueError("a list of lengths is damaged")
        found, size = [np.array([first] if count else [], np.int64)], block // parts
        missing = count - 1
        while missing > 0:
            least, widths = self._signed(), self._bytes(parts)
            for width in widths:
                if missing <= 0:
                    break
                values = least + self._unpacked(width, size)
                found.append(values[:missing])
                missing -= size
        numbers: np.ndarray = np.concatenate(found).cumsum()
        return numbers

    def _unpacked(self, width: int, size: int) -> np.ndarray:
        if width > MOST_WIDTH:
            raise ValueError("a list of lengths is damaged")
        bits = np.unpackbits(np.frombuffer(self._bytes(width * size // 8), np.uint8), bitorder="little")
        weights = np.left_shift(np.uint64(1), np.arange(width, dtype=np.uint64))
        values: np.ndarray = (bits.reshape(size, width) * weights).sum(axis=1, dtype=np.uint64).astype(np.int64)
        return values

    def _bytes(self, length: int) -> bytes:
        self.at += length
        if self.at > len(self.data):
            raise ValueError("a list of lengths is cut short")
        return self.data[self.at - length : self.at]

    def _unsigned(self) -> int:
        number = shift = 0
        while True:
            byte = self._bytes(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
            if shift > 63:
                raise ValueError("a number is too long")

    def _signed(self) -> int:
        number = self._unsigned()
        return (number >> 1) ^ -(number & 1)
