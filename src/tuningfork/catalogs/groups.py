"""Galaxies that belong together, so that a split must not part them: neighbours on the sky, and twins."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tuningfork.catalogs.sky import positions
from tuningfork.errors import CatalogError


def sky_groups(table: pd.DataFrame, radius_arcsec: float, origin: str) -> np.ndarray:
    """Friends of friends on the sky: the number of each galaxy's group, (N,) int64. One without a position is alone.

    Raises
    ------
    CatalogError
        If there are no positions, one is none, or most galaxies are linked to each other.
    """
    # Half a second that catalogs without positions need not wait for.
    from astropy import units
    from astropy.coordinates import SkyCoord, search_around_sky

    sky = positions(table, origin)
    placed = np.flatnonzero(np.isfinite(sky[:, 0]))
    first = second = np.empty(0, dtype=np.int64)
    if len(placed) > 1:
        points = SkyCoord(sky[placed, 0] * units.deg, sky[placed, 1] * units.deg)
        near, far, _, _ = search_around_sky(points, points, radius_arcsec * units.arcsec)
        first, second = placed[near], placed[far]
    groups = _linked(first, second, len(table))
    largest = int(np.bincount(groups).max())
    if largest > max(10, len(table) / 2):
        raise CatalogError(
            f"{origin}: {largest} of {len(table)} galaxies are linked to each other on the sky within "
            f"{radius_arcsec:g} arcsec, so they can't be split; are ra and dec in degrees? else give a split column"
        )
    return groups


def joined_groups(groups: np.ndarray | None, pairs: np.ndarray, n: int) -> np.ndarray | None:
    """Groups (N,) in which the two of each pair of rows (M, 2) are together; None: each of the `n` is alone."""
    if len(pairs) == 0:
        return groups
    groups = np.arange(n) if groups is None else groups
    joined: np.ndarray = _linked(groups[pairs[:, 0]], groups[pairs[:, 1]], int(groups.max()) + 1)[groups]
    return joined


def _linked(first: np.ndarray, second: np.ndarray, n: int) -> np.ndarray:
    """The number of the connected part that each of `n` nodes is in, by the links from `first` to `second`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    _, parts = connected_components(links, directed=False)
    return np.asarray(parts, dtype=np.int64)
