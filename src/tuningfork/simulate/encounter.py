"""Two discs of massless stars pass each other: the restricted three-body experiment of Toomre & Toomre 1972.

ApJ 178, 623. Units: the primary's disc radius, its mass, and G = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuningfork.simulate.profiles import Array
from tuningfork.simulate.truth import Generator

_SOFTENING = 0.2  # of both galaxies' Plummer potentials
_ECCENTRICITY = 0.7  # below 1: stands for the orbital energy that dynamical friction takes from real pairs
_BEFORE = 2.5  # time before pericentre at which the discs are still in order
_STEP = 0.05
_STARS = 1600  # of each disc
_DISC_SCALE = 0.4  # scale length of both discs, in disc radii


@dataclass(frozen=True)
class Encounter:
    """Positions after the passage: stars (2 galaxies, stars, 3), nuclei (2, 3). The orbit lies in the x-y plane."""

    stars: Array
    nuclei: Array


def meet(mass_ratio: float, pericentre: float, time: float, rng: Generator) -> Encounter:
    """Let two prograde discs pass each other.

    Parameters
    ----------
    mass_ratio
        The secondary's mass; its disc radius is its square root.
    pericentre
        Closest distance of the two nuclei.
    time
        Since pericentre; 2 pi is about a turn of the disc's edge.
    rng
        Draws the stars and how the discs are tilted.
    """
    masses = np.array([1.0, mass_ratio])
    total = masses.sum()
    speed = np.sqrt(total * (1 + _ECCENTRICITY) / pericentre)
    relative, velocity = np.array([pericentre, 0, 0]), np.array([0, speed, 0])
    relative, velocity = _backwards(relative, velocity, total)
    shares = np.array([-masses[1], masses[0]]) / total
    nuclei, nuclei_velocity = shares[:, None] * relative, shares[:, None] * velocity

    stars, stars_velocity = np.empty((2, _STARS, 3)), np.empty((2, _STARS, 3))
    for galaxy, mass in enumerate(masses):
        position, motion = _disc(mass, rng)
        stars[galaxy], stars_velocity[galaxy] = position + nuclei[galaxy], motion + nuclei_velocity[galaxy]

    positions = np.concatenate([nuclei, stars.reshape(-1, 3)])
    velocities = np.concatenate([nuclei_velocity, stars_velocity.reshape(-1, 3)])
    for _ in range(round((_BEFORE + time) / _STEP)):  # leapfrog: drift, kick, drift
        positions += velocities * (_STEP / 2)
        velocities += _acceleration(positions, positions[:2], masses) * _STEP
        positions += velocities * (_STEP / 2)
    return Encounter(stars=positions[2:].reshape(2, _STARS, 3), nuclei=positions[:2])


def _acceleration(positions: Array, nuclei: Array, masses: Array) -> Array:
    """The pull of both nuclei, (N, 3); softening makes a nucleus's pull on itself 0."""
    pull = np.zeros_like(positions)
    for nucleus, mass in zip(nuclei.copy(), masses, strict=True):
        away = nucleus - positions
        pull += away * (mass * ((away * away).sum(axis=1) + _SOFTENING**2) ** -1.5)[:, None]
    return pull


def _backwards(relative: Array, velocity: Array, total: float) -> tuple[Array, Array]:
    """The relative orbit run back from pericentre to the start."""
    for _ in range(round(_BEFORE / _STEP)):
        relative = relative - velocity * (_STEP / 2)
        velocity = velocity + relative * (total * (relative @ relative + _SOFTENING**2) ** -1.5) * _STEP
        relative = relative - velocity * (_STEP / 2)
    return relative, velocity


def _disc(mass: float, rng: Generator) -> tuple[Array, Array]:
    """Stars on circular orbits of an exponential disc tilted by at most 40 degrees, turning the way the orbit does."""
    edge = np.sqrt(mass)
    radius = np.minimum(rng.gamma(2, _DISC_SCALE, _STARS), rng.uniform(0.05, 1.1, _STARS) ** 0.5) * edge
    angle = rng.uniform(0, 2 * np.pi, _STARS)
    speed = np.sqrt(mass * radius**2 / (radius**2 + _SOFTENING**2) ** 1.5)
    position = np.stack([radius * np.cos(angle), radius * np.sin(angle), rng.normal(0, 0.02, _STARS)], axis=1)
    velocity = np.stack([-speed * np.sin(angle), speed * np.cos(angle), np.zeros(_STARS)], axis=1)
    turn = rotation(rng.uniform(0, 40), rng.uniform(0, 360))
    return position @ turn.T, velocity @ turn.T


def rotation(tilt: float, node: float) -> Array:
    """The matrix that tilts by `tilt` about a line in the x-y plane at `node`, both degrees."""
    c, s = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
    a, b = np.cos(np.deg2rad(node)), np.sin(np.deg2rad(node))
    swing = np.array([[a, -b, 0], [b, a, 0], [0, 0, 1]])
    lean = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    turned: Array = swing @ lean @ swing.T
    return turned
