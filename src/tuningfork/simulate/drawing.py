"""The light of one galaxy as it is put together, and how well each of its features could be seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tuningfork.simulate.colour import band_fluxes
from tuningfork.simulate.profiles import Array, Grid, Profile, deposit, integrate

_LEAST_CONTRAST = 0.12  # the contrast with smooth light that an eye needs, however little the noise


@dataclass
class Drawing:
    """Light before the atmosphere and the camera: `light` is (3, size, size), nanomaggies a pixel in g, r, i.

    A feature is a part of the light that a volunteer may notice; `features` holds its r light and its width, arcsec.
    """

    grid: Grid
    light: Array = field(init=False)
    features: dict[str, tuple[Array, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.light = np.zeros((3, self.grid.size, self.grid.size), dtype=np.float32)

    def add(self, light_r: Array, redness: float, *, feature: str = "", width: float = 0.0) -> None:
        """Add light given in r, (size, size), of stars of one colour."""
        self.light += light_r * band_fluxes(redness)[:, None, None]
        if feature:
            before = self.features.get(feature, (np.float32(0), 0.0))[0]
            self.features[feature] = (before + light_r, width)

    def add_profile(
        self,
        profile: Profile,
        at: tuple[float, float],
        position_angle: float,
        redness: float,
        *,
        feature: str = "",
        width: float = 0.0,
    ) -> None:
        """Add a profile integrated over the pixels."""
        self.add(integrate(profile, self.grid, *at, position_angle), redness, feature=feature, width=width)

    def add_points(self, x: Array, y: Array, flux_r: Array, redness: float) -> None:
        """Add unresolved sources at positions in arcsec."""
        self.add(deposit(self.grid, x, y, flux_r), redness)

    def attenuate(self, optical_depth: Array) -> None:
        """Dim everything so far by dust of an optical depth in r, (size, size); g suffers more and i less.

        The ratios to r are those of the Milky Way's dust (Schlafly & Finkbeiner 2011, ApJ 737, 103, R_V = 3.1).
        """
        for plane, ratio in enumerate((1.44, 1.0, 0.74)):
            self.light[plane] *= np.exp(-np.float32(ratio) * optical_depth)

    def visibility(self, feature: str, noise: float, fwhm: float) -> float:
        """How far a feature stands out, in units of what can just be seen; 0 where it was not drawn.

        With F the feature's light and B the rest, both weighted by F: <F> / sqrt((noise / 2)^2 + (0.12 <B>)^2), times
        the share of contrast that the atmosphere leaves to a feature of its width, w^2 / (w^2 + fwhm^2). `noise` is the
        sky's standard deviation a pixel; it counts half because an eye averages over about four pixels.
        Lengths are in arcsec.
        """
        if feature not in self.features:
            return 0.0
        light, width = self.features[feature]
        weight = float(light.sum(dtype=np.float64))
        if weight <= 0:
            return 0.0
        strength = float((light * light).sum(dtype=np.float64)) / weight
        behind = float((light * np.clip(self.light[1] - light, 0, None)).sum(dtype=np.float64)) / weight
        contrast = strength / np.hypot(noise / 2, _LEAST_CONTRAST * behind)
        return float(contrast * width**2 / (width**2 + fwhm**2))
