"""How a table of text is written: its encoding, separator, comments and header, seen from its beginning."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tuningfork.catalogs.ids import ID_NAMES
from tuningfork.errors import CatalogError

SAMPLE = 1 << 20  # bytes from which the layout is recognised
LOOKED_AT = 200  # lines
BLANKS = " "  # the separator of columns that stand apart by any number of blanks
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", BLANKS: "blanks"}
COMMENT = ("#", "%")
WESTERN = ("cp1252", "latin-1")  # what text that is not UTF-8 is taken for, in this order
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_HEADER_WORDS = {name.casefold() for name in (*ID_NAMES, "ra", "dec", "file_loc", "filename", "file_name", "split")}


@dataclass(frozen=True)
class Layout:
    """How a table of text is written.

    `names` has an empty one where a column has none. `skip` is the number of lines before the first row; `comments`
    says that lines may begin with a # or %.
    """

    separator: str
    names: tuple[str, ...]
    skip: int
    comments: bool

    def __str__(self) -> str:
        return f"{len(self.names)} columns apart by {SEPARATORS[self.separator]}: {', '.join(self.names[:6])}"


def encoding_of(sample: bytes, origin: str) -> str:
    """The encoding of a text from its first bytes: UTF-8, UTF-16 and UTF-32 by their marks, else Windows' own.

    Raises
    ------
    CatalogError
        If it is no text.
    """
    for mark, encoding in _BOMS.items():
        if sample.startswith(mark):
            return encoding
    if b"\0" in sample:
        if len(sample) > 3 and not any(sample[1:200:2]):
            return "utf-16-le"
        if len(sample) > 3 and not any(sample[:200:2]):
            return "utf-16-be"
        raise CatalogError(f"{origin} is no table of text (it holds zero bytes), nor of any other kind that is read")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return WESTERN[0]
    return "utf-8"


def split_lines(text: str) -> list[str]:
    """The lines of a text, whichever system it comes from."""
    return re.split(r"\r\n|\n|\r", text)


def fields_of(line: str, separator: str) -> list[str]:
    """The fields of one line, without surrounding blanks and quotes."""
    if separator == BLANKS:
        line = line.replace("\t", " ").strip()
    row = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    return [field.strip() for field in row]


def layout_of(text: str, origin: str) -> Layout:
    """The layout of a table that begins with `text` (whole lines).

    Raises
    ------
    CatalogError
        If it has no header, or is no table.
    """
    lines = split_lines(text)
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(COMMENT)), None)
    remarks = [i for i, line in enumerate(lines[:first]) if line.startswith(COMMENT)]
    if first is None:
        raise CatalogError(f"{origin} has no rows")
    _refuse_other_kinds(lines[first], origin)
    rows = [line for line in lines[first:] if line.strip() and not (remarks and line.startswith(COMMENT))][:LOOKED_AT]
    separator = _separator(rows)
    header = fields_of(rows[0], separator)
    if remarks:
        remark = fields_of(lines[remarks[-1]].lstrip("#% "), separator)
        if len(remark) == len(header) and not _says_names(header) and (_says_names(remark) or not _is_header(header)):
            return Layout(separator, _unique(remark), first, comments=True)
    if not _is_header(header):
        raise CatalogError(
            f"{origin} has no header: its first line is {rows[0][:80]!r}, {len(header)} values apart by "
            f"{SEPARATORS[separator]}; write the names of the columns above it, such as id_str"
        )
    ruled = _ruled(rows)
    values = fields_of(rows[1 + ruled], separator) if len(rows) > 1 + ruled else []
    if len(values) == len(header) + 1 and not values[-1]:
        header.append("")  # of a separator at the end of each line
    return Layout(separator, _unique(header), first + 1 + ruled, comments=bool(remarks))


def _separator(rows: Sequence[str]) -> str:
    """The separator that parts every line into as many fields as the header; most fields win, blanks come last."""
    parted = {}
    for separator in SEPARATORS:
        counts = [len(fields_of(row, separator)) for row in rows]
        ends = [fields_of(row, separator)[-1:] == [""] for row in rows]  # a separator that ends the line is none
        same = all(n == counts[0] or (n == counts[0] + 1 and end) for n, end in zip(counts, ends, strict=True))
        if counts[0] > 1:
            parted[separator] = (same, separator != BLANKS, counts[0])
    return max(parted, key=lambda separator: parted[separator]) if parted else ","


def _ruled(rows: Sequence[str]) -> int:
    """The number of lines between names and rows: a rule of dashes, and units before it, as VizieR writes them."""
    ruled = (n for n, line in enumerate(rows[1:3], 1) if "--" in line and re.fullmatch(r"[-=:+|;,\s]+", line))
    return next(ruled, 0)


def _is_header(fields: Sequence[str]) -> bool:
    """Names are no numbers, but for those beside a name that is known."""
    return _says_names(fields) or not any(_is_number(field) for field in fields)


def _says_names(fields: Sequence[str]) -> bool:
    return any(field.casefold() in _HEADER_WORDS for field in fields)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.casefold() not in ("nan", "inf", "infinity")


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """A name that stood before gets a number."""
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        unique.append(f"{name}.{seen[name]}" if name and seen[name] else name)
        seen[name] += 1
    return tuple(unique)


def _refuse_other_kinds(line: str, origin: str) -> None:
    start = line.lstrip().casefold()
    if start.startswith(("<!doctype", "<html", "<?xml", "<")):
        raise CatalogError(f"{origin} is a page of the web or XML, no table: it begins with {line.strip()[:40]!r}")
    if start.startswith(("{", "[")):
        raise CatalogError(f"{origin} is JSON, which is not read; save the table as CSV or Parquet")
