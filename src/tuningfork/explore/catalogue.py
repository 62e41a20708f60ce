"""The catalogue that is explored: its columns, which rows a filter keeps, and in which order they come.

Columns are read when they are asked for and kept as arrays, the longest unused leaving first. A comparison of a million
numbers takes three milliseconds so, and one order of them is found once and serves every page of the grid.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tuningfork.catalogs import About, id_text
from tuningfork.errors import CatalogError
from tuningfork.explore.columns import LEARNED, WIDTH, Column, describe
from tuningfork.explore.filters import AskedWrongError, Contains, Filter, Missing, OneOf, Selected, Sort, Within
from tuningfork.explore.parquet_table import Span
from tuningfork.explore.questions import Question, answered_schemas, questions_of
from tuningfork.explore.recent import Recent
from tuningfork.explore.tables import Table, open_table
from tuningfork.explore.texts import Texts, Values, values_of
from tuningfork.explore.values import LAST, Cell, Numbers, cell
from tuningfork.schemas import Schema

HELD = 256 << 20  # bytes of columns that were read
RECENT = 12  # filters and orders whose rows are kept
SELECTIONS = 64


class Catalogue:
    """A table of galaxies, row by row as its file has them, and columns that were put beside it since.

    Parameters
    ----------
    table
        Where the columns are read from.
    path
        What it was opened as.
    schemas
        Those that may be answered in it, beside those it names itself and the bundled ones.
    """

    def __init__(self, table: Table, path: Path, schemas: Sequence[Schema] = ()) -> None:
        self.table, self.path, self.rows = table, path, table.rows
        names = table.schema.names
        self.schemas = answered_schemas(names, table.manifest, schemas)
        self.questions: list[Question] = [each for schema in self.schemas for each in questions_of(schema, names)]
        self._columns = {each.name: each for each in describe(table.schema, self.questions, self.schemas)}
        self._put: dict[str, Values] = {}
        self._orders: dict[str, np.ndarray] = {}
        self._beside: dict[str, Column | None] = {}  # the columns put beside the table, and what they took the place of
        self._read = Recent[Values](HELD, lambda values: values.nbytes)
        self._made = Recent[np.ndarray](RECENT)
        self._selections: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.RLock()
        for column in [each for each in self._columns.values() if each.role == "id" and each.kind == "number"]:
            # Refused where they were rounded; else shown without their decimals.
            texts = id_text(self.table.read(column.name).to_pandas(), str(path))
            self._put[column.name] = values_of(pa.chunked_array([pa.array(texts, pa.string())]))
            self._columns[column.name] = replace(column, kind="text")
        self.id_column = next((each.name for each in self._columns.values() if each.role == "id"), None)

    @property
    def name(self) -> str:
        """What it is called: the name of its file or folder."""
        return self.path.name

    @property
    def columns(self) -> list[Column]:
        """Every column, those put beside the table last."""
        with self._lock:
            return list(self._columns.values())

    @property
    def put_names(self) -> list[str]:
        """The columns that are not read from the table."""
        with self._lock:
            return list(self._put)

    @property
    def beside(self) -> list[Column]:
        """The columns that were put beside the table, or in the place of one of its own."""
        with self._lock:
            return [self._columns[name] for name in self._beside]

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises
        ------
        AskedWrongError
            If there is none.
        """
        found = self._columns.get(name)
        if found is None:
            raise AskedWrongError(f"the catalogue has no column {name[:80]!r}")
        return found

    def find(self, role: str) -> Column | None:
        """The first column of a role."""
        return next((each for each in self.columns if each.role == role), None)

    def values(self, name: str) -> Values:
        """All the values of a column."""
        column = self.column(name)
        with self._lock:
            if name in self._put:
                return self._put[name]
        return self._read.get(name, lambda: self._made_of(column))

    def _made_of(self, column: Column) -> Values:
        if column.role == "width":
            answer = column.name.removesuffix(WIDTH)
            low, high = (self.numbers(f"{answer}_{end}") for end in ("low", "high"))
            return Numbers(high.values - low.values)
        return values_of(self.table.read(column.name))

    def numbers(self, name: str) -> Numbers:
        """The values of a column of numbers.

        Raises
        ------
        AskedWrongError
            If it is one of text.
        """
        values = self.values(name)
        if isinstance(values, Texts):
            raise AskedWrongError(f"{name!r} is a column of text")
        return values

    def ids(self, rows: np.ndarray) -> list[str]:
        """The ids of some rows, as text; the numbers of the rows where the catalogue has no ids."""
        if self.id_column is None:
            return [str(row) for row in rows.tolist()]
        return ["" if each is None else str(each) for each in self.values(self.id_column).at(rows)]

    def all_ids(self) -> pa.Array:
        """The ids of all rows, (N,) of text."""
        values = self.values(self.id_column) if self.id_column else Numbers(np.arange(self.rows))
        if isinstance(values, Numbers):
            return pa.array(values.values, mask=~values.known).cast(pa.string())
        return values.array.cast(pa.string())

    def put(self, name: str, values: np.ndarray, column: Column) -> None:
        """Put a column of numbers (N,), NaN where not known, beside the table, or in the place of one that was.

        One of learned probabilities takes the place of that in the table, which an explorer has written.

        Raises
        ------
        CatalogError
            If the table itself has another column of that name, or the values are not one a row.
        """
        if values.shape != (self.rows,):
            raise CatalogError(f"{values.shape} values for {self.rows:,} rows")
        with self._lock:
            if name not in self._beside:
                if name in self._columns and not name.startswith(LEARNED):
                    raise CatalogError(f"{self.path} has a column {name} already; give the new one another name")
                self._beside[name] = self._columns.get(name)
            self._put[name] = Numbers(values)
            self._columns[name] = replace(column, name=name)
        self._made.clear()

    def remove(self, names: Sequence[str]) -> None:
        """Take away columns that were put beside the table; those of the table come back."""
        with self._lock:
            for name in names:
                before = self._beside.pop(name)
                del self._put[name], self._columns[name]
                if before is not None:
                    self._columns[name] = before
        self._made.clear()

    def put_order(self, name: str, rows: np.ndarray) -> None:
        """Put an order of rows, the first first; rows that it leaves out come after it, as they stand."""
        left = np.ones(self.rows, bool)
        left[rows] = False
        with self._lock:
            self._orders[name] = np.concatenate([rows, np.flatnonzero(left)]).astype(np.int32)
        self._made.clear()

    def select(self, rows: np.ndarray) -> str:
        """Keep a selection of rows; its name is made of what is in it, so that the same rows have the same name.

        Raises
        ------
        AskedWrongError
            If a row is not in the catalogue.
        """
        if len(rows) and int(rows.max()) >= self.rows:
            raise AskedWrongError(f"row {int(rows.max())} is not in the catalogue, which has {self.rows:,}")
        mask = np.zeros(self.rows, bool)
        mask[rows] = True
        name = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]
        with self._lock:
            self._selections[name] = mask
            self._selections.move_to_end(name)
            while len(self._selections) > SELECTIONS:
                self._selections.popitem(last=False)
        return name

    def selected(self, name: str) -> np.ndarray:
        """The rows of a selection, (N,) bool.

        Raises
        ------
        AskedWrongError
            If there is none of that name.
        """
        with self._lock:
            if name not in self._selections:
                raise AskedWrongError("this selection is no longer known; select the galaxies again")
            return self._selections[name]

    def mask(self, chosen: Filter) -> np.ndarray:
        """Which rows a filter keeps, (N,) bool; not to be written to."""
        return self._made.get(("mask", chosen), lambda: self._mask(chosen))

    def _mask(self, chosen: Filter) -> np.ndarray:
        masks = [self._of_condition(condition) for condition in chosen.conditions]
        return np.asarray(reduce(np.logical_and, masks)) if masks else np.ones(self.rows, bool)

    def _of_condition(self, condition: Any) -> np.ndarray:
        if isinstance(condition, Selected):
            return self.selected(condition.selection)
        values = self.values(condition.column)
        try:
            match condition:
                case Within():
                    return values.between(condition.low, condition.high)
                case OneOf():
                    return values.among(condition.values)
                case Contains():
                    return values.containing(condition.text)
                case Missing():
                    return np.asarray(values.known != condition.missing)
        except CatalogError as error:
            raise AskedWrongError(f"{condition.column!r}: {error}") from error
        raise NotImplementedError(type(condition))

    def rows_where(self, chosen: Filter) -> np.ndarray:
        """The rows that a filter keeps, (n,), as they stand."""
        return np.flatnonzero(self.mask(chosen))

    def order(self, sort: Sort) -> np.ndarray:
        """All rows in an order, (N,) int32; where values are the same, as they stand, missing ones last."""
        if sort.order is not None:
            with self._lock:
                return self._orders.get(sort.order, np.arange(self.rows, dtype=np.int32))
        if sort.column is None:
            return np.arange(self.rows, dtype=np.int32)
        return self._made.get(("order", sort), lambda: self._ordered(str(sort.column), descending=sort.descending))

    def _ordered(self, name: str, *, descending: bool) -> np.ndarray:
        ranks = self.values(name).ranks()
        if descending:
            ranks = np.where(ranks == LAST, LAST, LAST - 1 - ranks)
        keys: np.ndarray = ranks.astype(np.uint64) << np.uint64(32) | np.arange(self.rows, dtype=np.uint64)
        keys.sort()  # many times as quick as an order that keeps what is alike in place
        return np.asarray(keys & np.uint64(LAST), np.int32)

    def rows_in_order(self, chosen: Filter, sort: Sort) -> np.ndarray:
        """The rows that a filter keeps, in an order, (n,) int32."""

        def made() -> np.ndarray:
            order = self.order(sort)
            return np.asarray(order[self.mask(chosen)[order]]) if chosen.conditions else order

        return self._made.get(("rows", chosen, sort), made)

    def cells(self, rows: np.ndarray, names: Sequence[str]) -> list[dict[str, Cell]]:
        """The values of some rows in some columns, as JSON has them."""
        columns = [map(cell, self.values(name).at(rows)) for name in names]
        return (
            [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)] if names else [{} for _ in rows]
        )

    def span(self, column: Column) -> Span | None:
        """The least and the largest finite value of a column of numbers, and how many are missing.

        None where there is none, or where it is known only once the column is asked for (the widths of intervals).
        """
        if column.kind not in ("number", "integer") or column.role == "width":
            return None
        # Files of others may have NaN among their numbers, which they don't count as missing.
        vouched = column.kind == "integer" or bool(self.table.manifest)
        own = column.name in self.table.schema.names and column.name not in self._beside
        said = self.table.span(column.name) if vouched and own else None
        if said is not None and np.isfinite([said.low, said.high]).all():
            return said
        values = self.numbers(column.name)
        limits = values.limits()
        return None if limits is None else Span(*limits, int(np.count_nonzero(~values.known)))


def open_catalogue(path: str | Path, schemas: Sequence[Schema] = ()) -> Catalogue:
    """Open a catalogue to be explored.

    Raises
    ------
    CatalogError
        As `tables.open_table`.
    """
    return Catalogue(open_table(path), Path(path), schemas)


def put_maps(catalogue: Catalogue, name: str, positions: np.ndarray) -> None:
    """Put the positions (N, 2) on a map beside the catalogue, as the columns ``map:<name>:0`` and ``map:<name>:1``."""
    for axis, letter in enumerate("xy"):
        about = About(f"{letter} on the {name} map of the features")
        column = Column("", f"{name} {letter}", "number", "map", about)
        catalogue.put(f"map:{name}:{axis}", positions[:, axis].astype(np.float32), column)
