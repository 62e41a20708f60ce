"""Schemas from TOML and to a dict that JSON and TOML can hold; a malformed one is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from tuningfork.bundled import Bundle, did_you_mean
from tuningfork.errors import SchemaError
from tuningfork.files import read_toml
from tuningfork.schemas.classes import ClassSchema, GalaxyClass, Share
from tuningfork.schemas.quantities import Quantity, QuantitySchema
from tuningfork.schemas.schema import Schema
from tuningfork.schemas.tree import Answer, Question, TreeSchema

KINDS: dict[str, type[Schema]] = {"tree": TreeSchema, "classes": ClassSchema, "quantities": QuantitySchema}
# The keys of all kinds, in the order in which they are written.
KEYS = (
    *("name", "title", "kind", "sources", "votes", "relative_to", "question", "label_column", "class", "quantity"),
    *("volunteers", "tolerance", "id_column"),
)
# The name of a list of records in a schema, and in TOML, where one [[table]] is one record.
LISTS = {"questions": "question", "classes": "class", "quantities": "quantity"}

BUNDLE = Bundle(
    "schema",
    "tuningfork.schemas",
    "data",
    "*.toml",
    SchemaError,
    own="a .toml file of your own",
    see="see `tuningfork schemas`",
)


def bundled_schemas() -> list[str]:
    """The names of the schemas that ship with the package.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> import tuningfork as tf
    >>> "gz-challenge" in tf.bundled_schemas()
    True
    """
    return BUNDLE.names()


def load_schema(name_or_path: str | Path) -> Schema:
    """Load a bundled schema by name, or a user's own from a TOML file.

    Parameters
    ----------
    name_or_path : str or path
        Such as ``gz-challenge``, or a file that ends in .toml.

    Returns
    -------
    Schema

    Raises
    ------
    SchemaError
        If there is no such schema, or it is malformed: not TOML, an unknown or missing key, a value of the wrong type,
        a cycle, an unknown parent, a duplicate column.

    Examples
    --------
    >>> import tuningfork as tf
    >>> tf.load_schema("five-classes").prediction_columns[:2]
    ('five_class_round', 'five_class_in_between')
    """
    path = BUNDLE.find(name_or_path)
    return schema_from_dict(read_toml(path, SchemaError), str(path))


def schema_from_dict(table: dict[str, Any], origin: str = "schema") -> Schema:
    """Build a schema from a parsed TOML table or from `schema_to_dict`; `where` names its origin in errors.

    Raises
    ------
    SchemaError
        As `load_schema`.
    """
    if not isinstance(table, dict):
        raise SchemaError(f"{origin}: a schema must be a table, not {_describe(table)}")
    _check_keys(table, KEYS, origin)
    kind = _kind(table, origin)
    scalars = {key: value for key, value in table.items() if key != "kind" and key not in LISTS.values()}
    lists = {name: _records(table, key, origin, RECORDS[key]) for name, key in LISTS.items() if key in table}
    try:
        schema: Schema = _record(kind, {"sources": ()} | scalars | lists, origin)
    except SchemaError as error:
        raise error if str(error).startswith(origin) else SchemaError(f"{origin}: {error}") from None
    return schema


def _kind(table: dict[str, Any], origin: str) -> type[Schema]:
    """The class of the schema that a table describes; none of its keys belongs to another."""
    kind = table.get("kind")
    if kind is None:
        raise SchemaError(f"{origin}: 'kind' is missing; add it")
    if not isinstance(kind, str):
        raise SchemaError(f"{origin}: 'kind' must be text, not {_describe(kind)}")
    if kind not in KINDS:
        raise SchemaError(f"{origin}: kind = {kind!r} must be one of {', '.join(KINDS)}")
    for key in table:
        if key not in _keys(KINDS[kind]):
            other = next(name for name, schema in KINDS.items() if key in _keys(schema))
            raise SchemaError(f"{origin}: {key} belongs to kind = {other!r}, not {kind!r}")
    return KINDS[kind]


def _keys(kind: type[Schema]) -> set[str]:
    return {"kind", *(LISTS.get(f.name, f.name) for f in fields(kind))}


def schema_to_dict(schema: Schema) -> dict[str, Any]:
    """The schema as a dict that JSON and TOML can hold, such that ``schema_from_dict(schema_to_dict(s)) == s``."""
    values = {LISTS.get(name, name): value for name, value in _plain_values(schema).items()} | {"kind": schema.kind}
    return {key: values[key] for key in KEYS if key in values}


def _plain_values(record: Any) -> dict[str, Any]:
    """The fields of a record that differ from their defaults, tuples as lists."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    given = {f.name: values[f.name] for f in fields(record) if values[f.name] != f.default}
    return {
        key: [_plain_item(item) for item in value] if isinstance(value, tuple) else value
        for key, value in given.items()
    }


