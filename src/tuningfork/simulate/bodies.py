"""Everything that is no plain disc: ellipticals, mergers, irregulars, stars and trails. `draw` draws any class."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from tuningfork.simulate.colour import NEWBORN, OLD, YOUNG
from tuningfork.simulate.discs import draw_disc, draw_edge_on
from tuningfork.simulate.drawing import Drawing
from tuningfork.simulate.encounter import meet, rotation
from tuningfork.simulate.profiles import deposit, major_axis_frame, sersic
from tuningfork.simulate.truth import Generator, Truth


def draw(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """Draw the light of one galaxy, of any class."""
    _PAINTERS[truth.sim_class](truth, drawing, rng)


def _smooth(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """A Sersic body, its outer half a little bluer than its inner half, as ellipticals are."""
    at = (truth.offset_x, truth.offset_y)
    for share, radius, redness in ((0.5, 0.85, 0.1), (0.5, 1.17, -0.1)):
        body = sersic(truth.flux_r * share, truth.half_light_radius * radius, truth.sersic_index, truth.axis_ratio)
        drawing.add_profile(body, at, truth.position_angle, truth.redness + redness)


def _merger(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """Two discs after a close passage, their stars where the tides have carried them."""
    encounter = meet(truth.mass_ratio, truth.pericentre, truth.time_since_pericentre, rng)
    unit = 1.15 * truth.half_light_radius  # arcsec in a disc radius
    view = rotation(truth.inclination, rng.uniform(0, 360))
    turn = np.deg2rad(truth.position_angle)
    mirror = rng.choice([-1.0, 1.0])
    view = np.array([[np.cos(turn), -np.sin(turn), 0], [mirror * np.sin(turn), mirror * np.cos(turn), 0]]) @ view
    nuclei, stars = encounter.nuclei @ view.T * unit, encounter.stars @ view.T * unit

    fluxes = truth.flux_r * np.array([1.0, truth.mass_ratio]) / (1 + truth.mass_ratio)
    middle = (nuclei * fluxes[:, None]).sum(axis=0) / truth.flux_r - (truth.offset_x, truth.offset_y)
    nuclei, stars = nuclei - middle, stars - middle
    for galaxy, flux in enumerate(fluxes):
        redness = truth.redness + rng.normal(0, 0.12)
        count = stars.shape[1]
        debris = deposit(
            drawing.grid,
            stars[galaxy, :, 0],
            stars[galaxy, :, 1],
            np.full(count, flux * (0.93 - truth.bulge_to_total) / count),
        )
        debris = gaussian_filter(debris, 0.8 / drawing.grid.scale)
        away = np.hypot(drawing.grid.x - nuclei[galaxy, 0], drawing.grid.y - nuclei[galaxy, 1])
        radius = unit * np.sqrt(truth.mass_ratio if galaxy else 1.0)
        tails = np.where(away > 0.8 * radius, debris, 0)
        drawing.add(debris - tails, redness)
        drawing.add(tails, redness - 0.15, feature="tails", width=3.0)
        bulge = sersic(flux * truth.bulge_to_total, 0.22 * radius, truth.sersic_index, 0.85)
        drawing.add_profile(
            bulge, (nuclei[galaxy, 0], nuclei[galaxy, 1]), rng.uniform(0, 180), 0.3 * OLD + 0.7 * redness
        )
        born = rng.choice(count, 25, replace=False)
        share = rng.lognormal(0, 0.8, 25)
        x, y = stars[galaxy, born].T
        drawing.add_points(x, y, 0.07 * flux * share / share.sum(), NEWBORN)


def _irregular(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """A lopsided faint body, an off-centre bar, and clumps of young stars strewn about."""
    at, angle, radius = (truth.offset_x, truth.offset_y), truth.position_angle, truth.half_light_radius
    clumps = int(truth.clumps)
    body = sersic(0.5 * truth.flux_r, radius, truth.sersic_index, truth.axis_ratio)
    drawing.add_profile(body, at, angle, truth.redness + 0.2)
    lean = np.deg2rad(rng.uniform(0, 360))
    off = (at[0] + 0.4 * radius * np.cos(lean), at[1] + 0.4 * radius * np.sin(lean))
    bar = sersic(0.15 * truth.flux_r, 0.5 * radius, 0.6, 0.35, 2.5)
    drawing.add_profile(bar, off, angle + rng.normal(0, 25), truth.redness + 0.1, feature="clumps", width=2.0)

    along = rng.normal(0, 0.75 * radius, clumps)
    across = rng.normal(0, 0.75 * radius * truth.axis_ratio, clumps)
    turn = np.deg2rad(angle + 90)
    x = at[0] + along * np.cos(turn) - across * np.sin(turn) + 0.25 * radius * np.cos(lean)
    y = at[1] + along * np.sin(turn) + across * np.cos(turn) + 0.25 * radius * np.sin(lean)
    share = rng.lognormal(0, 1.0, clumps)
    flux = 0.35 * truth.flux_r * share / share.sum()
    wide = np.arange(clumps) % 3 == 0
    cloud = gaussian_filter(deposit(drawing.grid, x[wide], y[wide], flux[wide]), 1.1 / drawing.grid.scale)
    drawing.add(cloud, YOUNG, feature="clumps", width=2.0)
    knots = gaussian_filter(deposit(drawing.grid, x[~wide], y[~wide], flux[~wide]), 0.6 / drawing.grid.scale)
    drawing.add(knots, NEWBORN, feature="clumps", width=2.0)


def _star_or_artifact(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """A bright star with the spikes of the telescope's spider, or the trail of a satellite in one band."""
    at = (truth.offset_x, truth.offset_y)
    if rng.random() < 0.65:
        drawing.add_points(np.array([at[0]]), np.array([at[1]]), np.array([truth.flux_r]), truth.redness)
        for angle in (45.0, 135.0):
            along, across = major_axis_frame(
                drawing.grid.x - np.float32(at[0]), drawing.grid.y - np.float32(at[1]), angle
            )
            spike = np.exp(-0.5 * (across / np.float32(0.45)) ** 2) / (np.abs(along) + 1.5) ** 1.7
            share = np.float32(0.012 * truth.flux_r * drawing.grid.scale**2)
            drawing.add((spike * share).astype(np.float32), truth.redness)
        return
    _, across = major_axis_frame(
        drawing.grid.x - np.float32(at[0]), drawing.grid.y - np.float32(at[1]), truth.position_angle
    )
    trail = np.exp(-0.5 * (across / np.float32(rng.uniform(0.6, 1.2))) ** 2)
    # SDSS takes its bands minutes apart, so a satellite shows in one of them alone.
    drawing.light[rng.integers(3)] += trail * np.float32(rng.uniform(1.5, 6) * drawing.grid.scale**2)


_PAINTERS = {
    "smooth-round": _smooth,
    "smooth-in-between": _smooth,
    "smooth-cigar": _smooth,
    "edge-on-no-bulge": draw_edge_on,
    "edge-on-bulge": draw_edge_on,
    "spiral": draw_disc,
    "barred-spiral": draw_disc,
    "ring": draw_disc,
    "merger": _merger,
    "irregular": _irregular,
    "star-or-artifact": _star_or_artifact,
}
