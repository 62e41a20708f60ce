"""What a galaxy is, drawn at random before anything is rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log10, nan

import numpy as np

from tuningfork.simulate.profiles import sersic_b

FRAME_ARCSEC = 212 * 0.396  # the side of every frame: 212 pixels of the SDSS camera
DISC_HALF_LIGHT = sersic_b(1.0)  # half-light radius of an exponential disc, in scale lengths

Generator = np.random.Generator


@dataclass(frozen=True)
class Truth:
    """The true parameters of one simulated image; NaN where a parameter has no meaning for its class.

    Angles are degrees, lengths arcseconds. The position angle runs from north (up) to east (left).

    Parameters
    ----------
    magnitude_r
        Total apparent magnitude in r.
    half_light_radius
        Of the Sersic body or of the disc (semi-major axis); for mergers of the primary's disc before the encounter.
    sersic_index
        Of the body, or of the bulge of a disc.
    axis_ratio
        Of the body, or of the disc as projected.
    bar_length
        Semi-major axis of the bar in the plane of the disc.
    winding
        The turn of each arm from its inner to its outer end.
    redness
        0 for young stars alone to 1 for old stars alone.
    """

    sim_class: str
    magnitude_r: float
    half_light_radius: float
    position_angle: float
    redness: float
    axis_ratio: float = 1.0
    sersic_index: float = nan
    inclination: float = nan
    bulge_to_total: float = nan
    bulge_radius: float = nan
    bulge_boxiness: float = nan
    disc_height: float = nan
    dust_optical_depth: float = nan
    bar_length: float = nan
    bar_to_total: float = nan
    bar_angle: float = nan
    arms: float = nan
    pitch_angle: float = nan
    winding: float = nan
    arms_to_total: float = nan
    flocculence: float = nan
    ring_radius: float = nan
    ring_to_total: float = nan
    clumps: float = nan
    mass_ratio: float = nan
    pericentre: float = nan
    time_since_pericentre: float = nan
    psf_fwhm: float = 1.2
    offset_x: float = 0.0
    offset_y: float = 0.0

    @property
    def flux_r(self) -> float:
        """Total flux in r, nanomaggies (the AB zero point is 22.5 mag)."""
        return float(10 ** (-0.4 * (self.magnitude_r - 22.5)))

    @property
    def scale_length(self) -> float:
        """Of the exponential disc, arcsec."""
        return self.half_light_radius / DISC_HALF_LIGHT


def draw_truth(sim_class: str, rng: Generator) -> Truth:
    """Draw the parameters of one image of a class. Raises KeyError if there is no such class."""
    common = Truth(
        sim_class=sim_class,
        magnitude_r=nan,
        half_light_radius=nan,
        position_angle=rng.uniform(0, 180),
        redness=nan,
        psf_fwhm=float(np.clip(rng.lognormal(np.log(1.15), 0.15), 0.8, 1.8)),
        offset_x=rng.normal(0, 0.4),
        offset_y=rng.normal(0, 0.4),
    )
    return RECIPES[sim_class](common, rng)


def _magnitude(radius: float, surface_brightness: float) -> float:
    """The total magnitude of a mean surface brightness, mag / arcsec^2, inside a circle of the half-light radius."""
    return surface_brightness - 2.5 * log10(2 * np.pi * radius**2)


def _smooth(common: Truth, rng: Generator, axis_ratio: float, radius: float, sersic_index: float) -> Truth:
    brightness = float(np.clip(rng.normal(20.6, 0.55), 19.4, 22.0)) + 1.25 * log10(axis_ratio)
    return replace(
        common,
        magnitude_r=_magnitude(radius, brightness),
        half_light_radius=radius,
        sersic_index=sersic_index,
        axis_ratio=axis_ratio,
        redness=float(np.clip(rng.normal(0.93, 0.1), 0.6, 1.1)),
    )


def _round(common: Truth, rng: Generator) -> Truth:
    return _smooth(common, rng, rng.uniform(0.87, 1.0), rng.uniform(3.2, 6.0), rng.uniform(1.8, 4.2))


def _in_between(common: Truth, rng: Generator) -> Truth:
    return _smooth(common, rng, rng.uniform(0.45, 0.7), rng.uniform(4.0, 7.0), rng.uniform(1.6, 4.0))


def _cigar(common: Truth, rng: Generator) -> Truth:
    return _smooth(common, rng, rng.uniform(0.18, 0.3), rng.uniform(4.2, 6.4), rng.uniform(1.2, 2.5))


def _disc(common: Truth, rng: Generator, inclination: float) -> Truth:
    """An exponential disc of intrinsic thickness 0.15 (Hubble 1926's relation of axis ratio and inclination)."""
    radius = rng.uniform(6.5, 10.0)
    cos = np.cos(np.deg2rad(inclination))
    return replace(
        common,
        # Wide enough a scatter that the arms of some discs are lost in the noise.
        magnitude_r=_magnitude(radius, float(np.clip(rng.normal(21.3, 0.6), 20.2, 23.0))),
        half_light_radius=radius,
        sersic_index=rng.uniform(1.2, 3.5),
        axis_ratio=float(np.sqrt(cos**2 + 0.15**2 * (1 - cos**2))),
        inclination=inclination,
        redness=float(np.clip(rng.normal(0.35, 0.15), 0.05, 0.75)),
        bulge_boxiness=2.0,
    )


def _face_on_disc(common: Truth, rng: Generator) -> Truth:
    """Random orientation, less inclined than 70 degrees."""
    disc = _disc(common, rng, float(np.rad2deg(np.arccos(rng.uniform(np.cos(np.deg2rad(70)), 1)))))
    bulge_to_total = float(np.clip(rng.lognormal(np.log(0.14), 0.6), 0.02, 0.5))
    return replace(
        disc,
        bulge_to_total=bulge_to_total,
        bulge_radius=disc.half_light_radius * float(np.clip(0.1 + 0.35 * bulge_to_total, 0.1, 0.28)),
    )


def _with_arms(disc: Truth, rng: Generator, arms: int) -> Truth:
    pitch = rng.uniform(9, 20) if arms > 2 else rng.uniform(10, 34)
    inner = disc.bar_length if disc.bar_length > 0 else 0.5 * disc.scale_length
    turn = np.log(4.2 * disc.scale_length / inner) / np.tan(np.deg2rad(pitch))
    return replace(
        disc,
        arms=float(arms),
        pitch_angle=pitch,
        winding=float(np.rad2deg(min(turn, 3.2 * np.pi))),
        arms_to_total=(1 - disc.bulge_to_total) * rng.uniform(0.28, 0.55),
        flocculence=rng.beta(1.5, 2.5),
    )


def _spiral(common: Truth, rng: Generator) -> Truth:
    arms = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.07, 0.5, 0.2, 0.11, 0.08, 0.04]))
    return _with_arms(_face_on_disc(common, rng), rng, arms)


