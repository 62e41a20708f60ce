"""Schemas from TOML: the bundled ones by name, a user's own by path."""

from __future__ import annotations

from dataclasses import asdict, fields
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from tuningfork.errors import SchemaError
from tuningfork.files import read_toml
from tuningfork.schemas.schema import Answer, GalaxyClass, Quantity, Question, Schema


def bundled_schemas() -> list[str]:
    """The names of the schemas that ship with the package, in alphabetical order."""
    folder = files("tuningfork.schemas") / "data"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_schema(name_or_path: str | Path) -> Schema:
    """Load a bundled schema by name (``gz-challenge``) or a user's own from a TOML file.

    Raises
    ------
    SchemaError
        If there is no such schema, or it is malformed: an unknown key, a cycle, an unknown parent, a duplicate column.
    """
    text = str(name_or_path)
    if text in bundled_schemas():
        path = Path(str(files("tuningfork.schemas") / "data" / f"{text}.toml"))
    elif text.endswith(".toml"):
        path = Path(text)
    else:
        near = get_close_matches(text, bundled_schemas(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SchemaError(f"no schema named {text!r}; {hint}see `tuningfork schemas`, or give a .toml file of your own")
    return schema_from_dict(read_toml(path, SchemaError), str(path))


def schema_from_dict(table: dict[str, Any], where: str) -> Schema:
    """Build a schema from a parsed TOML table; `where` names its origin in errors."""
    table = dict(table)
    lists = {
        "questions": tuple(_question(entry, where) for entry in table.pop("question", [])),
        "classes": tuple(_record(GalaxyClass, entry, where) for entry in table.pop("class", [])),
        "quantities": tuple(_record(Quantity, entry, where) for entry in table.pop("quantity", [])),
        "sources": tuple(table.pop("sources", ())),
    }
    allowed = {"kind": ("tree", "classes", "quantities"), "votes": ("fractions", "counts"), "relative_to": ("everyone", "asked")}
    for key, values in allowed.items():
        if key in table and table[key] not in values:
            raise SchemaError(f"{where}: {key} = {table[key]!r} must be one of {', '.join(values)}")
    return _record(Schema, table | lists, where)


def _question(entry: dict[str, Any], where: str) -> Question:
    answers = tuple(_record(Answer, answer, where) for answer in entry.get("answers", []))
    return _record(Question, entry | {"answers": answers, "parents": tuple(entry.get("parents", ()))}, where)


def _record(kind: type[Any], entry: dict[str, Any], where: str) -> Any:
    known = {f.name for f in fields(kind)}
    for key in entry:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SchemaError(f"{where}: unknown key {key!r} in a {kind.__name__.lower()}{hint}")
    try:
        return kind(**entry)
    except TypeError as error:  # a required key is missing: dataclasses name it
        raise SchemaError(f"{where}: {str(error).split('__init__() ')[-1]} in a {kind.__name__.lower()}") from error


def schema_to_dict(schema: Schema) -> dict[str, Any]:
    """The table that `schema_from_dict` reads back to an equal schema; plain JSON."""
    table = asdict(schema)
    for key, name in (("questions", "question"), ("classes", "class"), ("quantities", "quantity")):
        table[name] = table.pop(key)
    return table
