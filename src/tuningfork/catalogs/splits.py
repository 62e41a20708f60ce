"""Train, val and test: given by the user, or seeded, stratified and kept together on the sky.

Galaxies are dealt out, stratum by stratum, in the order of a hash of the seed and their id. So the order of rows does
not matter, every stratum has its share of each split to within one galaxy, and galaxies added later move only those few
that stand next to a border. (To compare the hash itself with the fractions would move none, but would leave rare
classes to chance.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import singledispatch

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from tuningfork.errors import CatalogError
from tuningfork.schemas import ClassSchema, QuantitySchema, Schema, TreeSchema, class_indices

SPLITS = ("train", "val", "test")
BINS = 5  # of the leading fraction of a tree's first question, and of a quantity's range


def check_splits(table: pd.DataFrame, origin: str) -> None:
    """A given `split` column may hold train, val and test alone; a galaxy without one is in none.

    Raises
    ------
    CatalogError
        If there is another value.
    """
    wrong = table["split"].notna() & ~table["split"].isin(SPLITS)
    if wrong.any():
        row = table.loc[wrong].iloc[0]
        raise CatalogError(
            f"{origin}, galaxy {row['id_str']}: split {row['split']!r} is not one of {', '.join(SPLITS)}"
        )


def parse_fractions(text: str) -> dict[str, float]:
    """``0.8/0.1/0.1`` as the fractions of train, val and test.

    Raises
    ------
    CatalogError
        If it does not say three fractions that sum to 1.
    """
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError as error:
        raise CatalogError(f"--split {text}: write fractions of train/val/test, such as 0.8/0.1/0.1") from error
    if len(values) != 3:
        raise CatalogError(f"--split {text}: three fractions of train/val/test that sum to 1 are needed")
    fractions = dict(zip(SPLITS, values, strict=True))
    check_fractions(fractions)
    return fractions


def assign_splits(
    table: pd.DataFrame,
    fractions: Mapping[str, float],
    seed: int = 0,
    schema: Schema | None = None,
    groups: np.ndarray | None = None,
) -> pd.Series:
    """A split for each galaxy, (N,) of text.

    Strata are the classes; for a tree the most voted answer to its first question, and its fraction in fifths; for
    quantities the fifths of the first one's range. Galaxies without labels are a stratum of their own. Galaxies of one
    group share a split; they are dealt as the one of the smallest hash.

    Parameters
    ----------
    table
        Has `id_str` and the label columns of `schema`.
    fractions
        Of train, val and test; they sum to 1.
    seed
        Another seed, other splits.
    schema
        What to stratify by; none: everything is one stratum.
    groups
        The number of each galaxy's group, (N,); none: each is dealt alone.

    Raises
    ------
    CatalogError
        If the fractions are none.
    """
    check_fractions(fractions)
    order = np.fromiter((_hash(seed, identity) for identity in table["id_str"]), np.uint64, len(table))
    if groups is None:
        alone = np.ones(len(table), np.int8)
        return pd.Series(_deal(order, alone, _strata(table, schema), fractions, seed), index=table.index)
    _, groups = np.unique(groups, return_inverse=True)
    by_hash = np.argsort(order)
    _, first = np.unique(groups[by_hash], return_index=True)
    leaders = by_hash[first]  # of each group, in the order of their numbers
    dealt = _deal(order[leaders], np.bincount(groups), _strata(table, schema)[leaders], fractions, seed)
    return pd.Series(dealt.take(groups), index=table.index)


def _deal(
    order: np.ndarray, sizes: np.ndarray, strata: np.ndarray, fractions: Mapping[str, float], seed: int
) -> ExtensionArray:
    """A split for each of G groups, (G,) of text, from their hashes, numbers of galaxies and strata."""
    used = [split for split in SPLITS if fractions.get(split, 0) > 0]
    borders = np.cumsum([fractions[split] for split in used])[:-1]
    codes, names = pd.factorize(strata)
    del strata  # of a billion galaxies, eight GB
    codes = codes.astype(np.int32)
    dealt = np.empty(len(order), dtype=np.int8)
    for code, stratum in enumerate(names):
        mine = np.flatnonzero(codes == code).astype(np.int32)
        turn = np.argsort(order[mine])
        mine = mine[turn]
        del turn  # eight bytes a galaxy
        place = np.cumsum(sizes[mine], dtype=np.float64)
        total = place[-1]
        # A start of its own for every stratum: else many small ones would all round in favour of the same split.
        place += _hash(seed, f"stratum {stratum}") / 2**64 - sizes[mine]
        place /= total
        dealt[mine] = np.searchsorted(borders, place, side="right")
    return pd.array(used, dtype="str").take(dealt)


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Fractions of train, val and test are 0 to 1 and sum to 1.

    Raises
    ------
    CatalogError
        If not.
    """
    for split, fraction in fractions.items():
        if split not in SPLITS:
            raise CatalogError(f"there is no split {split!r}; use {', '.join(SPLITS)}")
        if not 0 <= fraction <= 1:
            raise CatalogError(f"the fraction of split {split} is {fraction:g}; it must be 0 to 1")
    if not abs(sum(fractions.values()) - 1) <= 1e-6:
        raise CatalogError(f"the fractions of the splits sum to {sum(fractions.values()):g}; they must sum to 1")


def _hash(seed: int, text: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{text}".encode(), digest_size=8).digest())


def _strata(table: pd.DataFrame, schema: Schema | None) -> np.ndarray:
    """The name of each galaxy's stratum, (N,) of text."""
    if schema is None:
        return np.array(["all"], dtype=object).repeat(len(table))
    return _strata_of(schema, table)


@singledispatch
def _strata_of(schema: Schema, table: pd.DataFrame) -> np.ndarray:
    """The name of each galaxy's stratum by the labels of a schema, (N,) of text."""
    raise NotImplementedError(schema.kind)


@_strata_of.register(ClassSchema)
def _class_strata(schema: ClassSchema, table: pd.DataFrame) -> np.ndarray:
    return class_indices(table, schema, "labels").astype(str).astype(object)


@_strata_of.register(TreeSchema)
def _tree_strata(schema: TreeSchema, table: pd.DataFrame) -> np.ndarray:
    columns = [answer.column for answer in schema.walk[0].answers]
    if any(column not in table for column in columns):
        return np.array(["all"], dtype=object).repeat(len(table))
    votes = table[columns].to_numpy(dtype=np.float64, na_value=np.nan)
    total = votes.sum(axis=1)
    known = total > 0  # False for NaN
    votes = np.where(known[:, None], votes, 0)
    share = votes.max(axis=1) / np.where(known, total, 1)
    names = [f"{answer}.{fifth}" for answer, fifth in zip(votes.argmax(axis=1), _fifths(share), strict=True)]
    return np.where(known, np.array(names, dtype=object), "unknown")


@_strata_of.register(QuantitySchema)
def _quantity_strata(schema: QuantitySchema, table: pd.DataFrame) -> np.ndarray:
    quantity = next(q for q in schema.quantities if q.column in table)
    values = table[quantity.column].to_numpy(dtype=np.float64, na_value=np.nan)
    known = (values >= quantity.low) & (values <= quantity.high)  # False for NaN and for "undetermined"
    place = np.where(known, (values - quantity.low) / (quantity.high - quantity.low), 0)
    return np.where(known, _fifths(place).astype(str).astype(object), "unknown")


def _fifths(values: np.ndarray) -> np.ndarray:
    fifths: np.ndarray = np.clip(values * BINS, 0, BINS - 1).astype(np.int64)
    return fifths
