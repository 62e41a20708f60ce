"""VOTables, written row after row: TABLEDATA of version 1.4, where an empty cell is a missing value.

Source: VOTable 1.4, https://www.ivoa.net/documents/VOTable/20191021/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa

from tuningfork.catalogs.write.columns import Fact, Origin, about
from tuningfork.catalogs.write.types import flat, flat_part

_TYPES = {
    pa.bool_(): "boolean",
    pa.uint8(): "unsignedByte",
    pa.int8(): "short",
    pa.int16(): "short",
    pa.uint16(): "int",
    pa.int32(): "int",
    pa.uint32(): "long",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "unicodeChar",
}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # what XML 1.0 can't hold
_RETURN = {"\r": "&#13;"}  # else a reader makes a new line of it
_INFINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
_BEGIN = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results">
"""
_END = "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"


def write_votable(schema: pa.Schema, parts: Iterable[pa.Table], path: Path, origin: Origin) -> None:
    """Write the parts of a table as a VOTable. Characters that XML can't hold are escaped (``\\x01``)."""
    schema = flat(schema, "VOTable", unsigned=False)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_BEGIN)
        file.writelines(_info(fact) for fact in origin.facts)
        file.write("<TABLE>\n")
        file.writelines(_field(entry, identity) for entry, identity in zip(schema, _ids(schema.names), strict=True))
        file.write("<DATA><TABLEDATA>\n")
        for part in parts:
            cells = [_cells(values) for values in flat_part(part, schema).columns]
            file.writelines(f"<TR>{''.join(row)}</TR>\n" for row in zip(*cells, strict=True))
        file.write(_END)


def _info(fact: Fact) -> str:
    return f"<INFO name={quoteattr(fact.name)} value={_attribute(fact.value)}>{escape(fact.description)}</INFO>\n"


def _ids(names: Sequence[str]) -> list[str]:
    """An identifier of each column, as near to its name as XML allows: astropy calls columns so."""
    given: dict[str, None] = {}
    for name in names:
        identity = re.sub(r"[^A-Za-z0-9_.-]", "_", re.sub(r"^(?![A-Za-z_])", "_", name))
        while identity in given:
            identity += "_"
        given[identity] = None
    return list(given)


def _field(entry: pa.Field, identity: str) -> str:
    said, kind = about(entry), _TYPES[entry.type]
    attributes = {"ID": identity, "name": entry.name, "datatype": kind}
    attributes |= {"arraysize": "*"} if kind == "unicodeChar" else {}
    attributes |= {name: value for name, value in (("unit", said.unit), ("ucd", said.ucd)) if value}
    written = " ".join(f"{name}={_attribute(value)}" for name, value in attributes.items())
    return f"<FIELD {written}><DESCRIPTION>{escape(said.description)}</DESCRIPTION></FIELD>\n"


def _attribute(text: str) -> str:
    return quoteattr(_storable(text))


def _cells(values: pa.ChunkedArray) -> Iterable[str]:
    texts = values.cast(pa.string()).to_pylist()
    if pa.types.is_string(values.type):
        shown = (escape(_storable(text), _RETURN) if text else "" for text in texts)
    elif pa.types.is_floating(values.type):
        shown = (_INFINITE.get(text, text) if text else "" for text in texts)
    else:
        shown = (text or "" for text in texts)
    return (f"<TD>{text}</TD>" for text in shown)


def _storable(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)
