"""What the cells of a column of text are: numbers, truth values, or text."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

# Among numbers these words say that one is missing. In a column of other text they are text.
MISSING = ("nan", "na", "n/a", "#n/a", "null", "none", "<na>", "nil", "masked", "indef", "\\n", "-", "--", "---", "...")
SILENT = ("nan",)  # the word that is a number's own
LONG = 1e16
_CODE = r"^[+-]?0\d+$|^[+-]?0[xX]"  # 007 is a name; Arrow takes 0x1F for a number
_TOO_LONG = r"^[+-]?\d{17,}$"
_COMMA = r"^[+-]?\d+(,\d+)?([eE][+-]?\d+)?$"


def typed(cells: pa.ChunkedArray, decimal_comma: bool = False) -> tuple[pa.ChunkedArray, list[str]]:
    """A column of text as numbers or truth values where all of it is, and the words that stood for missing numbers.

    Codes such as 007, and whole numbers too long for 64 bits, stay text. An empty column is of missing floats.

    Parameters
    ----------
    cells
        Text, null where empty.
    decimal_comma
        Whether 1,5 is a number.
    """
    if cells.null_count == len(cells):
        return cells.cast(pa.float64()), []
    numbers = _numbers(cells, decimal_comma)
    if numbers is not None:
        return numbers, []
    small = pc.utf8_lower(cells)
    if pc.all(pc.is_in(small, value_set=pa.array(["true", "false", None]))).as_py():
        return pc.equal(small, "true"), []
    words = pc.is_in(small, value_set=pa.array(MISSING))
    if pc.any(words).as_py():
        rest = pc.if_else(words, None, cells)
        numbers = None if rest.null_count == len(rest) else _numbers(rest, decimal_comma)
        if numbers is not None:
            found = pc.unique(cells.filter(words)).to_pylist()
            return numbers, [word for word in found if word.lower() not in SILENT]
    return cells, []


def _numbers(cells: pa.ChunkedArray, decimal_comma: bool) -> pa.ChunkedArray | None:
    """The cells as int64, uint64 or float64, the first that holds them; None: they are no numbers."""
    for text in _spelt(cells, decimal_comma):
        for kind in (pa.int64(), pa.uint64(), pa.float64()):
            try:
                numbers = text.cast(kind)
            except pa.ArrowInvalid:
                continue
            return None if _is_name(numbers, text) else numbers
    return None


def _is_name(numbers: pa.ChunkedArray, text: pa.ChunkedArray) -> bool:
    """Whether digits would be lost in a column of numbers."""
    if pa.types.is_integer(numbers.type):
        return _any(text, _CODE)
    return (pc.max(pc.abs(numbers)).as_py() or 0) >= LONG and _any(text, _TOO_LONG)


def _spelt(cells: pa.ChunkedArray, decimal_comma: bool) -> Iterator[pa.ChunkedArray]:
    """The cells as they are, and as Arrow would write their numbers."""
    yield cells
    if _any(cells, r"^\+"):
        cells = pc.replace_substring_regex(cells, r"^\+", "")
        yield cells
    if decimal_comma and _all(cells, _COMMA):
        yield pc.replace_substring(cells, ",", ".")


def _any(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _all(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())
