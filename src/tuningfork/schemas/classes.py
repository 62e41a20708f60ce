"""Lists of classes, one of which a galaxy is called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tuningfork.errors import SchemaError
from tuningfork.schemas.schema import Schema, identifier


@dataclass(frozen=True)
class Share:
    """At least so much of those who were asked `question` of a decision tree gave `answer`: 0 to 1."""

    question: str
    answer: str
    at_least: float


@dataclass(frozen=True)
class GalaxyClass:
    """One class of a class list. A label may be given as `name`, as `label` or as the index in the list.

    `requires` says which galaxies belong to it by the answers of a decision tree; none: that is not known.
    """

    name: str
    label: str
    requires: tuple[Share, ...] = ()


@dataclass(frozen=True)
class ClassSchema(Schema):
    """One class of a list.

    Parameters
    ----------
    label_column : str
        The column with the class of each galaxy.
    classes : tuple of GalaxyClass
        Two or more.
    """

    kind = "classes"
    nouns = ("class", "classes")

    label_column: str = ""
    classes: tuple[GalaxyClass, ...] = ()

    @property
    def parts(self) -> tuple[GalaxyClass, ...]:
        """The classes."""
        return self.classes

    @property
    def columns(self) -> tuple[str, ...]:
        """The label column alone."""
        return (self.label_column,)

    @cached_property
    def published_columns(self) -> tuple[str, ...]:
        """``<label_column>_<class name>`` of each class."""
        return tuple(f"{self.label_column}_{entry.name}" for entry in self.classes)

    @property
    def summary_column(self) -> str:
        """The text column of a predictions table: the class it is called."""
        return identifier(self.label_column)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in index order."""
        return tuple(entry.name for entry in self.classes)

    def _check(self) -> None:
        if len(self.classes) < 2 or not self.label_column:
            raise SchemaError(f"schema {self.name!r} needs a label_column and two [[class]] entries or more")
        # A class may be given by name or by label, so none may be mistaken for another.
        self._refuse_duplicates("class", [text for c in self.classes for text in sorted({c.name, c.label})])
