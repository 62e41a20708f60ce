"""Train, val and test: given by the user, or seeded, stratified and grouped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tuningfork.errors import CatalogError
from tuningfork.schemas import Schema

SPLITS = ("train", "val", "test")


def check_splits(table: pd.DataFrame, where: str) -> None:
    """A given `split` column may hold train, val and test alone."""
    wrong = ~table["split"].isin(SPLITS)
    if wrong.any():
        row = table.loc[wrong].iloc[0]
        raise CatalogError(f"{where}, galaxy {row['id_str']}: split {row['split']!r} is not one of {', '.join(SPLITS)}")


def parse_fractions(text: str) -> dict[str, float]:
    """``0.8/0.1/0.1`` as the fractions of train, val and test."""
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError as error:
        raise CatalogError(f"--split {text}: write fractions of train/val/test, such as 0.8/0.1/0.1") from error
    if len(values) != 3 or min(values) < 0 or abs(sum(values) - 1) > 1e-6:
        raise CatalogError(f"--split {text}: three fractions of train/val/test that sum to 1 are needed")
    return dict(zip(SPLITS, values, strict=True))


def assign_splits(
    table: pd.DataFrame,
    fractions: Mapping[str, float],
    seed: int = 0,
    schema: Schema | None = None,
    radius_arcsec: float | None = None,
) -> pd.Series:
    """A split for each galaxy, (N,) of text.

    Within each stratum (the class, or the most voted answer of the tree's first question; unlabelled galaxies are a
    stratum of their own) galaxies are ordered by a hash of seed and id, and cut by `fractions`: the result does not
    depend on the order of the rows. With `radius_arcsec`, galaxies linked by separations below it share a split, so
    that no piece of sky stands in two; a group goes where its first galaxy goes.

    Raises
    ------
    CatalogError
        If positions are asked for and `ra`, `dec` (degrees) are not there.
    """
    groups = table["id_str"] if radius_arcsec is None else _sky_groups(table, radius_arcsec)
    frame = pd.DataFrame({"group": groups.to_numpy(), "stratum": _strata(table, schema)})
    frame["order"] = [_hash(seed, identity) for identity in table["id_str"]]
    leaders = frame.sort_values("order").drop_duplicates("group")
    rank = leaders.groupby("stratum")["order"].rank(method="first") - 0.5
    place = rank / leaders.groupby("stratum")["order"].transform("size")
    bounds = np.cumsum([fractions.get(split, 0.0) for split in SPLITS])
    chosen = np.array(SPLITS, dtype=object)[np.clip(np.searchsorted(bounds, place, side="right"), 0, 2)]
    split_of = dict(zip(leaders["group"], chosen, strict=True))
    return pd.Series([split_of[group] for group in frame["group"]], index=table.index, dtype=object)


def _hash(seed: int, identity: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=8).digest())


def _strata(table: pd.DataFrame, schema: Schema | None) -> np.ndarray:
    if schema is None or schema.kind == "quantities":
        return np.zeros(len(table), dtype=int).astype(str)
    if schema.kind == "classes":
        return table[schema.label_column].astype(str).to_numpy()
    columns = [answer.column for answer in schema.questions[0].answers]
    values = table[columns].to_numpy(dtype=float)
    return np.where(np.isnan(values).any(axis=1), -1, np.nan_to_num(values).argmax(axis=1)).astype(str)


def _sky_groups(table: pd.DataFrame, radius_arcsec: float) -> pd.Series:
    """Friends of friends on the sky: the number of each galaxy's group."""
    from astropy import units
    from astropy.coordinates import SkyCoord, search_around_sky

    if not {"ra", "dec"} <= set(table.columns):
        raise CatalogError("grouping on the sky needs the columns ra and dec, in degrees")
    sky = SkyCoord(table["ra"].to_numpy() * units.deg, table["dec"].to_numpy() * units.deg)
    first, second, _, _ = search_around_sky(sky, sky, radius_arcsec * units.arcsec)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(table), len(table)))
    _, labels = connected_components(links, directed=False)
    return pd.Series(labels, index=table.index)
