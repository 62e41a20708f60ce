"""What brightness and colours an image is rendered in, as a few dozen numbers that know little of its galaxy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuningfork.compiled import Compiled

Array = NDArray[np.float64]

QUANTILES = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995, 0.999])  # of the square
SKY = np.array([0.05, 0.25, 0.5, 0.75, 0.95])  # of its rim
RIM = 0.1  # of the side: there is mostly sky
CORE = 0.2
FLOOR = 4.0  # counts of 255, below which differences are noise
WHITE = 250  # and above: all but clipped
LEAST = np.array([[0.02], [3e-4]])  # shares of black and of white, below which differences are noise


def measure(pixels: np.ndarray, share: float) -> Array:
    """The statistics (N, S) of pack pixels (N, H, W, C) uint8, of their central square of that share of the side.

    They are logarithms of quantiles of brightness in the square, of its rim and core; of the shares of black and white;
    of the contrast of neighbouring pixels; and of colours: how saturated, how correlated, of which hue where it is
    bright. Those of each channel are given as their mean and as how the channels differ from it.
    """
    n, channels = len(pixels), pixels.shape[3]
    side = max(round(share * pixels.shape[1]), 4)
    start = (pixels.shape[1] - side) // 2
    square = np.ascontiguousarray(pixels[:, start : start + side, start : start + side])
    quantiles, ends = np.empty((n, len(QUANTILES) + len(SKY), channels)), np.empty((n, 2, channels))
    means, moments = np.zeros((n, 3, channels)), np.zeros((n, 2, channels + 1, channels + 1))
    greys, hues = np.zeros((n, 2)), np.zeros((n, channels + 1))
    edges = max(round(RIM * side), 1), max(round(CORE * side / 2), 1)
    _gather(square, *edges, QUANTILES, SKY, quantiles, ends, means, moments, greys, hues)
    found = np.concatenate([np.log(quantiles + FLOOR), np.log(ends + LEAST), np.log(means + 1)], axis=1)
    typical: Array = found.mean(axis=2)
    if channels == 1:
        return typical
    differences = (found - typical[:, :, None])[:, :, :-1].reshape(n, found.shape[1] * (channels - 1))
    hue = 3 * hues[:, :-2] / (hues[:, -1:] + 1e-3)
    return np.concatenate([typical, differences, np.log(greys + 1), hue, *map(_correlation, moments.swapaxes(0, 1))], 1)


def _correlation(moments: Array) -> Array:
    """How correlated channels are, pair by pair, (N, C (C - 1) / 2), of moments (N, C + 1, C + 1) as of `_gather`."""
    mean = moments[:, :-1, -1]
    covariance = moments[:, :-1, :-1] - mean[:, :, None] * mean[:, None, :] + np.eye(mean.shape[1])
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    first, second = np.triu_indices(mean.shape[1], 1)
    return np.asarray(np.log(1.03 - covariance[:, first, second] / (deviation[:, first] * deviation[:, second])))


@Compiled
def _gather(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 -- one pass
    squares, rim, core, levels, sky_levels, quantiles, ends, means, moments, greys, hues
):
    """Sums over pixels that `measure` takes logarithms of, image by image.

    `means` are of the core, of the steps between neighbours of a row, and of those in the upper and lower rim;
    `moments`, of the square and its rim, hold the mean products of channels, and, last, the means.
    """
    n, side, _, channels = squares.shape
    middle = side // 2
    for index in range(n):
        square = squares[index]
        counts = np.zeros((2, channels, 256), np.int64)
        pixels = np.zeros(2)
        for y in range(side):
            outer = y < rim or y >= side - rim
            for x in range(side):
                at_rim = outer or x < rim or x >= side - rim
                in_core = middle - core <= y < middle + core and middle - core <= x < middle + core
                total = 0.0
                for c in range(channels):
                    total += square[y, x, c]
                grey, apart = total / channels, 0.0
                for c in range(channels):
                    value = float(square[y, x, c])
                    apart += abs(value - grey)
                    counts[0, c, square[y, x, c]] += 1
                    if in_core:
                        means[index, 0, c] += value
                    if x:
                        step = abs(value - float(square[y, x - 1, c]))
                        means[index, 1, c] += step
                        if outer:
                            means[index, 2, c] += step
                    if at_rim:
                        counts[1, c, square[y, x, c]] += 1
                for part in range(2 if at_rim else 1):
                    pixels[part] += 1
                    greys[index, part] += apart / channels
                    for c in range(channels):
                        value = float(square[y, x, c])
                        moments[index, part, c, channels] += value
                        for d in range(channels):
                            moments[index, part, c, d] += value * float(square[y, x, d])
        for part in range(2):
            moments[index, part] /= pixels[part]
            greys[index, part] /= pixels[part]
        means[index, 0] /= 4 * core * core
        means[index, 1] /= side * (side - 1)
        means[index, 2] /= 2 * rim * (side - 1)
        for c in range(channels):
            ends[index, 0, c] = counts[0, c, 0] / pixels[0]
            ends[index, 1, c] = counts[0, c, WHITE:].sum() / pixels[0]
            for part in range(2):
                asked = levels if part == 0 else sky_levels
                first = 0 if part == 0 else len(levels)
                value, below = 0, 0.0
                for place in range(len(asked)):
                    wanted = asked[place] * pixels[part]
                    while below + counts[part, c, value] < wanted:
                        below += counts[part, c, value]
                        value += 1
                    within = (wanted - below) / counts[part, c, value]
                    quantiles[index, first + place, c] = max(value - 0.5 + within, 0.0)
        typical = 0.0
        for c in range(channels):
            typical += moments[index, 0, c, channels] / channels
        for y in range(side):
            for x in range(side):
                total = 0.0
                for c in range(channels):
                    total += square[y, x, c]
                weight = total / channels - typical
                if weight > 0:
                    hues[index, channels] += weight * total / channels
                    for c in range(channels):
                        hues[index, c] += weight * (square[y, x, c] - total / channels)
