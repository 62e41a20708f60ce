"""Disc galaxies: bulge, bar, spiral arms, ring; and discs seen edge-on."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from tuningfork.simulate.colour import NEWBORN, OLD, YOUNG
from tuningfork.simulate.drawing import Drawing
from tuningfork.simulate.profiles import Array, deposit, edge_on_disc, ferrers_bar, major_axis_frame, sersic
from tuningfork.simulate.truth import Generator, Truth


def draw_disc(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """A disc seen at an inclination below about 75 degrees, with whatever its truth says it has."""
    x, y = major_axis_frame(
        drawing.grid.x - np.float32(truth.offset_x), drawing.grid.y - np.float32(truth.offset_y), truth.position_angle
    )
    y = y / np.float32(truth.axis_ratio)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    shares = {
        "bulge": truth.bulge_to_total,
        "bar": _or_zero(truth.bar_to_total),
        "arms": _or_zero(truth.arms_to_total),
        "ring": _or_zero(truth.ring_to_total),
    }
    flux = {part: truth.flux_r * share for part, share in shares.items()}
    flux["disc"] = truth.flux_r * max(1 - sum(shares.values()), 0.03)

    at = (truth.offset_x, truth.offset_y)
    disc = sersic(flux["disc"], truth.half_light_radius, 1.0, truth.axis_ratio)
    drawing.add_profile(disc, at, truth.position_angle, truth.redness + 0.15)
    thickness = 0.6 + 0.4 * truth.axis_ratio  # an oblate bulge
    bulge = sersic(flux["bulge"], truth.bulge_radius, truth.sersic_index, thickness)
    drawing.add_profile(bulge, at, truth.position_angle, OLD)
    if flux["bar"]:
        _add_bar(truth, flux["bar"], drawing, x, y)
    if flux["arms"]:
        _add_arms(truth, flux["arms"], drawing, (radius, angle), rng)
    if flux["ring"]:
        _add_ring(truth, flux["ring"], drawing, (radius, angle), rng)


def draw_edge_on(truth: Truth, drawing: Drawing, rng: Generator) -> None:
    """A disc seen edge-on, with a bulge or without, and a lane of dust in its plane."""
    at, angle = (truth.offset_x, truth.offset_y), truth.position_angle
    disc_flux = truth.flux_r * (1 - truth.bulge_to_total)
    disc = edge_on_disc(0.94 * disc_flux, truth.scale_length, truth.disc_height)
    drawing.add_profile(disc, at, angle, truth.redness + 0.2, feature="edge-on", width=3 * truth.disc_height)
    along, across = major_axis_frame(
        drawing.grid.x - np.float32(at[0]), drawing.grid.y - np.float32(at[1]), truth.position_angle
    )
    clumps = rng.normal(0, 1, (2, 25))
    x = clumps[0] * 1.3 * truth.scale_length
    y = clumps[1] * 0.35 * truth.disc_height
    drawing.add_points(*_on_sky(truth, x, y), _split(0.06 * disc_flux, 25, rng), YOUNG)
    if truth.bulge_to_total:
        bulge = sersic(
            truth.flux_r * truth.bulge_to_total, truth.bulge_radius, truth.sersic_index, 0.8, truth.bulge_boxiness
        )
        drawing.add_profile(bulge, at, angle, OLD, feature="bulge", width=2 * truth.bulge_radius)
    # Not quite edge-on: the lane lies in front of the near side, a little off the middle.
    offset = 2.5 * truth.scale_length * np.cos(np.deg2rad(truth.inclination)) * 0.5
    lane = np.exp(-0.5 * ((across - np.float32(offset)) / np.float32(0.35 * truth.disc_height)) ** 2)
    drawing.attenuate(np.float32(truth.dust_optical_depth) * lane * np.exp(-np.abs(along) / (2.5 * truth.scale_length)))


def _add_bar(truth: Truth, flux: float, drawing: Drawing, x: Array, y: Array) -> None:
    turn = np.deg2rad(truth.bar_angle)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    bar = ferrers_bar(1.0, truth.bar_length, 0.28, index=0.7)(x * cos + y * sin, y * cos - x * sin)
    drawing.add(_with_flux(bar, flux), 0.9, feature="bar", width=0.56 * truth.bar_length * np.sqrt(truth.axis_ratio))


def _add_arms(truth: Truth, flux: float, drawing: Drawing, plane: tuple[Array, Array], rng: Generator) -> None:
    """Logarithmic arms, R = R_0 exp(theta tan pitch), Gaussian across, with knots of newborn stars along them."""
    radius, angle = plane
    h, arms = truth.scale_length, int(truth.arms)
    inner = truth.bar_length if truth.bar_length > 0 else 0.5 * h
    pitch = np.deg2rad(truth.pitch_angle)
    outer = inner * np.exp(np.deg2rad(truth.winding) * np.tan(pitch))
    start = np.deg2rad(truth.bar_angle) if truth.bar_length > 0 else rng.uniform(0, 2 * np.pi)
    handed = rng.choice([-1.0, 1.0])
    starts = start + 2 * np.pi * np.arange(arms) / arms + rng.normal(0, 0.12, arms) * (arms > 1)
    strengths = rng.uniform(0.75, 1.0, arms)

    spacing = 2 * np.pi * inner * 2 * np.sin(pitch) / arms  # between neighbouring arms, at twice the inner radius
    width = min(0.3 * h, 0.22 * spacing)
    log_radius = np.log(np.maximum(radius, 0.05 * h) / inner).astype(np.float32)
    turn = handed * log_radius / np.float32(np.tan(pitch))
    spread = width * (0.6 + 0.25 * radius / h)
    pattern = np.zeros_like(radius)
    for begin, strength in zip(starts, strengths, strict=True):
        away = np.remainder(angle - turn - np.float32(begin) + np.float32(np.pi), np.float32(2 * np.pi)) - np.float32(
            np.pi
        )
        pattern += np.float32(strength) * np.exp(-0.5 * (away * radius * np.float32(np.sin(pitch)) / spread) ** 2)
    pattern *= np.exp(-radius / np.float32(1.6 * h)) * _rise((radius - 0.85 * inner) / (0.12 * inner))
    pattern *= _rise((outer - radius) / (0.25 * h))

    clumpy = 0.12 + 0.38 * truth.flocculence
    seen_width = 2.35 * width * (0.4 + 0.6 * truth.axis_ratio)
    drawing.add(_with_flux(pattern, flux * (1 - clumpy)), truth.redness - 0.1, feature="arms", width=1.6 * seen_width)

    knots = int(60 + 200 * truth.flocculence)
    arm = rng.integers(arms, size=knots)
    r = np.clip(inner + rng.gamma(1.6, 0.9 * h, knots), inner, outer)
    theta = starts[arm] + handed * np.log(r / inner) / np.tan(pitch)
    scatter = width * (0.5 + 1.2 * truth.flocculence)
    x = r * np.cos(theta) + rng.normal(0, scatter, knots)
    y = (r * np.sin(theta) + rng.normal(0, scatter, knots)) * truth.axis_ratio
    fluxes = _split(flux * clumpy, knots, rng) * np.exp(-r / (3 * h))
    fluxes *= flux * clumpy / fluxes.sum()
    born = gaussian_filter(deposit(drawing.grid, *_on_sky(truth, x, y), fluxes), 0.5 / drawing.grid.scale)
    drawing.add(born, 0.4 * truth.redness + 0.6 * NEWBORN)


def _add_ring(truth: Truth, flux: float, drawing: Drawing, plane: tuple[Array, Array], rng: Generator) -> None:
    radius, angle = plane
    width = 0.11 * truth.ring_radius
    uneven = 1 + 0.2 * np.cos(angle - rng.uniform(0, 2 * np.pi)) + 0.12 * np.cos(2 * angle - rng.uniform(0, 2 * np.pi))
    ring = np.exp(-0.5 * ((radius - truth.ring_radius) / width) ** 2) * uneven
    drawing.add(
        _with_flux(ring, 0.8 * flux),
        truth.redness - 0.15,
        feature="ring",
        width=4 * width * (0.4 + 0.6 * truth.axis_ratio),
    )
    theta = rng.uniform(0, 2 * np.pi, 40)
    r = truth.ring_radius + rng.normal(0, 0.7 * width, 40)
    x, y = _on_sky(truth, r * np.cos(theta), r * np.sin(theta) * truth.axis_ratio)
    drawing.add_points(x, y, _split(0.2 * flux, 40, rng), NEWBORN)


def _on_sky(truth: Truth, x: Array, y: Array) -> tuple[Array, Array]:
    """From the frame of the projected disc's axes to the picture's."""
    turn = np.deg2rad(truth.position_angle + 90)
    return (
        truth.offset_x + x * np.cos(turn) - y * np.sin(turn),
        truth.offset_y + x * np.sin(turn) + y * np.cos(turn),
    )


def _split(flux: float, parts: int, rng: Generator) -> Array:
    """A flux shared among sources of lognormal luminosity."""
    shares = rng.lognormal(0, 0.8, parts)
    fluxes: Array = flux * shares / shares.sum()
    return fluxes


def _with_flux(pattern: Array, flux: float) -> Array:
    return (pattern * np.float32(flux / pattern.sum(dtype=np.float64))).astype(np.float32)


def _rise(u: Array) -> Array:
    """A smooth step from 0 to 1 at u = 0."""
    return 0.5 * (1 + np.tanh(u.astype(np.float32)))


def _or_zero(value: float) -> float:
    return 0.0 if np.isnan(value) else value