def _barred_spiral(common: Truth, rng: Generator) -> Truth:
    disc = _face_on_disc(common, rng)
    barred = replace(
        disc,
        bar_length=disc.scale_length * rng.uniform(1.0, 1.9),
        bar_to_total=rng.uniform(0.12, 0.28),
        bar_angle=rng.uniform(0, 180),
        bulge_to_total=min(disc.bulge_to_total, 0.25),
    )
    return _with_arms(barred, rng, int(rng.choice([2, 3, 4], p=[0.85, 0.09, 0.06])))


def _ring(common: Truth, rng: Generator) -> Truth:
    disc = _face_on_disc(common, rng)
    barred = rng.random() < 0.35
    radius = disc.scale_length * rng.uniform(1.7, 2.6)
    return replace(
        disc,
        bulge_to_total=rng.uniform(0.2, 0.5),
        bulge_radius=disc.half_light_radius * rng.uniform(0.14, 0.22),
        ring_radius=radius,
        ring_to_total=rng.uniform(0.32, 0.45),
        bar_length=radius * rng.uniform(0.75, 0.95) if barred else nan,
        bar_to_total=rng.uniform(0.06, 0.12) if barred else nan,
        bar_angle=rng.uniform(0, 180) if barred else nan,
    )


def _edge_on(common: Truth, rng: Generator, bulge_to_total: float) -> Truth:
    disc = _disc(common, rng, rng.uniform(86, 90))
    scale = disc.scale_length
    height = scale * rng.uniform(0.16, 0.24)
    return replace(
        disc,
        magnitude_r=disc.magnitude_r + rng.uniform(0.5, 1.2),
        half_light_radius=scale * DISC_HALF_LIGHT,
        axis_ratio=height / scale,
        bulge_to_total=bulge_to_total,
        disc_height=height,
        dust_optical_depth=rng.uniform(0.8, 3.0) if rng.random() < 0.5 else rng.uniform(0, 0.3),
    )


