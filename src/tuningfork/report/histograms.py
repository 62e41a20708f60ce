"""Histograms as lines of SVG: how many galaxies have each value, and how wide their intervals are there."""

from __future__ import annotations

import numpy as np

from tuningfork.report.blocks import Histogram

BINS = 20
WIDTH, BARS, BAND = 200, 60, 34  # of the box; the band lies below the bars
GAP = 6
FEWEST = 3  # galaxies in a bin whose median interval is drawn


def histogram(
    name: str,
    values: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray] | None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Histogram:
    """Of values (N,), finite; `ends` are those of their intervals, (N,) each, where there are any.

    Below the bars, where an interval reaches from the least to the largest value of `limits`, it is as high as the
    band. The band joins the medians of both ends in each bin that holds three galaxies or more.
    """
    low, high = limits
    span = high - low or 1.0
    place = np.clip(((values - low) / span * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    step = WIDTH / BINS
    path = "".join(
        f"M{index * step + 0.5:.4g} {BARS}v-{max(count / counts.max() * BARS, 1):.4g}h{step - 1:.4g}V{BARS}z"
        for index, count in enumerate(counts)
        if count
    )
    return Histogram(name, f"{len(values):,} galaxies", path, _band(place, ends, low, span) if ends else "")


def _band(place: np.ndarray, ends: tuple[np.ndarray, np.ndarray], low: float, span: float) -> str:
    """The outline of the median intervals, bin by bin."""
    known = np.isfinite(ends[0]) & np.isfinite(ends[1])
    path = ""
    for index in range(BINS):
        here = known & (place == index)
        if here.sum() >= FEWEST:
            bottom, top = (np.clip((np.median(end[here]) - low) / span, 0, 1) for end in ends)
            left, width = index * WIDTH / BINS, WIDTH / BINS
            upper, lower = (BARS + GAP + BAND * (1 - share) for share in (top, bottom))
            path += f"M{left + 0.5:.4g} {upper:.4g}h{width - 1:.4g}V{max(lower, upper + 1):.4g}h-{width - 1:.4g}z"
    return path
