"""Which rows are meant, and in which order: what the page asks for, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuningfork.errors import TuningforkError
from tuningfork.explore.values import Cell

MOST_CONDITIONS, MOST_VALUES, LONGEST = 200, 1000, 1000
LARGEST = 1e308  # of numbers; what is no number is not within it
ORDERS = ("queue", "anomaly")


class AskedWrongError(TuningforkError):
    """The page, or whoever speaks in its place, asked for what can't be."""


@dataclass(frozen=True)
class Within:
    """Numbers of a column between two limits, both included; None: no limit on that side."""

    column: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class OneOf:
    """One of several values of a column."""

    column: str
    values: tuple[Cell, ...]


@dataclass(frozen=True)
class Contains:
    """A column of text that contains a text, in whatever case."""

    column: str
    text: str


@dataclass(frozen=True)
class Missing:
    """A column whose value is missing, or with `missing` false is not."""

    column: str
    missing: bool


@dataclass(frozen=True)
class Selected:
    """The rows of a selection."""

    selection: str


Condition = Within | OneOf | Contains | Missing | Selected


@dataclass(frozen=True)
class Filter:
    """Rows for which all of these hold; all rows where there are none."""

    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Sort:
    """By a column, or by an order that was put beside the catalogue; by neither: as the rows stand."""

    column: str | None = None
    descending: bool = False
    order: str | None = None


def filter_of(said: Any) -> Filter:
    """A filter from JSON.

    Raises
    ------
    AskedWrongError
        If it is none, or too long.
    """
    if said is None:
        return Filter()
    conditions = said.get("all", []) if isinstance(said, dict) else None
    if not isinstance(conditions, list):
        raise AskedWrongError('a filter is {"all": [conditions]}')
    if len(conditions) > MOST_CONDITIONS:
        raise AskedWrongError(f"a filter has at most {MOST_CONDITIONS} conditions")
    return Filter(tuple(map(_condition, conditions)))


def sort_of(said: Any) -> Sort:
    """An order from JSON.

    Raises
    ------
    AskedWrongError
        If it is none.
    """
    if said is None:
        return Sort()
    if isinstance(said, dict) and said.get("order") in ORDERS:
        return Sort(order=said["order"])
    if not isinstance(said, dict) or "column" not in said:
        raise AskedWrongError('an order is {"column": name, "descending": true or false}')
    return Sort(text(said, "column"), said.get("descending") is True)


def _condition(said: Any) -> Condition:
    if not isinstance(said, dict):
        raise AskedWrongError("a condition of a filter is an object")
    if "selection" in said:
        return Selected(text(said, "selection"))
    column = text(said, "column")
    if "in" in said:
        return OneOf(column, _values(said["in"]))
    if "contains" in said:
        return Contains(column, text(said, "contains"))
    if "null" in said:
        if not isinstance(said["null"], bool):
            raise AskedWrongError("null is true or false")
        return Missing(column, said["null"])
    if "min" in said or "max" in said:
        return Within(column, _limit(said, "min"), _limit(said, "max"))
    raise AskedWrongError(f"the condition on {column!r} has none of min, max, in, contains, null")


def _values(said: Any) -> tuple[Cell, ...]:
    if not isinstance(said, list) or len(said) > MOST_VALUES:
        raise AskedWrongError(f"in is a list of at most {MOST_VALUES} values")
    for value in said:
        if not isinstance(value, str | bool | int | float) or len(str(value)) > LONGEST:
            raise AskedWrongError("in holds texts, numbers, true and false")
        if isinstance(value, str):
            _refuse_halves(value)
    return tuple(said)


def _limit(said: Mapping[str, Any], key: str) -> float | None:
    value = said.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        raise AskedWrongError(f"{key} is a number")
    return value


def text(said: Mapping[str, Any], key: str) -> str:
    """A text of a message.

    Raises
    ------
    AskedWrongError
        If it is none, or too long.
    """
    value = said.get(key)
    if not isinstance(value, str) or len(value) > LONGEST:
        raise AskedWrongError(f"{key} is a text of at most {LONGEST} characters")
    _refuse_halves(value)
    return value


def _refuse_halves(value: str) -> None:
    """Refuse a half of a pair of UTF-16 alone, which is no text."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise AskedWrongError("a text holds half a character")


def whole(said: Mapping[str, Any], key: str, default: int, most: int, least: int = 0) -> int:
    """A whole number of a message, `default` where it is not given.

    Raises
    ------
    AskedWrongError
        If it is none, or out of bounds.
    """
    value = said.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise AskedWrongError(f"{key} is a whole number from {least} to {most}")
    return value