def _edge_on_no_bulge(common: Truth, rng: Generator) -> Truth:
    return replace(_edge_on(common, rng, 0.0), sersic_index=nan, bulge_radius=nan, bulge_boxiness=nan)


def _edge_on_bulge(common: Truth, rng: Generator) -> Truth:
    disc = _edge_on(common, rng, rng.uniform(0.35, 0.6))
    boxy = rng.random() < 0.3
    return replace(
        disc,
        bulge_radius=disc.scale_length * rng.uniform(0.65, 0.95),
        sersic_index=rng.uniform(0.9, 1.3) if boxy else rng.uniform(1.3, 2.6),
        bulge_boxiness=rng.uniform(3.2, 4.5) if boxy else 2.0,
        redness=float(np.clip(disc.redness + 0.2, 0.3, 0.85)),
    )


def _merger(common: Truth, rng: Generator) -> Truth:
    radius = rng.uniform(3.8, 5.2)
    return replace(
        common,
        magnitude_r=_magnitude(radius, rng.normal(19.9, 0.4)),
        half_light_radius=radius,
        sersic_index=rng.uniform(1.0, 2.5),
        inclination=float(np.rad2deg(np.arccos(rng.uniform(0.6, 1)))),
        redness=float(np.clip(rng.normal(0.5, 0.15), 0.1, 0.9)),
        bulge_to_total=rng.uniform(0.1, 0.3),
        mass_ratio=rng.uniform(0.35, 1.0),
        pericentre=rng.uniform(0.7, 1.3),
        time_since_pericentre=rng.uniform(1.8, 3.6),
    )


def _irregular(common: Truth, rng: Generator) -> Truth:
    radius = rng.uniform(6.5, 9.5)
    axis_ratio = rng.uniform(0.45, 0.85)
    return replace(
        common,
        magnitude_r=_magnitude(radius, float(np.clip(rng.normal(21.4, 0.5), 20.5, 22.8))),
        half_light_radius=radius,
        sersic_index=rng.uniform(0.5, 1.0),
        axis_ratio=axis_ratio,
        redness=float(np.clip(rng.normal(0.12, 0.1), 0.0, 0.4)),
        bulge_to_total=0.0,
        clumps=float(rng.integers(8, 25)),
    )


def _star(common: Truth, rng: Generator) -> Truth:
    return replace(
        common,
        magnitude_r=rng.uniform(11.0, 14.0),
        half_light_radius=0.0,
        axis_ratio=nan,
        redness=rng.uniform(-0.1, 1.2),
    )


RECIPES = {
    "smooth-round": _round,
    "smooth-in-between": _in_between,
    "smooth-cigar": _cigar,
    "edge-on-no-bulge": _edge_on_no_bulge,
    "edge-on-bulge": _edge_on_bulge,
    "spiral": _spiral,
    "barred-spiral": _barred_spiral,
    "ring": _ring,
    "merger": _merger,
    "irregular": _irregular,
    "star-or-artifact": _star,
}
CLASSES = tuple(RECIPES)
