"""How large a galaxy is in its frame, and how far from the middle, as a few dozen numbers.

Where frames are cut out as a multiple of a galaxy's size, as those of the Galaxy Zoo challenge are at 8.5 Petrosian
radii, a galaxy's radius in its frame is always about the same, and another tells of a frame of another width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuningfork.compiled import Compiled

Array = NDArray[np.float64]

RINGS = 48  # around the middle, out to the sides of the square
RATIOS = (0.15, 0.2, 0.3, 0.4)  # of the brightness in a ring to that within: where a Petrosian radius lies
SHARES = (0.2, 0.5, 0.8)  # of the light: their radii
BANDS = (
    (3, 6),
    (6, 9),
    (9, 12),
    (12, 16),
    (16, 21),
    (21, 28),
    (28, 36),
    (36, RINGS),
)  # rings that are averaged
CORE = 3  # rings
FAINT = 0.003  # light, 1 being white, below which the core's is noise
SOFTENING = 6.0  # of the asinh that colour images of surveys are mostly stretched with
RIM = 0.05  # of the side: there is mostly sky


def measure_framing(pixels: np.ndarray) -> Array:
    """The statistics (N, S) of pack pixels (N, H, W, C) uint8.

    They are of the light above the sky, as far as an asinh stretch can be undone: Petrosian radii (Petrosian 1976, ApJ
    209, L1), radii that enclose shares of the light, its profile, all by the mean of each ring and by its median, which
    neighbours don't raise; how far the middle of the light is from that of the square; and its moments.
    """
    n, side, _, channels = pixels.shape
    white = 255 * channels
    light = np.sinh(SOFTENING * np.arange(white + 1) / white) / SOFTENING
    place = np.arange(side) - (side - 1) / 2
    rings = np.minimum((np.hypot(place[:, None], place) / (side / 2) * RINGS).astype(np.int64), RINGS)
    means, medians, moments, sky = np.zeros((n, RINGS)), np.zeros((n, RINGS)), np.zeros((n, 6)), np.zeros(n)
    rim = max(round(RIM * side), 1)
    _gather(np.ascontiguousarray(pixels), light, rings, rim, means, medians, moments, sky)
    core = np.maximum(means[:, :CORE].mean(axis=1), FAINT)
    columns = [*_of_profile(means, core), *_of_profile(medians, core), *_of_moments(moments, side)]
    return np.stack([*columns, np.log(sky + 0.01), np.log(core)], axis=1)


def _of_profile(profile: Array, core: Array) -> list[Array]:
    """Radii, light and shape of profiles (N, RINGS) whose cores are as bright as `core` (N,)."""
    edges = np.linspace(0, 1, RINGS + 1)
    grown = np.cumsum(profile * np.diff(edges**2), axis=1)
    total = np.maximum(grown.max(axis=1), 1e-6)
    radii = [_petrosian(grown, ratio) for ratio in RATIOS]
    radii += [edges[1:][(grown >= share * total[:, None]).argmax(axis=1)] for share in SHARES]
    shape = [np.arcsinh(20 * profile[:, first:last].mean(axis=1) / core) for first, last in BANDS]
    return [*map(np.log, radii), np.log(total), *shape]


def _petrosian(grown: Array, ratio: float) -> Array:
    """The radius (N,) at which a ring (0.8 to 1.25 times it) is that much fainter than what is within; at most 1.

    `grown` is the light within the end of each ring, (N, RINGS).
    """
    n, edges = len(grown), np.linspace(0, 1, RINGS + 1)
    within = np.concatenate([np.zeros((n, 1)), grown], axis=1)

    def up_to(radius: Array) -> Array:
        ring = np.minimum((radius * RINGS).astype(int), RINGS - 1)
        part = radius * RINGS - ring
        return np.asarray(within[:, ring] * (1 - part) + within[:, ring + 1] * part)

    radius = edges[1:]
    inner, outer = 0.8 * radius, np.minimum(1.25 * radius, 1)
    around = (up_to(outer) - up_to(inner)) / (outer**2 - inner**2)
    found = around / np.maximum(grown / radius**2, 1e-9)
    below = found < ratio
    below[:, 0], below[:, -1] = False, True
    row, last = np.arange(n), below.argmax(axis=1)
    high, low = found[row, last - 1], found[row, last]
    part = np.clip((high - ratio) / np.maximum(high - low, 1e-9), 0, 1)
    return np.asarray(radius[last - 1] + part * (radius[last] - radius[last - 1]))


def _of_moments(moments: Array, side: int) -> list[Array]:
    """How far from the middle of the square the light's is, its axis ratio, its extent; moments as of `_gather`."""
    x, y, xx, yy, xy = (moments[:, 1:] / np.maximum(moments[:, :1], 1e-6)).T
    xx, yy, xy = xx - x * x, yy - y * y, xy - x * y
    apart = np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    long, short = (xx + yy) / 2 + apart, np.maximum((xx + yy) / 2 - apart, 0.1)
    ratio, extent = np.log(short / np.maximum(long, 0.2)) / 2, np.log(np.maximum(long, 0.1)) / 2
    return [np.log(np.hypot(x, y) / (side / 2) + 0.01), ratio, extent]


@Compiled
def _gather(  # type: ignore[no-untyped-def]  # noqa: PLR0912 -- one pass
    squares, light, rings, rim, means, medians, moments, skies
):
    """Sums over pixels, image by image.

    `light` is that of each sum of channels, `rings` the ring of each pixel. `skies` are the median of the rim, `means`
    and `medians` those of rings above it, and `moments` (N, 6) the sums of light, of light times x, y, x^2, y^2, xy in
    the inner half, from the middle.
    """
    n, side, _, channels = squares.shape
    levels, last, middle = len(light), means.shape[1], (side - 1) / 2
    for index in range(n):
        counts = np.zeros((last + 2, levels), np.int64)  # of the rings, of what is beyond them, of the rim
        for y in range(side):
            for x in range(side):
                total = 0
                for c in range(channels):
                    total += squares[index, y, x, c]
                counts[rings[y, x], total] += 1
                if y < rim or x < rim or y >= side - rim or x >= side - rim:
                    counts[last + 1, total] += 1
        value, below, half = 0, 0, counts[last + 1].sum() // 2
        while below + counts[last + 1, value] <= half:
            below += counts[last + 1, value]
            value += 1
        sky = skies[index] = light[value]
        for ring in range(last):
            pixels = max(counts[ring].sum(), 1)
            value, below = -1, 0
            for level in range(levels):
                many = counts[ring, level]
                if many:
                    means[index, ring] += many * (light[level] - sky) / pixels
                    below += many
                    if value < 0 and 2 * below >= pixels:
                        value = level
            medians[index, ring] = light[max(value, 0)] - sky
        for y in range(side):
            for x in range(side):
                along, across = x - middle, y - middle
                if along * along + across * across < side * side / 16:
                    total = 0
                    for c in range(channels):
                        total += squares[index, y, x, c]
                    here = max(light[total] - sky, 0.0)
                    moments[index, 0] += here
                    moments[index, 1] += here * along
                    moments[index, 2] += here * across
                    moments[index, 3] += here * along * along
                    moments[index, 4] += here * across * across
                    moments[index, 5] += here * along * across
