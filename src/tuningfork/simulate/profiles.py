"""Surface-brightness profiles and the pixels they are integrated over.

Lengths are arcseconds, x to the right and y up from the frame's centre; fluxes are nanomaggies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta, gamma, k1

Array = NDArray[np.floating]
Profile = Callable[[Array, Array], Array]

# (half-width in pixels, samples a pixel along each axis): ever finer boxes round the centre, where profiles are steep.
_REFINEMENTS = ((10, 3), (3, 9), (1, 27))


@dataclass(frozen=True)
class Grid:
    """A square frame of `size` pixels of `scale` arcsec; row 0 is the bottom row, as in FITS."""

    size: int
    scale: float

    @cached_property
    def axis(self) -> Array:
        """Pixel centres along one axis, (size,) arcsec."""
        return ((np.arange(self.size) - (self.size - 1) / 2) * self.scale).astype(np.float32)

    @cached_property
    def x(self) -> Array:
        """Pixel centres, (1, size) arcsec."""
        return self.axis[None, :]

    @cached_property
    def y(self) -> Array:
        """Pixel centres, (size, 1) arcsec."""
        return self.axis[:, None]

    def pixel(self, position: float) -> float:
        """The fractional pixel index of a position in arcsec."""
        return position / self.scale + (self.size - 1) / 2


def major_axis_frame(x: Array, y: Array, position_angle: float) -> tuple[Array, Array]:
    """Coordinates along the major and minor axis; the position angle (degrees) runs from north (up) to east (left)."""
    angle = np.deg2rad(position_angle + 90.0)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cos + y * sin, y * cos - x * sin


def sersic_b(n: float) -> float:
    """The b_n that makes r_e the half-light radius: Ciotti & Bertin 1999 (A&A 352, 447), eq. 18; n >= 0.36."""
    series = (4 / 405, 46 / 25515, 131 / 1148175, -2194697 / 30690717750)
    return 2 * n - 1 / 3 + sum(term / n**power for power, term in enumerate(series, start=1))


def sersic(flux: float, radius: float, n: float, axis_ratio: float = 1.0, boxiness: float = 2.0) -> Profile:
    """Sersic's law on generalised ellipses; x runs along the major axis.

    I(r) = I_e exp(-b_n [(r / r_e)^(1/n) - 1]) with r^c = |x|^c + |y / q|^c. The total flux follows Graham & Driver 2005
    (PASA 22, 118), eq. 4, and for c other than 2 the area of the generalised ellipse (Peng et al. 2002, AJ 124, 266).

    Parameters
    ----------
    flux
        Total, to infinity, nanomaggies.
    radius
        Half-light radius r_e along the major axis, arcsec.
    n
        Sersic index, 0.36 or more.
    axis_ratio
        Minor over major axis, 0 to 1.
    boxiness
        The exponent c: 2 an ellipse, above 2 boxy.
    """
    b = sersic_b(n)
    area = 4 * beta(1 / boxiness, 1 + 1 / boxiness) / boxiness / np.pi  # of the unit shape, in circles
    total = 2 * np.pi * n * np.exp(b) * b ** (-2 * n) * gamma(2 * n) * radius**2 * axis_ratio * area
    scale, rate, power = np.float32(flux / total * np.exp(b)), np.float32(-b), np.float32(1 / n)

    def profile(x: Array, y: Array) -> Array:
        r = _shape_radius(x / np.float32(radius), y / np.float32(radius * axis_ratio), boxiness)
        light: Array = scale * np.exp(rate * r**power)
        return light

    return profile


def ferrers_bar(flux: float, length: float, axis_ratio: float, index: float = 1.0, boxiness: float = 3.0) -> Profile:
    """A bar of semi-major axis `length`: I = I_0 (1 - r^2)^index inside, 0 outside.

    Ferrers 1877 (Q. J. Pure Appl. Math. 14, 1), on the generalised ellipses of Athanassoula et al. 1990 (MNRAS 245,
    130).
    """
    area = (
        4 * beta(1 / boxiness, 1 + 1 / boxiness) / boxiness
    )  # the radii of a generalised ellipse scale its area as r^2
    peak = np.float32(flux * (index + 1) / (area * length**2 * axis_ratio))

    def profile(x: Array, y: Array) -> Array:
        r = _shape_radius(x / np.float32(length), y / np.float32(length * axis_ratio), boxiness)
        return peak * np.clip(1 - r * r, 0, None) ** np.float32(index)

    return profile


def edge_on_disc(flux: float, scale_length: float, scale_height: float) -> Profile:
    """A disc seen edge-on: I = I_0 (|x| / h) K_1(|x| / h) sech^2(y / z_0).

    Van der Kruit & Searle 1981 (A&A 95, 105), eq. 5. Its flux is 2 pi I_0 h z_0.
    """
    peak = np.float32(flux / (2 * np.pi * scale_length * scale_height))

    def profile(x: Array, y: Array) -> Array:
        u = np.maximum(np.abs(x) / np.float32(scale_length), np.float32(1e-4))
        z = np.clip(np.abs(y) / np.float32(scale_height), None, 20)
        light: Array = peak * u * k1(u) / np.cosh(z) ** 2
        return light

    return profile


def integrate(profile: Profile, grid: Grid, x0: float, y0: float, position_angle: float) -> Array:
    """The flux in each pixel, (size, size), of a profile centred on (x0, y0), its x axis at the position angle.

    Pixels near the centre are averages over many samples, so a cusp keeps its flux.
    """
    flux = profile(*major_axis_frame(grid.x - np.float32(x0), grid.y - np.float32(y0), position_angle))
    column, row = round(grid.pixel(x0)), round(grid.pixel(y0))
    for half, samples in _REFINEMENTS:
        rows = np.arange(max(row - half, 0), min(row + half + 1, grid.size))
        columns = np.arange(max(column - half, 0), min(column + half + 1, grid.size))
        if not rows.size or not columns.size:
            break
        offsets = ((np.arange(samples) + 0.5) / samples - 0.5) * grid.scale
        x = (grid.axis[columns][:, None] - x0 + offsets).astype(np.float32).reshape(1, -1)
        y = (grid.axis[rows][:, None] - y0 + offsets).astype(np.float32).reshape(-1, 1)
        fine = profile(*major_axis_frame(x, y, position_angle))
        mean = fine.reshape(rows.size, samples, columns.size, samples).mean(axis=(1, 3))
        flux[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = mean
    return flux * np.float32(grid.scale**2)


def deposit(grid: Grid, x: Array, y: Array, flux: Array) -> Array:
    """Point sources shared among the four pixels round each (cloud in cell), (size, size); those outside are lost."""
    column, row = x / grid.scale + (grid.size - 1) / 2, y / grid.scale + (grid.size - 1) / 2
    left, below = np.floor(column).astype(int), np.floor(row).astype(int)
    right_share, above_share = column - left, row - below
    image = np.zeros(grid.size**2)
    for down, row_share in ((0, 1 - above_share), (1, above_share)):
        for along, column_share in ((0, 1 - right_share), (1, right_share)):
            r, c = below + down, left + along
            inside = (r >= 0) & (r < grid.size) & (c >= 0) & (c < grid.size)
            weight = (flux * row_share * column_share)[inside]
            image += np.bincount(r[inside] * grid.size + c[inside], weight, minlength=grid.size**2)
    return image.reshape(grid.size, grid.size).astype(np.float32)


def _shape_radius(x: Array, y: Array, boxiness: float) -> Array:
    if boxiness == 2:
        return np.hypot(x, y)
    power = np.float32(boxiness)
    return (np.abs(x) ** power + np.abs(y) ** power) ** np.float32(1 / boxiness)