def _plain_item(item: Any) -> Any:
    return item if isinstance(item, str) else _plain_values(item)


def _records(
    table: dict[str, Any], key: str, origin: str, build: Callable[[dict[str, Any], str], Any]
) -> tuple[Any, ...]:
    """The records of a list of tables; each is named by its place in errors."""
    entries = table.get(key, [])
    if not isinstance(entries, list | tuple):
        raise SchemaError(f"{origin}: {key!r} must be a list of tables, not {_describe(entries)}")
    records = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise SchemaError(f"{origin}: {key} {number} must be a table, not {_describe(entry)}")
        label = entry.get("name", entry.get("column"))
        records.append(
            build(entry, f"{origin}: {key} {label!r}" if isinstance(label, str) else f"{origin}: {key} {number}")
        )
    return tuple(records)


def _question(entry: dict[str, Any], origin: str) -> Question:
    if "answers" in entry:
        entry = entry | {"answers": _records(entry, "answers", origin, _plain(Answer))}
    question: Question = _record(Question, entry, origin)
    return question


def _class(entry: dict[str, Any], origin: str) -> GalaxyClass:
    if "requires" in entry:
        entry = entry | {"requires": _records(entry, "requires", origin, _plain(Share))}
    galaxy_class: GalaxyClass = _record(GalaxyClass, entry, origin)
    return galaxy_class


def _plain(kind: type[Any]) -> Callable[[dict[str, Any], str], Any]:
    return lambda entry, where: _record(kind, entry, where)


RECORDS = {"question": _question, "class": _class, "quantity": _plain(Quantity)}


def _record(kind: type[Any], entry: dict[str, Any], origin: str) -> Any:
    """Build a dataclass from a table whose keys and types are checked first."""
    known = {f.name: f for f in fields(kind)}
    _check_keys(entry, known, origin)
    for name, f in known.items():
        if name not in entry and f.default is MISSING:
            raise SchemaError(f"{origin}: {name!r} is missing; add it")
    return kind(**{name: _value(known[name], value, origin) for name, value in entry.items()})


def _check_keys(entry: dict[str, Any], known: Iterable[str], origin: str) -> None:
    for key in entry:
        if key not in known:
            raise SchemaError(f"{origin}: unknown key {key!r}; {did_you_mean(key, known)}correct or remove it")


def _value(f: Field[Any], value: Any, origin: str) -> Any:
    """The value of a key, or a refusal that says what type it must have."""
    if f.type.startswith("tuple[str"):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise SchemaError(
                f'{origin}: {f.name!r} must be a list of text, such as ["a", "b"], not {_describe(value)}'
            )
        return tuple(value)
    if f.type.startswith("float"):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SchemaError(f"{origin}: {f.name!r} must be a finite number, not {_describe(value)}")
    elif f.type.startswith(("str", "Literal")) and not isinstance(value, str):
        raise SchemaError(f"{origin}: {f.name!r} must be text, not {_describe(value)}")
    return value


def _describe(value: Any) -> str:
    words = {
        bool: "true or false",
        str: "the text",
        int: "the number",
        float: "the number",
        list: "the list",
        dict: "a table",
    }
    word = words.get(type(value), f"a {type(value).__name__}")
    return f"{word} {value!r}" if word.startswith("the ") else word
