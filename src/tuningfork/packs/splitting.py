"""How the galaxies of a pack come into train, val and test: planned before the images are read, dealt after."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tuningfork.catalogs import (
    assign_splits,
    check_fractions,
    check_splits,
    find_position_columns,
    joined_groups,
    positions,
    sky_groups,
)
from tuningfork.schemas import Schema

log = logging.getLogger(__name__)

DEFAULT_SPLIT = {"train": 0.8, "val": 0.1, "test": 0.1}
SKY_RADIUS = 60.0  # arcsec: about the width of a cutout, so that no piece of sky stands in two splits


@dataclass(frozen=True)
class Splitting:
    """How splits are made. Without `fractions` those of the catalogue's column `split` are kept.

    `groups` (N,) are the galaxies' groups on the sky, which share a split; None where there are no positions.
    """

    fractions: Mapping[str, float] | None
    seed: int
    schema: Schema | None
    groups: np.ndarray | None

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        if self.fractions is None:
            return {"given": True}
        radius = None if self.groups is None else SKY_RADIUS
        return {"given": False, "fractions": dict(self.fractions), "sky_radius_arcsec": radius}

    def deal(self, table: pd.DataFrame, rows: np.ndarray, twins: np.ndarray) -> pd.DataFrame:
        """The table with its splits.

        Parameters
        ----------
        table
            The galaxies whose images could be read.
        rows
            The row of each in the catalogue, (N,).
        twins
            Rows of `table` that are equal pixel for pixel, (M, 2); they share a split.
        """
        if self.fractions is None:
            _say_parted_twins(table, twins)
            return table
        groups = joined_groups(None if self.groups is None else self.groups[rows], twins, len(table))
        if len(twins):
            log.info("%d images are twins of others, pixel for pixel; twins share a split", len(twins))
        return table.assign(split=assign_splits(table, self.fractions, self.seed, self.schema, groups))


def plan_splits(
    table: pd.DataFrame, schemas: Sequence[Schema], split: Mapping[str, float] | None, seed: int, origin: str
) -> Splitting:
    """How the galaxies of a catalogue are to be split; whatever is wrong with that is seen here.

    Raises
    ------
    CatalogError
        If a given split is none, the fractions are none, or a position is none; `where` names the catalogue.
    """
    if "split" in table and split is None:
        check_splits(table, origin)
        log.info("splits: those of the column split")
        return Splitting(None, seed, None, None)
    fractions = dict(split or DEFAULT_SPLIT)
    check_fractions(fractions)
    schema = schemas[0] if schemas else None
    columns = find_position_columns(table)
    if columns is None:
        log.info("splits: there are no positions (ra, dec), so neighbours on the sky may come into different ones")
        return Splitting(fractions, seed, schema, None)
    groups = sky_groups(table, SKY_RADIUS, origin)
    log.info("splits: galaxies within %g arcsec on the sky (%s, %s) share one", SKY_RADIUS, *columns)
    unknown = int(np.isnan(positions(table, origin)[:, 0]).sum())
    if unknown:
        log.warning("%d galaxies have no position; their neighbours may come into another split", unknown)
    return Splitting(fractions, seed, schema, groups)


def _say_parted_twins(table: pd.DataFrame, twins: np.ndarray) -> None:
    first, second = (table["split"].fillna("").to_numpy(dtype=object)[twins[:, side]] for side in (0, 1))
    parted = (first != second) & (first != "") & (second != "")
    if parted.any():
        names = table["id_str"].iloc[twins[parted.argmax()]]
        log.warning(
            "%d images stand in two splits, pixel for pixel, the first as %s and %s: a test on them is no test; "
            "leave them out, or have splits made with --split",
            parted.sum(),
            *names,
        )
