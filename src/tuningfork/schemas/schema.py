"""The schema: what is asked of a galaxy, and which column of a table holds each answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tuningfork.errors import SchemaError

# Columns of catalogs and predictions with a meaning of their own: no label may take their name.
RESERVED = frozenset({"id_str", "file_loc", "image", "ra", "dec", "split", "note", "error"})


def identifier(name: str) -> str:
    """A name as an identifier: letters of any alphabet, digits and underscores, the first of them no digit."""
    plain = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in name)
    return plain if plain.isidentifier() else f"_{plain}"


def identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """Names as identifiers, none of them twice: ``a-b`` and ``a_b`` are ``a_b`` and ``a_b_2``."""
    given: dict[str, None] = {}
    for name in names:
        plain, number = identifier(name), 1
        unique = plain
        while unique in given:
            number += 1
            unique = f"{plain}_{number}"
        given[unique] = None
    return tuple(given)


@dataclass(frozen=True)
class Schema(ABC):
    """What is asked of a galaxy. Made by `load_schema`.

    It is a decision tree (`schemas.TreeSchema`, with `questions`), a list of classes (`schemas.ClassSchema`, with
    `classes`) or quantities (`schemas.QuantitySchema`, with `quantities`).

    Parameters
    ----------
    name, title : str
        What it is called.
    sources : tuple of str
        Where it was published.
    tolerance : float
        How far the fractions of a question may sum from what the tree demands before labels are refused.
    id_column : str
        What the publishers of these labels call the galaxy's id in their own files.

    Attributes
    ----------
    kind : {'tree', 'classes', 'quantities'}
        ``tree``: questions of a decision tree, answered by volunteers' votes. ``classes``: one class of a list.
        ``quantities``: measured numbers.

    Raises
    ------
    SchemaError
        If the schema contradicts itself: a cycle, an unknown parent, a duplicate name or column, an empty list.
    """

    kind: ClassVar[str]
    nouns: ClassVar[tuple[str, str]]  # one of its `parts`, and several

    name: str
    title: str
    sources: tuple[str, ...]
    tolerance: float = field(default=0.01, kw_only=True)
    id_column: str = field(default="id_str", kw_only=True)

    def __post_init__(self) -> None:
        if not (self.name and self.title and self.id_column):
            raise SchemaError(f"schema {self.name!r}: name, title and id_column can't be empty")
        if self.tolerance < 0:
            raise SchemaError(f"schema {self.name!r}: tolerance = {self.tolerance:g} must be 0 or more")
        self._check()
        self._refuse_duplicates("column", self.prediction_columns)
        for column in self.columns:
            if not column or column in RESERVED:
                raise SchemaError(f"schema {self.name!r}: {column!r} can't be the name of a label column; rename it")

    @property
    @abstractmethod
    def parts(self) -> tuple[Any, ...]:
        """What it consists of: questions, classes or quantities."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The label columns, in order."""

    @cached_property
    def prediction_columns(self) -> tuple[str, ...]:
        """The numeric columns of a predictions table, in order; each can be an identifier in any language.

        ``<question>_<answer>`` of a tree, ``<label_column>_<class name>`` of a class list, the column of a quantity;
        what is not a letter, a digit or an underscore is an underscore: ``spiral_arms_yes``.
        """
        return identifiers(self.published_columns)

    @property
    def published_columns(self) -> tuple[str, ...]:
        """The same columns by the names of the label columns, as publishers of such tables write them.

        A vote fraction has the name of its label column, such as ``Class1.1``, or ``<column>_fraction`` where labels
        are counts (as galaxy-datasets names them); a class has ``<label_column>_<class name>``.
        """
        return self.columns

    @cached_property
    def limits(self) -> np.ndarray:
        """The range that each number of a prediction can have, (K, 2)."""
        return np.tile([0.0, 1.0], (len(self.prediction_columns), 1))

    @property
    def summary_column(self) -> str | None:
        """The text column of a predictions table: the class it is called, or the most likely path down the tree."""
        return None

    @abstractmethod
    def _check(self) -> None:
        """Refuse what contradicts itself."""

    def _refuse_duplicates(self, what: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise SchemaError(f"schema {self.name!r}: duplicate {what} {name!r}")
            seen.add(name)
