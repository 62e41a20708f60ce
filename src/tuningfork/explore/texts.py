"""A column of text in memory, and how a column of any type is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuningfork.errors import CatalogError
from tuningfork.explore.values import LAST, SHOWN, Cell, Numbers

LISTED = 50  # different texts of a column that are listed


@dataclass(frozen=True)
class Texts:
    """Texts, as Arrow has them: plain, or by the codes of a dictionary where few are different."""

    array: pa.Array

    @property
    def nbytes(self) -> int:
        """The memory they take."""
        return int(self.array.nbytes)

    @property
    def known(self) -> np.ndarray:
        """Which are there, (N,) bool."""
        return _mask(self.array.is_valid())

    def between(self, low: float | None, high: float | None) -> np.ndarray:
        """Texts have no limits."""
        raise CatalogError("only columns of numbers have limits")

    def among(self, wanted: Sequence[Cell]) -> np.ndarray:
        """Which are one of these, (N,) bool."""
        texts = pa.array([each for each in wanted if isinstance(each, str)], pa.string())
        return self._mapped(lambda values: pc.is_in(values, value_set=texts))

    def containing(self, text: str) -> np.ndarray:
        """Which contain a text, in whatever case, (N,) bool."""
        return self._mapped(lambda values: pc.match_substring(values, text, ignore_case=True))

    def _mapped(self, test: Any) -> np.ndarray:
        """What a test says of every text, which is asked of each different one alone where there is a dictionary."""
        if not isinstance(self.array, pa.DictionaryArray):
            return _mask(pc.fill_null(test(self.array), False))
        said = np.append(_mask(pc.fill_null(test(self.array.dictionary), False)), False)
        return np.asarray(said[self._codes])

    @cached_property
    def _codes(self) -> np.ndarray:
        """The code of each text, (N,); -1 where it is missing."""
        return np.asarray(pc.fill_null(self.array.indices, -1).to_numpy(zero_copy_only=False))

    def limits(self) -> None:
        """Texts have no limits."""
        return

    @cached_property
    def _counted(self) -> list[tuple[str, int]] | None:
        if not isinstance(self.array, pa.DictionaryArray):
            return None
        if (pc.max(pc.utf8_length(self.array.dictionary)).as_py() or 0) > SHOWN:
            return None
        counts = np.bincount(self._codes[self._codes >= 0], minlength=len(self.array.dictionary))
        named = zip(self.array.dictionary.to_pylist(), counts.tolist(), strict=True)
        said = Counter({name: n for name, n in named if n})
        return sorted(said.items(), key=lambda pair: (-pair[1], pair[0])) if len(said) <= LISTED else None

    def counts(self) -> list[tuple[Cell, int]] | None:
        """The different texts, the most frequent first, and how many there are of each; None where they are many."""
        return None if self._counted is None else [*self._counted]

    def ranks(self) -> np.ndarray:
        """As of numbers, in the order of their characters' code points."""
        if isinstance(self.array, pa.DictionaryArray):
            ranks = np.append(_ranks(self.array.dictionary), LAST)
            return np.asarray(ranks[self._codes])
        return _ranks(self.array)

    def at(self, rows: np.ndarray) -> list[Cell]:
        """The texts of some rows."""
        return list(self.array.take(pa.array(rows)).to_pylist())

    def floats(self) -> np.ndarray:
        """The index of each text in `counts`, (N,) float32, NaN where not known.

        Raises
        ------
        CatalogError
            If there are too many different ones.
        """
        if self._counted is None:
            raise CatalogError(f"it has more than {LISTED} different texts, or long ones, too many for as many colours")
        place = {name: index for index, (name, _) in enumerate(self._counted)}
        values = [place.get(name, np.nan) for name in self.array.dictionary.to_pylist()]
        return np.asarray(np.array([*values, np.nan], np.float32)[self._codes])


Values = Numbers | Texts


def values_of(column: pa.ChunkedArray) -> Values:
    """The values of a column of any plain type: numbers and truth values as they are, all else as text."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind):
        return Texts(pa.nulls(len(column), pa.string()).dictionary_encode())
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _numbers(column.cast(kind))
    return _texts(column)


def _numbers(column: pa.ChunkedArray) -> Numbers:
    if pa.types.is_floating(column.type):
        return Numbers(np.ascontiguousarray(column.to_numpy()))
    valid = _mask(column.is_valid()) if column.null_count else None
    if valid is not None:
        column = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0)
    return Numbers(np.ascontiguousarray(column.to_numpy()), valid)


def _texts(column: pa.ChunkedArray) -> Texts:
    """Texts; where the same ones come again and again, each is held once."""
    if pa.types.is_dictionary(column.type):
        unified = column.unify_dictionaries().combine_chunks()
        if pa.types.is_string(column.type.value_type) and _is_text(unified.dictionary):
            return Texts(unified)
        column = column.cast(column.type.value_type)
    array = pa.chunked_array(map(_as_text, column.chunks), pa.string()).combine_chunks()
    head = array.slice(0, 100_000)
    few = len(head.unique()) <= len(head) // 4 or len(array) <= LISTED
    return Texts(array.dictionary_encode() if few else array)


def _as_text(chunk: pa.Array) -> pa.Array:
    """A chunk as text; bytes that are no UTF-8 are replaced."""
    text = chunk.cast(pa.string())
    if _is_text(text):
        return text
    raw: Iterable[bytes | None] = text.cast(pa.binary()).to_pylist()
    return pa.array([each if each is None else each.decode(errors="replace") for each in raw], pa.string())


def _is_text(array: pa.Array) -> bool:
    """Whether all of it is UTF-8, as a file may only claim."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _ranks(array: pa.Array) -> np.ndarray:
    """The rank of each text, (N,) uint32; equal ones have the same."""
    order = pc.array_sort_indices(array)
    ordered = array.take(order)
    ranks = np.empty(len(array), np.uint32)
    if len(array):
        new = _mask(pc.fill_null(pc.not_equal(ordered.slice(1), ordered.slice(0, len(array) - 1)), False))
        ranks[order.to_numpy()] = np.concatenate([[0], np.cumsum(new)]).astype(np.uint32)
    ranks[~_mask(array.is_valid())] = LAST
    return ranks


def _mask(array: Any) -> np.ndarray:
    """Arrow's truth values, without nulls, as NumPy has them."""
    return np.asarray(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy())
